"""A running server: waiting for it, what it can be asked, and more than one of it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request
from tinybeam.process import GenServer
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, MakeApp, Served, Serving, WaitingApp

pytestmark = pytest.mark.usefixtures("no_faults")


# Waiting, and what can be asked.


def test_wait_returns_when_it_has_stopped(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    waiting = threading.Event()
    returned: list[bool] = []

    def wait() -> None:
        waiting.set()
        running.wait()
        returned.append(running.ref.is_alive())

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    running.stop()
    thread.join()
    assert returned == [False]
    running.wait()


def test_stats_count_and_stay_readable_after_the_stop(
    serving: Serving, connect: Connect, make_app: MakeApp, served: Served
) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    for _ in range(3):
        assert served(conn) == b"pong"
    assert (running.stats()["requests"], running.stats()["connections_open"]) == (3, 1)
    running.stop()
    assert running.stats()["requests"] == 3


def test_stats_tell_of_processes_as_well(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    before = running.stats()["processes"]
    one = GenServer.start()
    assert running.stats()["processes"] == before + 1
    one.stop()


def test_stats_may_be_read_while_it_stops(serving: Serving, make_app: MakeApp) -> None:
    for _ in range(30):
        running = serving(make_app())
        reading = threading.Event()
        failed: list[BaseException] = []

        def read(
            running: RunningServer = running,
            reading: threading.Event = reading,
            failed: list[BaseException] = failed,
        ) -> None:
            try:
                while running.ref.is_alive():
                    running.stats()
                    reading.set()
                running.stats()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        reading.wait(30)
        running.stop()
        thread.join()
        assert failed == []


# More than one.


def test_two_servers_live_in_one_process(serving: Serving, connect: Connect, make_app: MakeApp, served: Served) -> None:
    one, two = serving(make_app("one")), serving(make_app("two"))
    first, second = connect(one.url), connect(two.url)
    for _ in range(3):
        assert (served(first), served(second)) == (b"one", b"two")
    one.stop()
    assert served(second) == b"two"


def test_one_router_may_be_served_twice(
    serving: Serving, connect: Connect, gate: Gate, waiting_app: WaitingApp, served: Served
) -> None:
    app = waiting_app(gate)
    one, two = serving(app), serving(app)
    first, second = connect(one.url), connect(two.url)
    first.get("/wait")
    gate.reached()
    assert served(second) == b"pong"
    gate.open()
    assert first.reply().body == b"done"


def test_a_handler_may_start_a_server(serving: Serving, connect: Connect, make_app: MakeApp, served: Served) -> None:
    router = make_app("outer")
    started: list[RunningServer] = []

    @router.get("/start")
    def start(request: Request) -> str:
        started.append(serving(make_app("inner")))
        return started[0].url

    outer = serving(router)
    conn = connect(outer.url)
    conn.get("/start")
    inner = connect(conn.reply().body.decode())
    assert (served(inner), served(conn)) == (b"inner", b"outer")
    outer.stop()
    assert served(inner) == b"inner"
