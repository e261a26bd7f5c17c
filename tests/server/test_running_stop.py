"""How a running server stops."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, MakeApp, Refuses, Served, Serving

pytestmark = pytest.mark.usefixtures("no_faults")


def test_a_stop_closes_connections_and_the_listener(
    serving: Serving, connect: Connect, make_app: MakeApp, served: Served, refuses: Refuses
) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    assert served(conn) == b"pong"
    running.stop()
    assert conn.rest() == b""
    assert refuses(running.url)


def test_a_second_stop_does_nothing(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    running.stop()
    running.stop()


def test_stops_from_many_threads_at_once_are_one_stop(
    serving: Serving, caplog: pytest.LogCaptureFixture, make_app: MakeApp
) -> None:
    for _ in range(20):
        running = serving(make_app())
        start = threading.Barrier(8)

        def stop(running: RunningServer = running, start: threading.Barrier = start) -> None:
            start.wait()
            running.stop()
            assert not running.ref.is_alive()

        threads = [threading.Thread(target=stop) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        running.wait()
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


def test_a_stop_needs_no_runner_though_all_of_them_are_blocked(
    serving: Serving, connect: Connect, gate: Gate, make_app: MakeApp
) -> None:
    router = make_app()

    @router.get("/{n:int}", blocking=False)
    def block(request: Request, n: int) -> str:
        gate.wait()
        return "done"

    running = serving(router, threads=2)
    conns = [connect(running.url) for _ in range(3)]
    for n, conn in enumerate(conns):
        conn.get(f"/{n}")
    gate.reached(3)
    running.stop()
    assert not gate.is_open
    assert not running.ref.is_alive()


def test_a_handler_may_stop_its_own_server(serving: Serving, connect: Connect, make_app: MakeApp) -> None:
    router = make_app()

    @router.get("/stop")
    def stop(request: Request) -> str:
        running.stop()
        return "stopped"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/stop")
    running.wait()
    assert conn.rest() == b""
    assert not running.ref.is_alive()


def test_a_handler_may_drain_its_own_server(serving: Serving, connect: Connect, make_app: MakeApp) -> None:
    """It waits for itself, in vain; so its time runs out."""
    finished: list[bool] = []
    router = make_app()

    @router.get("/drain")
    def drain(request: Request) -> str:
        finished.append(running.drain(50))
        return "never sent"

    running = serving(router)
    connect(running.url).get("/drain")
    running.wait()
    assert finished in ([], [False])


def test_stop_and_answers_race_without_a_word(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture, make_app: MakeApp
) -> None:
    """Requests, takeovers and a stop at the same time: no fault, no error, no hang."""
    for _ in range(30):
        router = make_app()
        router.get("/slow", blocking=False)(lambda request: threading.Event().wait(0.002) or "slow")
        router.get("/pooled", blocking=True)(lambda request: "pooled")
        running = serving(router)
        conns = [connect(running.url) for _ in range(6)]
        for conn in conns:
            conn.send(b"".join(b"GET /%s HTTP/1.1\r\nHost: t\r\n\r\n" % path for path in (b"slow", b"pooled", b"")))
        running.stop()
    assert [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
