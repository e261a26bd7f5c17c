"""What must not bring anybody else down: every kind of exception in every callback, and kills."""

from __future__ import annotations

import dataclasses
import logging
import threading
from typing import Any

import pytest

from tinybeam.process import (
    GenServer,
    NoReply,
    Ok,
    Process,
    ProcessExited,
    ProcessRef,
    StartFailed,
    exit,
    link,
    monitor,
    receive,
    send_after,
)
from tinybeam.process.messages import CAST

PATIENCE_S = 30

KINDS = [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError, BaseException, StopIteration]


class Fragile(GenServer):
    """Raises what it was given, in the callback it was given."""

    def init(self, where: str, error: Any, trap: bool = False) -> Any:
        self.where, self.error, self.trap_exit = where, error, trap
        self._fail("init")
        return Ok(0, then="go on") if where == "handle_continue after init" else 0

    def _fail(self, where: str) -> None:
        if where == self.where:
            raise self.error

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        self._fail("handle_call")
        return NoReply(state, then="x") if self.where == "handle_continue" else (message, state)

    def handle_cast(self, message: Any, state: Any) -> Any:
        self._fail("handle_cast")
        return state

    def handle_info(self, message: Any, state: Any) -> Any:
        self._fail("handle_info")
        return state

    def handle_continue(self, then: Any, state: Any) -> Any:
        raise self.error

    def terminate(self, reason: Any, state: Any) -> None:
        self._fail("terminate")


def still_well(bystander: ProcessRef[Any]) -> None:
    """Another process, and the crew, are as they were."""
    assert bystander.call("x") == "x"
    assert bystander.call("x", 0.9) == "x"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["handle_cast", "handle_info", "handle_continue after init", "terminate"])
def test_an_exception_ends_its_process_and_no_other(kind: type[BaseException], where: str, obedient: Any) -> None:
    bystander, error = obedient.start(), kind("x")
    server = Fragile.start(where, error)
    watch = monitor(server)
    if where == "handle_cast":
        server.cast("")
    elif where == "handle_info":
        server.send("")
    elif where == "terminate":
        server.stop(block=False)
    down = receive(PATIENCE_S)
    assert down.monitor is watch
    assert down.reason is error or down.reason == "noproc"
    still_well(bystander)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timeout", [5.0, 0.9])
@pytest.mark.parametrize("where", ["handle_call", "handle_continue"])
def test_an_exception_in_a_call_is_the_callers_processexited(
    kind: type[BaseException], timeout: float, where: str, obedient: Any
) -> None:
    bystander, error = obedient.start(), kind("x")
    server = Fragile.start(where, error)
    if kind is KeyboardInterrupt and timeout > 1:  # Ctrl+C met the code in the main thread, for which it was meant
        with pytest.raises(KeyboardInterrupt):
            server.call("", timeout)
    else:
        with pytest.raises(ProcessExited) as raised:
            server.call("", timeout)
        assert raised.value.reason is error
    assert not server.is_alive()
    still_well(bystander)


def test_ctrl_c_goes_through_all_processes_that_are_inside_one_another_to_the_main_thread(obedient: Any) -> None:
    error = KeyboardInterrupt("x")
    inner = Fragile.start("handle_call", error)
    outer = obedient.start()
    with pytest.raises(KeyboardInterrupt):
        outer.call(lambda _self, _from, _state: inner.call(""))
    assert not outer.is_alive()
    assert not inner.is_alive()


def test_ctrl_c_in_what_was_sent_before_a_call_goes_to_the_main_thread(obedient: Any) -> None:
    server = obedient.start()

    def interrupt(_self: Any, _state: Any) -> Any:
        raise KeyboardInterrupt

    server._process._box.append((CAST, interrupt, None))  # as a cast, before anybody has run it
    with pytest.raises(KeyboardInterrupt):
        server.call("")
    assert not server.is_alive()


def test_a_keyboard_interrupt_in_another_thread_is_an_exception_like_others(obedient: Any, threads: Any) -> None:
    server, raised = Fragile.start("handle_call", KeyboardInterrupt("x")), []

    def call() -> None:
        try:
            server.call("")
        except BaseException as error:  # noqa: BLE001
            raised.append(type(error))

    threads(call).join(PATIENCE_S)
    assert raised == [ProcessExited]


