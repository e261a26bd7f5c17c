"""A stream of tasks: its order, its bounds, and that it ends with who iterates."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tinybeam.process import CallTimeout, Down, Exit, ProcessExited, bonds, exit, monitor, receive, self_ref
from tinybeam.process.agent import Agent
from tinybeam.process.outcomes import Done, Exited
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskReply

PATIENCE_S = 30


@pytest.fixture(autouse=True)
def nothing_left(empty_mailbox: None) -> Iterator[None]:
    """A stream leaves nothing in its caller's mailbox."""
    yield
    left = [message for _, message, _ in self_ref()._process._waiting() if type(message) in (TaskReply, Down, Exit)]
    assert left == []
    assert bonds.bonds_of(self_ref()._process).links == {}


class Steps:
    """Items that tell how many of them were asked for."""

    def __init__(self, items: Any) -> None:
        self._items = iter(items)
        self.taken = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        item = next(self._items)
        self.taken += 1
        return item


def refuse_odd(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number


def running() -> int:
    return sum(type(process).__name__ == "TaskProcess" for process in list(bonds.processes))


def test_there_is_an_outcome_for_each_item_in_their_order() -> None:
    assert list(Task.async_stream(range(100), abs, max_concurrency=7)) == [Done(number) for number in range(100)]
    assert list(Task.async_stream([], abs)) == []
    assert list(Task.async_stream([1, 2], pow, 3)) == [Done(1), Done(8)]


def test_the_order_is_that_of_the_items_however_long_they_take(gates: Any) -> None:
    made = [gates() for _ in range(3)]

    def work(number: int) -> int:
        made[number].wait()
        if number:
            made[number - 1].open()
        return number

    made[2].open()
    assert list(Task.async_stream(range(3), work, max_concurrency=3)) == [Done(0), Done(1), Done(2)]


def test_without_order_outcomes_come_as_they_come(gates: Any) -> None:
    made = [gates() for _ in range(3)]
    made[2].open()
    stream = Task.async_stream(
        range(3), lambda number: made[number].wait() or number, max_concurrency=3, ordered=False, timeout=PATIENCE_S
    )
    assert next(stream) == Done(2)
    made[0].open()
    assert next(stream) == Done(0)
    made[1].open()
    assert list(stream) == [Done(1)]


def test_so_many_run_at_once_and_no_more(gate: Any) -> None:
    items = Steps(range(10))
    most = itertools.count()
    inside = threading.Semaphore(3)

    def work(number: int) -> int:
        assert inside.acquire(blocking=False)
        gate.wait()
        next(most)
        inside.release()
        return number

    stream = Task.async_stream(items, work, max_concurrency=3, timeout=None)
    opener = threading.Thread(target=lambda: gate.reached(3) or gate.open())
    opener.start()
    assert list(stream) == [Done(number) for number in range(10)]
    opener.join(PATIENCE_S)


def test_nothing_is_asked_for_before_it_can_be_used() -> None:
    items = Steps(itertools.count())
    stream = Task.async_stream(items, abs, max_concurrency=2)
    assert items.taken == 0
    assert next(stream) == Done(0)
    taken = items.taken
    assert taken <= 2 * 4
    # Whoever does not go on gets no further.
    assert items.taken == taken
    stream.close()  # type: ignore[attr-defined]
    assert running() == 0


def test_a_slow_first_one_does_not_let_the_others_run_far_ahead(gate: Any, until: Any) -> None:
    items = Steps(itertools.count())
    too_early: list[int] = []

    def work(number: int) -> int:
        if number == 0:
            gate.wait()
        elif number >= 8 and not gate.is_open:
            too_early.append(number)
        return number

    def open_when_nothing_else_runs() -> None:
        until(lambda: items.taken >= 8 and running() == 1)
        gate.open()

    opener = threading.Thread(target=open_when_nothing_else_runs)
    opener.start()
    stream = Task.async_stream(items, work, max_concurrency=2, timeout=None)
    assert [next(stream) for _ in range(10)] == [Done(number) for number in range(10)]
    stream.close()  # type: ignore[attr-defined]
    opener.join(PATIENCE_S)
    assert too_early == []


def test_a_thread_that_traps_exits_is_told_of_each_failure() -> None:
    outcomes = list(Task.async_stream(range(4), refuse_odd))
    assert outcomes[0] == Done(0)
    assert outcomes[2] == Done(2)
    for outcome in (outcomes[1], outcomes[3]):
        assert isinstance(outcome, Exited)
        assert isinstance(outcome.reason, ValueError)


def test_a_process_that_does_not_trap_exits_fails_with_the_first_task() -> None:
    agent = Agent.start(dict)
    with pytest.raises(ProcessExited) as raised:
        Agent.get(agent, lambda _: list(Task.async_stream(range(4), refuse_odd)), timeout=PATIENCE_S)
    cause = raised.value.reason
    assert isinstance(cause, ProcessExited)
    assert isinstance(cause.reason, ValueError)
    assert not agent.is_alive()


def test_one_that_takes_too_long_ends_the_stream(gate: Any) -> None:
    stream = Task.async_stream([0], lambda _: gate.wait(), timeout=0.01)
    with pytest.raises(CallTimeout, match="a task of a stream took longer than 0.01 s"):
        next(stream)
    assert list(stream) == []
    assert running() == 0


def test_one_that_takes_too_long_is_killed_if_that_is_asked_for(gate: Any) -> None:
    def work(number: int) -> int:
        return gate.wait() if number == 1 else number

    stream = Task.async_stream(range(4), work, max_concurrency=2, timeout=0.2, on_timeout="kill_task")
    assert list(stream) == [Done(0), Exited("timeout"), Done(2), Done(3)]
    assert running() == 0


def test_who_stops_half_way_ends_the_tasks(gate: Any) -> None:
    def work(number: int) -> int:
        return number if number == 0 else gate.wait()

    for outcome in Task.async_stream(itertools.count(), work, max_concurrency=4):
        assert outcome == Done(0)
        break
    assert running() == 0


def test_items_that_fail_end_the_tasks(gate: Any) -> None:
    def items() -> Iterator[int]:
        yield 0
        raise LookupError("no more")

    with pytest.raises(LookupError):
        list(Task.async_stream(items(), lambda _: gate.wait(), max_concurrency=2))
    assert running() == 0


def test_when_the_owner_fails_its_tasks_end_whatever_it_is_at(gates: Any) -> None:
    task_waits, owner_waits = gates(), gates()
    agent = Agent.start(dict)
    refs: list[Any] = []

    def work(number: int) -> None:
        if number == 1:
            refs.append(self_ref())
            task_waits.wait()

    def iterate(_: Any) -> None:
        stream = Task.async_stream(range(2), work, max_concurrency=2, timeout=None)
        next(stream)
        owner_waits.wait()

    def ask() -> None:
        with contextlib.suppress(ProcessExited):
            Agent.get(agent, iterate)

    thread = threading.Thread(target=ask)
    thread.start()
    task_waits.reached()
    owner_waits.reached()
    monitor(refs[0])
    exit(agent, "kill")
    assert receive(PATIENCE_S, want=lambda message: type(message) is Down)[1:] == (refs[0], "killed")
    owner_waits.open()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_stream_belongs_to_who_has_begun_it() -> None:
    agent = Agent.start(dict)
    stream = Task.async_stream(range(4), abs)
    next(stream)
    with pytest.raises(ProcessExited) as raised:
        Agent.get(agent, lambda _: next(stream))
    assert isinstance(raised.value.reason, ValueError)
    assert "cannot go on with it" in str(raised.value.reason)
    assert running() == 0
    self_ref()._process._withdraw(lambda message: type(message) is TaskReply)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_concurrency": 0}, "max_concurrency must be a number above 0, not 0"),
        ({"max_concurrency": "4"}, "max_concurrency must be a number above 0, not '4'"),
        ({"on_timeout": "wait"}, "on_timeout must be 'exit' or 'kill_task', not 'wait'"),
    ],
)
def test_wrong_options_are_refused_before_anything_starts(options: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Task.async_stream([1], abs, **options)
