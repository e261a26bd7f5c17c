"""Streams that last: events, signs of life, drains, and the processes that streams are."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import PLAINLY
from tests.server.streaming import PATIENCE_S, app_of, read_until
from tinybeam import Event, Response
from tinybeam.process import GenServer, Wait, exit, self_ref, send

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Gates, Serving

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_a_client_that_leaves_while_the_source_waits_is_noticed_by_the_sign_of_life(
    serving: Serving, connect: Connect, gates: Gates
) -> None:
    gate = gates()
    gate.open()

    def quiet() -> Iterator[Any]:
        try:
            yield "hello"
            yield Wait()
        finally:
            gate.wait()

    running = serving(app_of(lambda _request: Response.events(quiet(), heartbeat_s=0.0)))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"data: hello")
    conn.close()
    gate.reached()


def test_a_stream_waits_for_messages_without_a_thread(serving: Serving) -> None:
    def listen() -> Iterator[Any]:
        yield "ready\n"
        while (message := (yield Wait())) != "end":
            yield f"{message}\n"

    running = serving(app_of(lambda _request: listen()))
    with httpx.stream("GET", running.url, **PLAINLY) as reply:
        lines = reply.iter_lines()
        assert next(lines) == "ready"
        [row] = running.requests()
        for word in ("one", "two"):
            row.ref.send(word)
            assert next(lines) == word
        row.ref.send("end")
        assert list(lines) == []
    assert running.requests() == []


def test_a_stream_can_be_killed(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda _request: iter(["begun", Wait()])))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"begun")
    [row] = running.requests()
    assert (row.method, row.path) == ("GET", "/")
    exit(row.ref, "kill")
    assert b"\r\n0\r\n" not in conn.rest()


def test_a_stream_is_a_process_that_others_can_know(serving: Serving) -> None:
    class Board(GenServer):
        """Sends what it is cast to all who have signed on."""

        def handle_call(self, message: Any, from_: Any, members: Any) -> Any:
            return "signed on", [*members, message]

        def handle_cast(self, message: Any, members: Any) -> Any:
            for member in members:
                send(member, message)
            return members

    board = Board.start([])

    def listen() -> Iterator[Any]:
        yield Event(board.call(self_ref()))
        for _ in range(2):
            yield Event((yield Wait()))

    running = serving(app_of(lambda _request: Response.events(listen())))
    with httpx.stream("GET", running.url, **PLAINLY) as reply:
        lines = (line for line in reply.iter_lines() if line.startswith("data:"))
        assert next(lines) == "data: signed on"
        board.cast({"n": 1})
        board.cast({"n": 2})
        assert [json.loads(line[5:]) for line in lines] == [{"n": 1}, {"n": 2}]
    board.stop()


def test_events_have_the_fields_that_browsers_expect(serving: Serving) -> None:
    running = serving(app_of(lambda _request: Response.events(iter([Event("a\nb", event="news", id="7")]))))
    reply = httpx.get(running.url, **PLAINLY)
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["cache-control"] == "no-store"
    assert reply.text == "event: news\nid: 7\ndata: a\ndata: b\n\n"


def test_a_quiet_stream_of_events_gives_signs_of_life(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda _request: Response.events(iter([Wait()]), heartbeat_s=0.0)))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"3\r\n:\n\n\r\n")
    read_until(conn, b"3\r\n:\n\n\r\n")


def test_a_drain_ends_events_and_lets_other_streams_finish(serving: Serving, connect: Connect, gates: Gates) -> None:
    gate = gates()

    def slow() -> Iterator[str]:
        gate.wait()
        yield "to the end"

    router = app_of(lambda _request: slow())

    @router.get("/events")
    def events(request: Any) -> Response:
        return Response.events(iter(["first", Wait()]))

    running = serving(router)
    listening, loading = connect(running.url), connect(running.url)
    listening.get("/events")
    read_until(listening, b"data: first\n\n")
    loading.get("/")
    gate.reached()
    drained = []
    thread = threading.Thread(target=lambda: drained.append(running.drain(PATIENCE_S * 1000)))
    thread.start()
    assert listening.rest().endswith(b"0\r\n\r\n")
    gate.open()
    assert loading.rest().endswith(b"to the end\r\n0\r\n\r\n")
    thread.join(PATIENCE_S)
    assert drained == [True]


def test_a_stop_ends_streams_at_once(serving: Serving, connect: Connect, gates: Gates) -> None:
    gate = gates()
    gate.open()

    def endless() -> Iterator[Any]:
        try:
            yield "begun"
            yield Wait()
        finally:
            gate.wait()

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"begun")
    running.stop()
    gate.reached()
    assert b"\r\n0\r\n" not in conn.rest()
