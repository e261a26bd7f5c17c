"""GenServer: how it starts and how it ends, with init, what goes on after it, and terminate."""

from __future__ import annotations

from typing import Any

import pytest

from tests.process.teller import Teller, told
from tinybeam.process import (
    GenServer,
    Ignore,
    Ok,
    StartFailed,
    StartIgnored,
    Stop,
    exit,
    link,
    monitor,
)

# init


def test_init_returns_the_state(me: Any) -> None:
    server = Teller.start(me, 7)
    assert server.call(("x", 8)) == "x"
    assert told() == ("call", 7)
    server.cast(9)
    assert told() == ("cast", 8)


def test_without_an_init_the_state_is_the_argument() -> None:
    class Plain(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    assert Plain.start(5).call("") == 5
    assert Plain.start().call("") is None


def test_init_may_return_ok_with_a_state(me: Any) -> None:
    server = Teller.start(me, Ok(3))
    server.call(("", 4))
    assert told() == ("call", 3)


def test_init_that_stops_fails_the_start_with_its_reason(me: Any) -> None:
    with pytest.raises(StartFailed) as raised:
        Teller.start(me, Stop("no disk"))
    assert raised.value.reason == "no disk"
    assert raised.value.__cause__ is not raised.value


def test_init_that_ignores_leaves_no_process_and_says_so(me: Any) -> None:
    with pytest.raises(StartIgnored):
        Teller.start(me, Ignore(), name="ignoring")
    assert Teller.start(me, name="ignoring").is_alive()


def test_init_that_raises_fails_the_start_with_the_exception() -> None:
    class Failing(GenServer):
        def init(self) -> Any:
            raise ValueError("x")

    with pytest.raises(StartFailed) as raised:
        Failing.start()
    assert isinstance(raised.value.reason, ValueError)
    assert raised.value.__cause__ is raised.value.reason


def test_terminate_is_not_called_when_init_has_failed(me: Any) -> None:
    class Failing(Teller):
        def init(self, to: Any) -> Any:
            self.to = to
            raise ValueError

    with pytest.raises(StartFailed):
        Failing.start(me)
    me.send("end")
    assert told() == "end"


@pytest.mark.parametrize(("result", "reason"), [(Stop("no disk"), "no disk"), (Ignore(), "normal")])
def test_whom_an_init_was_linked_to_is_told_the_reason_that_it_gave(me: Any, result: Any, reason: str) -> None:
    class Linking(GenServer):
        def init(self) -> Any:
            link(me)
            return result

    with pytest.raises(StartFailed):
        Linking.start()
    assert told().reason == reason


def test_init_goes_on_with_handle_continue_before_any_message(me: Any) -> None:
    class Eager(Teller):
        def init(self, to: Any) -> Any:
            self.to = to
            self.actor_ref.cast("first message")
            return Ok(1, then="set up")

        def handle_continue(self, then: Any, state: Any) -> Any:
            self.to.send(("continue", then, state))
            return 2

    server = Eager.start(me)
    assert server.call(("a", 4)) == "a"
    assert [told() for _ in range(3)] == [("continue", "set up", 1), ("cast", 2), ("call", "first message")]


def test_who_starts_a_server_does_not_wait_for_its_handle_continue(gate: Any) -> None:
    class Slow(GenServer):
        def init(self) -> Any:
            return Ok(0, then="slow")

        def handle_continue(self, then: Any, state: Any) -> Any:
            gate.wait()
            return state

    server = Slow.start()
    gate.reached()
    assert server.is_alive()


def test_a_handle_continue_that_raises_after_init_crashes_a_process_that_has_started(gate: Any) -> None:
    class Crashing(GenServer):
        def init(self) -> Any:
            return Ok(None, then="on")

        def handle_continue(self, then: Any, state: Any) -> Any:
            gate.wait()
            raise ValueError("later")

    server, watch = Crashing.start_monitor()
    gate.open()
    down = told()
    assert (down.monitor, down.process) == (watch, server)
    assert repr(down.reason) == "ValueError('later')"


# ends


def test_stop_calls_terminate_with_the_reason_and_the_state(me: Any) -> None:
    server = Teller.start(me)
    assert server.stop(("shutdown", 1)) is True
    assert told() == ("terminate", ("shutdown", 1), "state")
    assert server.stop() is False


def test_a_crash_calls_terminate_with_the_exception(me: Any) -> None:
    class Crashing(Teller):
        def handle_cast(self, message: Any, state: Any) -> Any:
            raise message

    error = ValueError("x")
    server = Crashing.start(me)
    server.cast(error)
    assert told() == ("terminate", error, "state")


def test_a_kill_does_not_call_terminate(me: Any) -> None:
    server = Teller.start(me)
    exit(server, "kill")
    assert not server.is_alive()
    me.send("end")
    assert told() == "end"


def test_an_exit_signal_does_not_call_terminate_unless_exits_are_trapped(me: Any) -> None:
    server, watch = Teller.start_monitor(me)
    exit(server, "bye")
    down = told()
    assert (down.monitor, down.reason) == (watch, "bye")


def test_a_server_that_traps_exits_ends_with_its_parent(me: Any) -> None:
    class Trapping(Teller):
        trap_exit = True

    class Parent(GenServer):
        def init(self) -> Any:
            return Trapping.start_link(me)

        def handle_call(self, message: Any, from_: Any, child: Any) -> Any:
            return child, child

    parent = Parent.start()
    child = parent.call("child")
    watch = monitor(child)
    parent.stop("normal")
    assert told() == ("terminate", "normal", "state")
    down = told()
    assert (down.monitor, down.reason) == (watch, "normal")


def test_a_terminate_that_raises_ends_the_server_with_that(me: Any) -> None:
    class Failing(GenServer):
        def terminate(self, reason: Any, state: Any) -> None:
            raise ValueError("in terminate")

    server, _watch = Failing.start_monitor()
    assert server.stop("normal") is True
    assert repr(told().reason) == "ValueError('in terminate')"


def test_a_stop_with_a_state_gives_it_to_terminate(me: Any) -> None:
    server = Teller.start(me)
    server.cast(Stop("x", "given"))
    assert told()[0] == "cast"
    assert told() == ("terminate", "x", "given")
