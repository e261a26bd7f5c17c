"""Agent: a state behind functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.process import (
    AlreadyStarted,
    BadReturn,
    CallTimeout,
    Exit,
    Ignore,
    NoProcess,
    NoReply,
    Ok,
    ProcessExited,
    Reply,
    StartFailed,
    Stop,
    exit,
    receive,
    self_ref,
)
from tinybeam.process.agent import Agent

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


Start = Callable[..., Any]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts agents, which have ended when the test has."""
    started: list[Any] = []

    def start_one(*args: Any, **kwargs: Any) -> Any:
        started.append(Agent.start(*args, **kwargs))
        return started[-1]

    yield start_one
    for ref in started:
        exit(ref, "kill")


def crash(*_: Any) -> Any:
    raise KeyError("boom")


def test_a_state_is_read_and_changed_with_functions(start: Start) -> None:
    agent = start(lambda: 1)
    assert Agent.get(agent, lambda state: state) == 1
    Agent.update(agent, lambda state: state + 1)
    assert Agent.get_and_update(agent, lambda state: (state, state * 10)) == 2
    Agent.cast(agent, lambda state: state + 5)
    assert Agent.get(agent, lambda state: state) == 25


def test_arguments_follow_the_state(start: Start) -> None:
    agent = start(dict, [("one", 1)])
    assert Agent.get(agent, dict.get, "one") == 1
    Agent.update(agent, lambda state, key, value: {**state, key: value}, "two", 2)
    Agent.cast(agent, lambda state, key: {**state, key: 3}, "three")
    assert Agent.get_and_update(agent, lambda state, key: (state[key], sorted(state)), "two") == 2
    assert Agent.get(agent, lambda state: state) == ["one", "three", "two"]


def test_the_functions_run_in_the_agent(start: Start) -> None:
    agent = start(self_ref)
    assert Agent.get(agent, lambda state: (state, self_ref())) == (agent, agent)


@pytest.mark.parametrize("state", [Stop("normal"), Ok(1), NoReply(1), Reply(1, 2), Ignore(), (1, 2), None])
def test_any_value_may_be_the_state(start: Start, state: Any) -> None:
    agent = start(lambda: state)
    assert Agent.get(agent, lambda state: state) is state
    Agent.update(agent, lambda _: state)
    Agent.cast(agent, lambda _: state)
    assert Agent.get_and_update(agent, lambda state: (state, state)) is state
    assert Agent.get(agent, lambda state: state) is state


@pytest.mark.parametrize("function", [Agent.get, Agent.update, Agent.get_and_update])
def test_a_function_that_raises_ends_the_agent(start: Start, function: Any) -> None:
    agent = start(dict)
    with pytest.raises(ProcessExited) as raised:
        function(agent, crash)
    assert isinstance(raised.value.reason, KeyError)
    assert not agent.is_alive()


def test_a_cast_function_that_raises_ends_the_agent() -> None:
    agent = Agent.start_link(dict)
    Agent.cast(agent, crash)
    ended = receive(PATIENCE_S, want=lambda message: type(message) is Exit)
    assert ended.process is agent
    assert isinstance(ended.reason, KeyError)


def test_get_and_update_needs_both(start: Start) -> None:
    agent = start(dict)
    with pytest.raises(ProcessExited) as raised:
        Agent.get_and_update(agent, lambda state: state)
    assert isinstance(raised.value.reason, BadReturn)


def test_a_function_that_takes_too_long_is_not_waited_for(start: Start, gate: Any) -> None:
    agent = start(lambda: 1)
    with pytest.raises(CallTimeout):
        Agent.update(agent, lambda _: gate.wait() or 2, timeout=0.01)
    gate.open()
    # It was not stopped: the agent goes on with what it makes.
    assert Agent.get(agent, lambda state: state, timeout=PATIENCE_S) == 2


def test_an_agent_that_cannot_begin_is_no_agent() -> None:
    with pytest.raises(StartFailed) as raised:
        Agent.start(crash)
    assert isinstance(raised.value.reason, KeyError)


def test_an_agent_has_a_name_and_one_only(start: Start) -> None:
    agent = start(lambda: 1, name="one")
    assert Agent.get("one", lambda state: state) == 1
    with pytest.raises(AlreadyStarted) as raised:
        start(lambda: 2, name="one")
    assert raised.value.ref is agent
    assert Agent.stop("one") is True
    with pytest.raises(NoProcess):
        Agent.get("one", lambda state: state)
    with pytest.raises(NoProcess):
        Agent.stop("one")
    Agent.cast("one", crash)


def test_an_agent_stops_for_a_reason() -> None:
    agent = Agent.start_link(dict)
    assert Agent.stop(agent, "shutdown", timeout=PATIENCE_S) is True
    assert receive(PATIENCE_S, want=lambda message: type(message) is Exit) == (agent, "shutdown")
    assert Agent.stop(agent) is False


def test_an_agent_may_have_a_class_of_its_own() -> None:
    class Counter(Agent):
        @classmethod
        def start_link(cls, first: int) -> Any:  # type: ignore[override]
            return super().start_link(lambda: first, name="counter")

        @staticmethod
        def increment() -> int:
            return Agent.get_and_update("counter", lambda count: (count + 1, count + 1))

    counter = Counter.start_link(41)
    assert Counter.increment() == 42
    assert str(counter).startswith("Counter ")
    Agent.stop("counter")
    assert receive(PATIENCE_S, want=lambda message: type(message) is Exit) == (counter, "normal")
