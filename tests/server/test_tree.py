"""The tree that a server stands in: what runs beside it, in which order it starts and stops, and what ends it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Router
from tinybeam.config import Config
from tinybeam.errors import ConfigError
from tinybeam.process import (
    Application,
    GenServer,
    NoProcess,
    ReceiveTimeout,
    StartFailed,
    call,
    cast,
    receive,
    self_ref,
    whereis,
)
from tinybeam.server import serve

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Serving

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


class Witness(GenServer):
    """Tells the test when it starts and ends."""

    trap_exit = True

    def init(self, test: Any, name: str) -> Any:
        test.send((name, "started"))
        return test, name

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise ValueError(message)

    def terminate(self, reason: Any, state: Any) -> None:
        test, name = state
        test.send((name, "ended"))


class Named(Witness):
    """One that can be found."""

    @classmethod
    def start_link(cls, test: Any, name: str) -> Any:  # type: ignore[override]
        return super().start_link(test, name, name=name)


def told(count: int) -> list[Any]:
    return [receive(PATIENCE_S) for _ in range(count)]


def app(*children: Any) -> Router:
    router = Router()
    router.get("/")(lambda request: "yay")
    router.get("/ask/{name}")(lambda request, name: str(call(name, "asked")))
    router.children(children)
    return router


def test_children_start_in_order_before_the_server_and_end_after_it_the_other_way_round(
    serving: Serving, connect: Connect
) -> None:
    me = self_ref()
    running = serving(app((Named, me, "first"), _spec(me, "second")))
    assert told(2) == [("first", "started"), ("second", "started")]
    conn = connect(running.url)
    conn.get("/ask/first")
    assert conn.reply().body == b"asked"
    running.stop()
    assert told(2) == [("second", "ended"), ("first", "ended")]
    assert whereis("first") is None


def _spec(me: Any, name: str) -> Any:
    return Named.child_spec(me, name, id=name)


def test_a_drain_finishes_requests_while_the_children_still_answer(serving: Serving, connect: Connect) -> None:
    me = self_ref()
    entered, let_go = threading.Event(), threading.Event()
    router = app((Named, me, "store"))

    @router.get("/slow", blocking=True)
    def slow(request: Any) -> str:
        entered.set()
        let_go.wait(PATIENCE_S)
        return str(call("store", "late"))

    running = serving(router)
    assert told(1) == [("store", "started")]
    conn = connect(running.url)
    conn.get("/slow")
    entered.wait(PATIENCE_S)
    finished: list[bool] = []
    draining = threading.Thread(target=lambda: finished.append(running.drain(60_000)))
    draining.start()
    let_go.set()
    assert conn.reply().body == b"late"
    draining.join()
    assert finished == [True]
    assert told(1) == [("store", "ended")]


def test_a_child_that_crashes_is_started_again_and_no_connection_is_hurt(serving: Serving, connect: Connect) -> None:
    me = self_ref()
    running = serving(app((Named, me, "store")))
    conn = connect(running.url)
    before = running.ref
    cast("store", "crash")
    assert told(3) == [("store", "started"), ("store", "ended"), ("store", "started")]
    conn.get("/ask/store")
    assert conn.reply().body == b"asked"
    assert running.ref is before
    running.stop()
    told(1)


def test_when_the_children_cannot_be_mended_they_and_the_server_are_started_anew_on_the_same_port(
    serving: Serving, connect: Connect
) -> None:
    me = self_ref()
    running = serving(app((Named, me, "store")))
    before = running.ref
    for _ in range(4):
        assert told(1) == [("store", "started")]
        cast("store", "crash")
        assert told(1) == [("store", "ended")]
    assert told(1) == [("store", "started")]
    while running.ref is before:
        pass
    conn = connect(running.url)
    conn.get("/ask/store")
    assert conn.reply().body == b"asked"
    running.stop()
    told(1)


def test_when_nothing_helps_all_ends_and_wait_returns(serving: Serving) -> None:
    me = self_ref()
    running = serving(app((Named, me, "store")))
    waiter = threading.Thread(target=lambda: (running.wait(), me.send("all ended")))
    waiter.start()
    crashes = 0
    while (message := receive(PATIENCE_S)) != "all ended":
        if message == ("store", "started"):
            crashes += 1
            cast("store", "crash")
    waiter.join()
    # Three restarts of the child by its supervisor, and three of both by the root's, each with three of its own.
    assert crashes == 16
    assert not running.ref.is_alive()


def test_a_child_that_cannot_start_keeps_the_server_from_starting(connect: Connect) -> None:
    class Broken(GenServer):
        def init(self) -> Any:
            raise RuntimeError("no database")

    me = self_ref()
    with pytest.raises(StartFailed, match="no database"):
        serve(app((Named, me, "store"), Broken), Config(port=0))
    assert told(2) == [("store", "started"), ("store", "ended")]


def test_a_child_that_is_none_is_told_of_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="must be a class with start_link"):
        serve(app("store"), Config(port=0))


def test_a_server_that_cannot_listen_ends_the_children_and_says_what_the_system_said(serving: Serving) -> None:
    me = self_ref()
    taken = serving(app())
    with pytest.raises(OSError, match="in use"):
        serve(app((Named, me, "store")), Config(port=taken.port))
    assert told(2) == [("store", "started"), ("store", "ended")]


def test_a_process_beside_the_server_may_stop_it(serving: Serving) -> None:
    me = self_ref()

    class Stopper(GenServer):
        def handle_info(self, running: Any, state: Any) -> Any:
            running.stop()
            me.send("returned")
            return state

    stopper = Stopper.start()
    running = serving(app((Named, me, "store")))
    stopper.send(running)
    running.wait()
    assert {receive(PATIENCE_S) for _ in range(3)} == {("store", "started"), "returned", ("store", "ended")}
    with pytest.raises(NoProcess):
        call("store", "still there?")
    stopper.stop()


class Shop(Application):
    """Tells the test what happens to it as a whole."""

    def __init__(self, test: Any) -> None:
        super().__init__(strategy="rest_for_one")
        self.test = test

    def children(self) -> Any:
        return [(Named, self.test, "store"), app()]

    def starting(self) -> None:
        self.test.send("starting")

    def stopped(self) -> None:
        self.test.send("stopped")


def test_an_application_is_served_when_its_last_child_is_a_router(serving: Serving, connect: Connect) -> None:
    running = serving(Shop(self_ref()))
    assert told(2) == ["starting", ("store", "started")]
    conn = connect(running.url)
    conn.get("/ask/store")
    assert conn.reply().body == b"asked"
    running.stop()
    running.wait()
    assert told(2) == [("store", "ended"), "stopped"]


@pytest.mark.parametrize(
    ("children", "words"),
    [
        ([], "None is not an app"),
        ([Witness], "give a Router"),
        ([Router(), Witness], "give a Router"),
        ([Router(), Router()], "must be the last child"),
    ],
)
def test_an_application_that_cannot_be_served_says_why(children: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        serve(Application(children), Config(port=0))


def test_what_the_start_of_an_application_raises_is_raised_before_anything_starts() -> None:
    class Broken(Application):
        def children(self) -> Any:
            return [(Named, self_ref(), "store"), app()]

        def starting(self) -> None:
            raise RuntimeError("no license")

    with pytest.raises(RuntimeError, match="no license"):
        serve(Broken(), Config(port=0))
    with pytest.raises(ReceiveTimeout):
        receive(0)
