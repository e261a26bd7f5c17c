"""Ends as OTP's gen_server and supervisor have them: what is still handled, what is answered, and what is reported."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.process.supervised import PATIENCE_S, Gate, Start, Worker, children_of, ended, started, told, worker
from tinybeam.errors import ProcessError
from tinybeam.process import (
    CallTimeout,
    DynamicSupervisor,
    GenServer,
    ProcessExited,
    StartFailed,
    Stop,
    Supervisor,
    bonds,
    exit,
    monitor,
    receive,
    resume,
    self_ref,
    suspend,
    unlink,
    when_ended,
    whereis,
)
from tinybeam.process.childspec import ChildSpec, child_spec


class Ledger(GenServer):
    """Tells the test each message that it has handled, and its end."""

    trap_exit = True

    def init(self, to: Any) -> Any:
        return to

    def handle_cast(self, message: Any, to: Any) -> Any:
        if isinstance(message, Gate):
            message.wait()
        else:
            to.send(("entered", message))
        return to

    def terminate(self, reason: Any, to: Any) -> None:
        to.send(("ended", reason))


class Ends(GenServer):
    """Ends of what it is told, in the way that it is told."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return Stop(message, state, reply="bye")

    def handle_cast(self, message: Any, state: Any) -> Any:
        return Stop(message)

    def handle_info(self, message: Any, state: Any) -> Any:
        return Stop(message)


def end(server: Any, how: str, reason: Any) -> None:
    """Ends a server, and waits until it has."""
    watch = monitor(server)
    match how:
        case "call":
            assert server.call(reason) == "bye"
        case "short call":
            assert server.call(reason, 0.9) == "bye"
        case "cast":
            server.cast(reason)
        case "info":
            server.send(reason)
        case "stop":
            assert server.stop(reason)
    down = receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch)
    assert down.reason == reason


def behind(server: Any, messages: int) -> bool:
    """Whether more than so many messages wait, or a signal does."""
    process = server._process
    return process is None or bool(process._signals) or len(process._box) + len(process._batch) > messages


# What waits.


@pytest.mark.parametrize("who", ["its supervisor", "a dynamic supervisor", "its parent's end"])
def test_who_traps_exits_handles_what_it_was_sent_before_it_is_shut_down(
    start: Start, threads: Callable[..., threading.Thread], until: Any, who: str
) -> None:
    class Parent(GenServer):
        def init(self, to: Any) -> Any:
            return Ledger.start_link(to)

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    gate = Gate()
    stop: Callable[[], Any]
    if who == "its supervisor":
        supervisor = start([(Ledger, self_ref())])
        ledger, stop = children_of(supervisor)[Ledger], supervisor.stop
    elif who == "a dynamic supervisor":
        supervisor = DynamicSupervisor.start()
        ledger, stop = DynamicSupervisor.start_child(supervisor, (Ledger, self_ref())), supervisor.stop
    else:
        parent = Parent.start(self_ref())
        ledger, stop = parent.call("ledger"), lambda: exit(parent, "shutdown")
    ledger.cast(gate)
    gate.reached()
    for amount in range(100):
        ledger.cast(amount)
    threads(stop)
    until(lambda: behind(ledger, 100))
    ledger.cast("too late")
    gate.open()
    assert told(101) == [("entered", amount) for amount in range(100)] + [("ended", "shutdown")]


def test_who_does_not_trap_exits_is_shut_down_before_what_waits(
    start: Start, threads: Callable[..., threading.Thread], until: Any
) -> None:
    class Plain(Ledger):
        trap_exit = False

    gate = Gate()
    supervisor = start([(Plain, self_ref())])
    ledger = children_of(supervisor)[Plain]
    ledger.cast(gate)
    gate.reached()
    ledger.cast("too late")
    thread = threads(supervisor.stop)
    until(lambda: behind(ledger, 1))
    gate.open()
    thread.join(PATIENCE_S)
    self_ref().send(("that", "was all"))
    assert told() == [("that", "was all")]


