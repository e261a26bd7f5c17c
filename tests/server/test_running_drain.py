"""How a running server drains."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, MakeApp, Refuses, Served, Serving, Until, WaitingApp

pytestmark = pytest.mark.usefixtures("no_faults")


class Drain:
    """A drain in a thread of its own."""

    def __init__(self, running: RunningServer, timeout_ms: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(running, timeout_ms))
        self._thread.start()

    def _run(self, running: RunningServer, timeout_ms: int) -> None:
        self.finished = running.drain(timeout_ms)

    def result(self) -> bool:
        self._thread.join()
        return self.finished


def test_a_drain_with_nothing_open_is_done_at_once(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    assert running.drain(10_000)
    assert not running.ref.is_alive()


def test_a_drain_finishes_open_requests_and_refuses_new_connections(
    serving: Serving, connect: Connect, gate: Gate, until: Until, waiting_app: WaitingApp, refuses: Refuses
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.get("/wait")
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    reply = conn.reply()
    assert (reply.body, reply.headers["connection"]) == (b"done", "close")
    assert conn.rest() == b""
    assert drain.result()


def test_a_drain_finishes_every_request_of_a_pipeline(
    serving: Serving, connect: Connect, gate: Gate, until: Until, waiting_app: WaitingApp, refuses: Refuses
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.send(b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n" + b"GET / HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    assert [conn.reply().body for _ in range(4)] == [b"done", b"pong", b"pong", b"pong"]
    assert conn.rest() == b""
    assert drain.result()


def test_a_drain_finishes_what_runs_in_the_pool(
    serving: Serving, connect: Connect, gate: Gate, until: Until, make_app: MakeApp, refuses: Refuses
) -> None:
    router = make_app()

    @router.get("/pooled", blocking=True)
    def pooled(request: Request) -> str:
        gate.wait()
        return "done"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/pooled")
    gate.reached()
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    gate.open()
    assert conn.reply().body == b"done"
    assert drain.result()


def test_a_drain_closes_idle_connections(serving: Serving, connect: Connect, make_app: MakeApp, served: Served) -> None:
    running = serving(make_app())
    fresh, used = connect(running.url), connect(running.url)
    assert served(used) == b"pong"
    drain = Drain(running, 30_000)
    assert (fresh.rest(), used.rest()) == (b"", b"")
    assert drain.result()


def test_a_drain_waits_for_a_body_that_is_on_its_way(
    serving: Serving, connect: Connect, until: Until, make_app: MakeApp, refuses: Refuses
) -> None:
    router = make_app()
    router.post("/")(lambda request: request.body)
    running = serving(router)
    conn = connect(running.url)
    conn.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    assert conn.reply().status == 100
    drain = Drain(running, 30_000)
    until(lambda: refuses(running.url))
    conn.send(b"body")
    assert conn.reply().body == b"body"
    assert drain.result()


def test_a_drain_that_takes_too_long_cuts_what_is_open_and_says_so(
    serving: Serving, connect: Connect, gate: Gate, waiting_app: WaitingApp
) -> None:
    running = serving(waiting_app(gate))
    conn = connect(running.url)
    conn.get("/wait")
    gate.reached()
    assert running.drain(1) is False
    assert not running.ref.is_alive()
    assert conn.rest() == b""


def test_a_drain_after_a_stop_returns_at_once(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    running.stop()
    assert running.drain(10_000) is False


def test_a_second_drain_says_what_the_first_one_did(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    assert running.drain(10_000)
    assert running.drain(10_000)


def test_a_stop_ends_a_drain(
    serving: Serving, connect: Connect, gate: Gate, until: Until, waiting_app: WaitingApp, refuses: Refuses
) -> None:
    running = serving(waiting_app(gate))
    connect(running.url).get("/wait")
    gate.reached()
    drain = Drain(running, 86_400_000)
    until(lambda: refuses(running.url))
    running.stop()
    assert drain.result() is False