def test_a_class_with_an_equality_of_its_own_and_no_hash_starts() -> None:
    @dataclasses.dataclass
    class Same(GenServer):
        number: int = 0

        def init(self) -> int:
            return self.number

    one, other = Same.start(), Same.start()
    watch = monitor(one)
    one.stop()
    assert receive(PATIENCE_S).monitor is watch
    assert other.is_alive()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not KeyboardInterrupt])
def test_an_exception_in_init_fails_the_start(kind: type[BaseException], obedient: Any) -> None:
    bystander, error = obedient.start(), kind("x")
    with pytest.raises(StartFailed) as raised:
        Fragile.start("init", error)
    assert raised.value.reason is error
    still_well(bystander)


def test_a_keyboard_interrupt_in_an_init_of_the_main_thread_is_the_users() -> None:
    with pytest.raises(KeyboardInterrupt):
        Fragile.start("init", KeyboardInterrupt())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hook", ["on_receive", "on_stop", "on_failure"])
def test_an_exception_in_a_hook_of_pykkas_ends_its_process_and_no_other(
    kind: type[BaseException], hook: str, obedient: Any
) -> None:
    class Hooked(Process):
        def on_receive(self, message: Any) -> Any:
            if hook != "on_stop":
                raise error if hook == "on_receive" else ValueError

        def on_stop(self) -> None:
            raise error

        def on_failure(self, *_args: Any) -> None:
            if hook == "on_failure":
                raise error

    bystander, error = obedient.start(), kind("x")
    server, watch = Hooked.start_monitor()
    server.stop(block=False) if hook == "on_stop" else server.tell("")
    down = receive(PATIENCE_S)
    assert (down.monitor, down.reason) == (watch, error)
    still_well(bystander)


def test_runaway_recursion_ends_its_process_and_no_other(obedient: Any) -> None:
    def dive(*args: Any) -> Any:
        return dive(*args)

    for timeout in (5.0, 0.9):
        with pytest.raises(ProcessExited) as raised:
            obedient.start().call(dive, timeout)
        assert isinstance(raised.value.reason, RecursionError)
    still_well(obedient.start())


def test_a_reason_or_a_message_without_a_repr_is_reported(caplog: pytest.LogCaptureFixture, obedient: Any) -> None:
    class OddError(Exception):
        def __repr__(self) -> str:
            raise SystemExit

        __str__ = __repr__

    def crash(_self: Any, _from: Any, _state: Any) -> Any:
        raise OddError

    with pytest.raises(ProcessExited):
        obedient.start().call(crash)
    still_well(obedient.start())


def test_a_logger_that_raises_or_talks_to_processes_brings_nobody_down(
    obedient: Any, me: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = obedient.start()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sink.cast(lambda _self, state: me.send("logged"))
            raise SystemExit

    logger, handler = logging.getLogger("tinybeam.process"), Handler()
    logger.addHandler(handler)
    try:
        server, watch = obedient.start_monitor()
        server.cast(lambda _self, _state: 1 // 0)
        assert {type(receive(PATIENCE_S)).__name__ for _ in range(2)} == {"Down", "str"}
    finally:
        logger.removeHandler(handler)
    still_well(obedient.start())


def test_a_kill_while_a_callback_waits_for_a_lock(me: Any) -> None:
    lock = threading.Lock()

    class Locked(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            me.send("waits")
            with lock:
                me.send("has the lock")
            return state

        def terminate(self, reason: Any, state: Any) -> None:
            me.send("terminate")

    with lock:
        server, watch = Locked.start_monitor()
        server.cast("")
        assert receive(PATIENCE_S) == "waits"
        server.cast("never handled")
        exit(server, "kill")
        down = receive(PATIENCE_S)
        assert (down.monitor, down.reason) == (watch, "killed")
        assert not server.is_alive()
    assert receive(PATIENCE_S) == "has the lock"


def test_links_and_monitors_of_a_killed_process_are_gone_while_its_thread_goes_on(gate: Any, me: Any) -> None:
    class Held(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            link(message)
            monitor(message)
            send_after(self.actor_ref, "x", 0)
            self.actor_ref.cast("y")
            return state

    other = GenServer.start()
    server = Held.start()
    server.cast(other)
    gate.reached()
    exit(server, "kill")
    gate.open()
    me.send("x")
    assert receive(PATIENCE_S) == "x"
    other.stop()