def test_a_suspended_child_is_shut_down_at_once(start: Start) -> None:
    # Its time to shut down is far longer than the test's patience.
    supervisor = start([child_spec((Ledger, self_ref()), shutdown="infinity")])
    suspend(children_of(supervisor)[Ledger])
    supervisor.stop()
    assert told() == [("ended", "shutdown")]


def test_a_child_that_is_suspended_with_its_end_in_the_mailbox_ends(
    start: Start, threads: Callable[..., threading.Thread], until: Any
) -> None:
    supervisor = start([child_spec((Ledger, self_ref()), shutdown="infinity")])
    ledger, gate = children_of(supervisor)[Ledger], Gate()
    ledger.cast(gate)
    gate.reached()
    thread = threads(supervisor.stop)
    until(lambda: behind(ledger, 0))
    threads(lambda: pytest.raises(CallTimeout, suspend, ledger, 0))  # it is asked for, and nobody waits for it
    until(lambda: ledger._process._signals)
    gate.open()
    thread.join(PATIENCE_S)
    assert told() == [("ended", "shutdown")]


def test_a_suspended_server_stops_when_it_goes_on() -> None:
    ledger = Ledger.start(self_ref())
    suspend(ledger)
    stopped = ledger.stop(block=False)
    ledger.cast("too late")
    assert ledger.is_alive()
    resume(ledger)
    assert stopped.get(timeout=PATIENCE_S) is True
    assert told() == [("ended", "normal")]


# What is answered.


@pytest.mark.parametrize("timeout", [5, 0.9])
def test_the_answer_of_a_stop_comes_though_terminate_raises(timeout: float) -> None:
    class Clumsy(Ends):
        def terminate(self, reason: Any, state: Any) -> None:
            raise ValueError("cannot tidy up")

    server = Clumsy.start()
    watch = monitor(server)
    assert server.call("normal", timeout) == "bye"
    down = receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch)
    assert repr(down.reason) == "ValueError('cannot tidy up')"


def test_a_stop_returns_though_terminate_raises() -> None:
    class Clumsy(Ends):
        def terminate(self, reason: Any, state: Any) -> None:
            raise ValueError("cannot tidy up")

    server = Clumsy.start()
    assert server.stop() is True
    assert server.stop() is False


# What is reported.


@pytest.mark.parametrize("how", ["call", "short call", "cast", "info", "stop"])
def test_a_server_that_ends_of_a_failure_is_reported(how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    server = Ends.start()
    end(server, how, "no disk")
    assert [record.getMessage() for record in caplog.records] == [f"process {server} ended: no disk"]


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "for today")])
@pytest.mark.parametrize("how", ["call", "cast", "info", "stop"])
def test_a_server_that_ends_as_it_should_is_not_reported(
    how: str, reason: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    end(Ends.start(), how, reason)
    assert caplog.records == []


def test_who_is_ended_by_an_exit_signal_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    server = Ends.start()
    watch = monitor(server)
    exit(server, "no disk")
    assert receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch).reason == "no disk"
    assert caplog.records == []


# Children that make it hard.


@pytest.mark.parametrize("trap_exit", [False, True])
def test_a_child_that_has_unlinked_itself_is_ended_all_the_same(start: Start, trap_exit: bool) -> None:
    class Loose(Worker):
        def init(self, to: Any, name: str) -> Any:
            unlink(bonds.bonds_of(self).parent)
            return super().init(to, name)

    Loose.trap_exit = trap_exit
    supervisor = start([worker("a"), child_spec((Loose, self_ref(), "b"), id="b"), worker("c")])
    child = children_of(supervisor)["b"]
    Supervisor.terminate_child(supervisor, "b")
    assert not child.is_alive()
    assert children_of(supervisor)["b"] is None
    supervisor.stop()
    gone = ended("b", "c", "a") if trap_exit else ended("c", "a")
    assert told(3 + len(gone)) == started("a", "b", "c") + gone


