"""Applications: a tree that is started and stopped as a whole."""

from __future__ import annotations

from typing import Any

import pytest

from tinybeam.errors import ConfigError
from tinybeam.process import AlreadyStarted, Application, GenServer, StartFailed, call, cast, receive, self_ref, whereis

PATIENCE_S = 30


class Witness(GenServer):
    trap_exit = True

    def init(self, test: Any, number: int) -> Any:
        test.send(("started", number))
        return test, number

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return state[1], state

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise ValueError(message)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ended", state[1]))


def witnesses(count: int) -> list[Any]:
    me = self_ref()
    return [Witness.child_spec(me, number, name=number) for number in range(count)]


def told(count: int) -> list[Any]:
    return [receive(PATIENCE_S) for _ in range(count)]


def test_its_children_start_in_order_and_end_the_other_way_round() -> None:
    application = Application(witnesses(3))
    application.start()
    assert application.running
    assert told(3) == [("started", number) for number in range(3)]
    assert call(1, "who?") == 1
    application.stop()
    assert told(3) == [("ended", number) for number in (2, 1, 0)]
    assert not application.running
    assert application.wait(PATIENCE_S)


def test_it_can_be_started_again_but_not_twice() -> None:
    application = Application(witnesses(1))
    for _ in range(2):
        root = application.start()
        with pytest.raises(AlreadyStarted) as raised:
            application.start()
        assert raised.value.ref is root
        application.stop()
        assert told(2) == [("started", 0), ("ended", 0)]


def test_a_block_of_with_starts_and_stops_it() -> None:
    with Application(witnesses(1)) as application:
        assert application.running
    assert told(2) == [("started", 0), ("ended", 0)]
    application.stop()


def test_it_ends_when_its_children_cannot_be_mended() -> None:
    me = self_ref()

    class Shop(Application):
        def stopped(self) -> None:
            me.send("stopped")

    application = Shop(witnesses(1), max_restarts=1, max_seconds=60)
    application.start()
    assert told(1) == [("started", 0)]
    cast(0, "crash")
    assert told(2) == [("ended", 0), ("started", 0)]
    cast(0, "crash")
    assert told(2) == [("ended", 0), "stopped"]
    assert application.wait(PATIENCE_S)
    assert not application.running


def test_what_its_hooks_raise_keeps_it_from_starting_or_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Application):
        def starting(self) -> None:
            raise RuntimeError("no license")

    with pytest.raises(RuntimeError):
        Broken(witnesses(1)).start()
    assert whereis(0) is None

    class Untidy(Application):
        def stopped(self) -> None:
            raise RuntimeError("cannot tidy up")

    with Untidy() as application:
        pass
    assert application.wait(PATIENCE_S)
    assert "cannot tidy up" in caplog.text


def test_children_that_are_none_or_cannot_start_are_told_of() -> None:
    with pytest.raises(ConfigError):
        Application(["store"]).start()

    class Broken(GenServer):
        def init(self) -> Any:
            raise RuntimeError("no database")

    application = Application([*witnesses(1), Broken])
    with pytest.raises(StartFailed, match="no database"):
        application.start()
    assert told(2) == [("started", 0), ("ended", 0)]
    assert not application.running
