"""Calls to processes that have ended, crash or are killed: what the callers are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.process.callers import Caller
from tinybeam.process import GenServer, NoProcess, ProcessExited, exit, monitor, receive, self_ref

PATIENCE_S = 30


def test_a_call_to_who_has_ended_raises_noprocess() -> None:
    server = Caller.start()
    server.stop()
    for timeout in (None, 5.0, 0.1):
        with pytest.raises(NoProcess) as raised:
            server.call("x", timeout)
        assert raised.value.reason == "noproc"


@pytest.mark.parametrize("timeout", [None, 0.9])
def test_a_crash_during_a_call(timeout: float | None) -> None:
    server, watch = Caller.start_monitor()
    error = ValueError("x")
    with pytest.raises(ProcessExited) as raised:
        server.call(("crash", error), timeout)
    assert raised.value.reason is error
    assert raised.value.__cause__ is error
    assert not isinstance(raised.value, NoProcess)
    assert receive(PATIENCE_S).reason is error


def test_a_process_that_ends_before_it_replies_tells_the_caller(threads: Any, me: Any) -> None:
    server = Caller.start()

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call(("never, from", me), None)
        me.send(raised.value.reason)

    threads(call)
    receive(PATIENCE_S)  # its from_: it waits by now, or is about to
    server.stop("enough")
    assert receive(PATIENCE_S) == "enough"


def test_a_process_that_crashes_before_it_replies_tells_all_callers(threads: Any, me: Any) -> None:
    server = Caller.start()

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call(("never, from", me), None)
        me.send(raised.value)

    for _ in range(5):
        threads(call)
    for _ in range(5):
        receive(PATIENCE_S)
    error = ValueError("x")
    server.cast(error)
    for _ in range(5):
        raised = receive(PATIENCE_S)
        assert raised.reason is error
        assert raised.__cause__ is error


def test_a_kill_tells_the_caller_though_the_callback_goes_on(gate: Any, threads: Any, me: Any) -> None:
    server = Caller.start()

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call(("held", gate), 60.0)
        me.send(raised.value.reason)

    server._process._elsewhere = -1  # not in the caller's thread
    threads(call)
    gate.reached()
    exit(server, "kill")
    assert receive(PATIENCE_S) == "killed"


@pytest.mark.parametrize("ask", ["ask", "future", "stop", "stop later"])
def test_a_kill_tells_who_asked_as_pykka_does(gate: Any, threads: Any, me: Any, ask: str) -> None:
    class Held(Caller):
        blocking = True

        def terminate(self, reason: Any, state: Any) -> None:
            gate.wait()

    server = Held.start()

    def call() -> None:
        try:
            if ask == "ask":
                server.ask(("held", gate))
            elif ask == "future":
                server.ask(("held", gate), block=False).get()
            elif ask == "stop":
                me.send(server.stop())
            else:
                me.send(server.stop(block=False).get())
        except ProcessExited as error:
            me.send(error.reason)

    threads(call)
    gate.reached()
    exit(server, "kill")
    assert receive(PATIENCE_S) == (True if "stop" in ask else "killed")


def test_calls_that_wait_when_the_process_ends_are_told(gate: Any, threads: Any, me: Any, until: Any) -> None:
    server = Caller.start()
    server._process._elsewhere = -1
    threads(lambda: pytest.raises(ProcessExited, server.call, ("held", gate), 60.0))
    gate.reached()

    def call() -> None:
        with pytest.raises(ProcessExited) as raised:
            server.call("waits", 60.0)
        me.send(raised.value.reason)

    for _ in range(20):
        threads(call)
    until(lambda: len(server._process._box) == 20)
    exit(server, "kill")
    assert [receive(PATIENCE_S) for _ in range(20)] == ["killed"] * 20


def test_whoever_monitors_knows_before_the_caller_does_not(obedient: Any) -> None:
    server = obedient.start()
    watch = monitor(server)

    def crash(_self: Any, _from: Any, _state: Any) -> Any:
        raise ValueError

    with pytest.raises(ProcessExited):
        server.call(crash)
    assert receive(0).monitor is watch


def test_what_a_process_comes_to_that_was_killed_meanwhile_is_dropped() -> None:
    class Suicidal(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            exit(self_ref(), "kill")
            return "an answer", state

    victim = Suicidal.start()
    with pytest.raises(ProcessExited) as raised:
        victim.call("anything")
    assert raised.value.reason == "killed"