def test_a_child_that_is_just_ending_when_its_supervisor_ends_is_not_reported(
    start: Start, threads: Callable[..., threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    supervisor, gate = start([worker("a"), worker("b")]), Gate()
    child = children_of(supervisor)["b"]
    when_ended(child, gate.wait)
    thread = threads(exit, child, "kill")
    gate.reached()  # it has ended, and its supervisor has not been told
    supervisor.stop()
    assert told(3) == started("a", "b") + ended("a")
    assert caplog.records == []
    gate.open()
    thread.join(PATIENCE_S)


@pytest.mark.parametrize("added", [False, True])
def test_the_last_child_that_a_killed_supervisor_has_begun_does_not_stay(start: Start, added: bool) -> None:
    def start_too_late(to: Any) -> Any:
        exit(whereis("dead shop"), "kill")
        return Worker.start(to, "a")

    before = set(bonds.processes)
    child = ChildSpec(id="a", start=start_too_late, args=(self_ref(),))
    if added:
        supervisor = Supervisor.start([], name="dead shop")
        with pytest.raises(ProcessError):
            Supervisor.start_child(supervisor, child)
    else:
        with pytest.raises(StartFailed):
            Supervisor.start([child], name="dead shop")
    assert told() == started("a")
    assert set(bonds.processes) == before


# What comes after a kill.


class Late(Ledger):
    """Waits at a gate in a call, and in its end if it is given one; and then raises."""

    def handle_call(self, message: Any, from_: Any, to: Any) -> Any:
        if message == "stop":
            return Stop("normal", to, reply="bye")
        message.wait()
        raise ValueError("too late to matter")


@pytest.mark.parametrize("where", ["in a callback", "at its end"])
def test_what_a_killed_server_raises_is_not_reported_and_does_not_end_it_again(
    where: str, threads: Callable[..., threading.Thread], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    gate = Gate()

    class AtItsEnd(Late):
        def terminate(self, reason: Any, to: Any) -> None:
            gate.wait()
            raise ValueError("too late to matter")

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call(gate if where == "in a callback" else "stop", timeout=None)
        to.send(("told", raised.value.reason))

    to = self_ref()
    server = (Late if where == "in a callback" else AtItsEnd).start(to)
    watch = monitor(server)
    thread = threads(call)
    gate.reached()
    exit(server, "kill")
    gate.open()
    thread.join(PATIENCE_S)
    down = receive(0, want=lambda message: getattr(message, "monitor", None) is watch)
    assert down.reason == "killed"
    to.send(("that", "was all"))
    assert told(2) == [("told", "killed"), ("that", "was all")]
    assert caplog.records == []


def test_what_somebody_does_at_an_end_keeps_nobody_from_being_told(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise SystemExit(3)

    server = Ends.start()
    called: list[str] = []
    when_ended(server, fail)
    when_ended(server, lambda: called.append("next"))
    end(server, "stop", "shutdown")
    assert called == ["next"]
    assert "its end" in caplog.text


@pytest.mark.parametrize("message", ["stop", "crash"])
@pytest.mark.parametrize("timeout", [None, 0.9 * PATIENCE_S])
def test_who_waits_for_a_server_that_is_killed_at_its_end_is_told_at_once(
    message: str, timeout: float | None, threads: Callable[..., threading.Thread]
) -> None:
    gate = Gate()

    class Stuck(Ends):
        blocking = True  # so that the call is not run by who makes it

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            if message == "crash":
                raise ValueError("crashed by the test")
            return super().handle_call("normal", from_, state)

        def terminate(self, reason: Any, state: Any) -> None:
            gate.wait()

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call(message, timeout)
        to.send(("told", raised.value.reason))

    to, server = self_ref(), Stuck.start()
    threads(call)
    gate.reached()
    exit(server, "kill")
    assert told() == [("told", "killed")]
    gate.open()


def test_a_log_that_raises_does_not_change_what_a_server_ends_of(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the disk is full")

    logger, broken = logging.getLogger("tinybeam.process"), Broken()
    logger.addHandler(broken)
    try:
        end(Ends.start(), "cast", "no disk")
    finally:
        logger.removeHandler(broken)
