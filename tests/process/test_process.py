"""Process: pykka's hooks, the beginning, and the end."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from pykka.messages import _ActorStop

from tinybeam.process import Down, GenServer, Process, ProcessExited, StartFailed, bonds, exit, monitor, receive
from tinybeam.process.here import local

PATIENCE_S = 30


class Hooked(Process):
    """Tells the test which of its hooks is called."""

    def __init__(self, to: Any, fails_in: str = "") -> None:
        self.to = to
        self.fails_in = fails_in
        self._say("__init__")

    def _say(self, *what: Any) -> None:
        self.to.send(what if len(what) > 1 else what[0])
        if what[0] == self.fails_in:
            raise ValueError(what[0])

    def on_start(self) -> None:
        self._say("on_start")

    def on_receive(self, message: Any) -> Any:
        self._say("on_receive", message)
        if isinstance(message, BaseException):
            raise message
        return message

    def on_stop(self) -> None:
        self._say("on_stop")

    def on_failure(self, exception_type: Any, exception_value: Any, traceback: Any) -> None:
        self._say("on_failure", exception_type, exception_value, traceback is not None)


def told(count: int) -> list[Any]:
    return [receive(PATIENCE_S) for _ in range(count)]


def test_the_life_of_a_process(me: Any) -> None:
    one = Hooked.start(me)
    assert told(2) == ["__init__", "on_start"]
    assert one.ask("x") == "x"
    assert one.call("y") == "y"
    one.tell("z")
    assert one.stop()
    assert told(4) == [("on_receive", "x"), ("on_receive", "y"), ("on_receive", "z"), "on_stop"]


@pytest.mark.parametrize("hook", ["__init__", "on_start"])
def test_a_beginning_that_raises_fails_the_start(me: Any, hook: str) -> None:
    with pytest.raises(StartFailed) as raised:
        Hooked.start(me, hook)
    assert repr(raised.value.reason) == f"ValueError('{hook}')"
    assert raised.value.__cause__ is raised.value.reason
    assert told(1 if hook == "__init__" else 2)[-1] == hook
    me.send("no other hook")
    assert told(1) == ["no other hook"]


def test_a_crash_calls_on_failure_and_not_on_stop(me: Any) -> None:
    one = Hooked.start(me)
    watch = monitor(one)
    error = ValueError("x")
    one.tell(error)
    assert told(4)[2:] == [("on_receive", error), ("on_failure", ValueError, error, True)]
    assert receive(PATIENCE_S) == Down(watch, one, error)


def test_a_crash_that_was_asked_for_goes_to_the_asker_and_ends_the_process(me: Any) -> None:
    one = Hooked.start(me)
    with pytest.raises(ValueError, match="x"):
        one.ask(ValueError("x"))
    assert not one.is_alive()


def test_a_hook_of_the_end_that_raises_ends_the_process_with_that(me: Any) -> None:
    one = Hooked.start(me, "on_stop")
    watch = monitor(one)
    assert one.stop() is True
    down = receive(PATIENCE_S, want=lambda message: type(message) is Down)
    assert (down.monitor, repr(down.reason)) == (watch, "ValueError('on_stop')")
    two = Hooked.start(me, "on_failure")
    watch = monitor(two)
    two.tell(KeyError())
    down = receive(PATIENCE_S, want=lambda message: type(message) is Down)
    assert (down.monitor, repr(down.reason)) == (watch, "ValueError('on_failure')")


def test_a_process_asks_itself_to_stop(me: Any) -> None:
    class Stopping(Hooked):
        def on_receive(self, message: Any) -> Any:
            self.actor_ref.tell("after")
            if message == "stop":
                self.stop()
                self.stop()
            return super().on_receive(message)

    one = Stopping.start(me)
    watch = monitor(one)
    one.tell("stop")
    assert told(6)[2:] == [("on_receive", "stop"), ("on_receive", "after"), "on_stop", Down(watch, one, "normal")]


def test_a_process_may_stop_itself_before_it_has_begun(me: Any) -> None:
    class Early(Hooked):
        def on_start(self) -> None:
            super().on_start()
            self.stop()

    watch = Early.start_monitor(me)[1]
    assert told(3) == ["__init__", "on_start", "on_stop"]
    assert receive(PATIENCE_S).monitor is watch


def test_messages_that_come_while_it_begins_wait(me: Any) -> None:
    class Impatient(Hooked):
        def on_start(self) -> None:
            self.actor_ref.tell("x")
            super().on_start()

    Impatient.start(me)
    assert told(3) == ["__init__", "on_start", ("on_receive", "x")]


def test_its_own_code_knows_which_process_it_is(me: Any) -> None:
    seen: list[Any] = []

    class Knowing(Process):
        def on_start(self) -> None:
            seen.append(local.here.process)

        def on_receive(self, message: Any) -> Any:
            seen.append(local.here.process)

        def on_stop(self) -> None:
            seen.append(local.here.process)

    ref = Knowing.start()
    process = ref._process
    ref.ask("x")
    ref.call("x", 0.9)
    ref.stop()
    assert seen == [process] * 4
    assert local.here.process is me._process
    assert local.here.depth == 0


def test_a_hundred_thousand_are_started_and_stopped_and_nothing_is_left(me: Any) -> None:
    gc.collect()
    before = len(bonds.processes)
    some: list[Any] = []
    for _ in range(10):
        refs = [GenServer.start(1) for _ in range(10_000)]
        assert len(bonds.processes) == before + 10_000
        for ref in refs:
            ref.stop()
        some.append(refs[0])
    assert len(bonds.processes) == before
    assert not any(ref.is_alive() for ref in some)
    gc.collect()
    assert sum(isinstance(one, GenServer) for one in gc.get_objects()) == 0


def test_a_process_that_nobody_refers_to_is_alive(me: Any, obedient: Any) -> None:
    obedient.start(lambda self: self.actor_ref.cast(lambda _self, _state: me.send("alive")))
    gc.collect()
    assert receive(PATIENCE_S) == "alive"


def test_pykkas_own_stop_message_ends_it(me: Any) -> None:
    one = Hooked.start(me)
    watch = monitor(one)
    one.tell(_ActorStop())
    assert told(3) == ["__init__", "on_start", "on_stop"]
    assert receive(PATIENCE_S).monitor is watch
    assert not one.is_alive()


@pytest.mark.parametrize("kind", ["cast", "call", "begin", "end"])
def test_what_a_killed_process_comes_to_is_dropped(me: Any, gate: Any, threads: Any, kind: str) -> None:
    class Held(GenServer):
        blocking = True

        def init(self) -> Any:
            if kind == "begin":
                me.send(self.actor_ref)
                gate.wait()
            return 0

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            gate.wait()
            return message, state

        def handle_cast(self, message: Any, state: Any) -> Any:
            gate.wait()
            raise ValueError("of a dead process, which nobody is told")

        def terminate(self, reason: Any, state: Any) -> None:
            if kind == "end":
                gate.wait()

    def run() -> None:
        try:
            server = Held.start()
            me.send(server)
            if kind == "cast":
                server.cast("x")
            elif kind == "call":
                server.call("x", None)
            else:
                server.stop("in order")
        except (StartFailed, ProcessExited) as error:
            me.send(error.reason)

    threads(run)
    server = receive(PATIENCE_S)
    watch = monitor(server)
    gate.reached()
    exit(server, "kill")
    assert not server.is_alive()
    downs = receive(PATIENCE_S, want=lambda message: type(message) is Down)
    assert (downs.monitor, downs.reason) == (watch, "killed")
    gate.open()
    if kind in ("call", "begin"):
        assert receive(PATIENCE_S) == "killed"
