"""Answers that come in parts, as clients see them: framing, backpressure, and how they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import PLAINLY
from tests.server.streaming import app_of, chunks, come_to_rest, read_until
from tinybeam import ClientDisconnected, Response, Router
from tinybeam.process import Wait
from tinybeam.server.stream import WINDOW_BYTES

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("nothing_left")


def test_parts_are_sent_in_chunks_and_the_connection_goes_on(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda _request: iter(["one ", b"two ", "", bytearray(b"three"), "ö"])))
    conn = connect(running.url)
    for _ in range(3):
        conn.get("/")
        head, _, body = read_until(conn, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")
        assert b"\r\nTransfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        *parts, last = chunks(body)
        assert (b"".join(parts), last) == ("one two threeö".encode(), b"")
        assert b"" not in parts
    assert running.stats()["streams"] == 0


def test_parts_with_a_pause_between_them_are_chunks_of_their_own(serving: Serving, connect: Connect) -> None:
    conn = connect(serving(app_of(lambda _request: iter(["one", "two", Wait(0.0), "three", Wait(0.0)]))).url)
    conn.get("/")
    body = read_until(conn, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")[2]
    assert chunks(body) == [b"onetwo", b"three", b""]


def test_a_generator_is_a_result_as_others_are(serving: Serving) -> None:
    router = Router()

    @router.get("/")
    def lines(request: Any) -> Iterator[str]:
        yield "one\n"
        yield "two\n"

    running = serving(router)
    assert httpx.get(running.url, **PLAINLY).text == "one\ntwo\n"


def test_a_part_is_sent_before_the_next_one_is_made(serving: Serving, connect: Connect, gates: Gates) -> None:
    gate = gates()

    def slow() -> Iterator[str]:
        yield "first"
        gate.wait()
        yield "second"

    conn = connect(serving(app_of(lambda _request: slow())).url)
    conn.get("/")
    assert b"first" in read_until(conn, b"first\r\n")
    gate.open()
    assert chunks(read_until(conn, b"\r\n0\r\n\r\n")) == [b"second", b""]


def test_a_part_is_sent_at_once_by_a_source_that_goes_on_where_it_was_left_behind(
    serving: Serving, connect: Connect, gates: Gates
) -> None:
    first, second = gates(), gates()

    def slow() -> Iterator[str]:
        yield "one"
        first.wait()
        yield "two"
        second.wait()
        yield "three"

    conn = connect(serving(app_of(lambda _request: slow())).url)
    conn.get("/")
    read_until(conn, b"one\r\n")  # when another thread has gone on without it
    first.open()
    read_until(conn, b"two\r\n")
    second.open()
    assert chunks(read_until(conn, b"\r\n0\r\n\r\n")) == [b"three", b""]


def test_a_source_that_blocks_holds_up_nobody(serving: Serving, connect: Connect, gates: Gates) -> None:
    gate = gates()

    def slow() -> Iterator[str]:
        gate.wait()
        yield "done"

    router = app_of(lambda _request: slow())

    @router.get("/ping")
    def ping(request: Any) -> str:
        return "pong"

    running = serving(router)
    blocked = [connect(running.url) for _ in range(8)]
    for conn in blocked:
        conn.get("/")
    gate.reached(8)
    assert httpx.get(running.url + "/ping", **PLAINLY).text == "pong"
    gate.open()
    for conn in blocked:
        assert b"done" in read_until(conn, b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_has_a_length_says_so(serving: Serving, connect: Connect, version: str) -> None:
    running = serving(app_of(lambda _request: Response.stream(iter(["he", "llo"]), length=5)))
    conn = connect(running.url)
    conn.send(f"GET / HTTP/{version}\r\nHost: t\r\nConnection: keep-alive\r\n\r\n".encode())
    reply = conn.reply()
    assert (reply.body, reply.headers["content-length"]) == (b"hello", "5")
    assert "transfer-encoding" not in reply.headers
    conn.get("/quick")
    assert conn.reply().body == b"quick"


def test_a_client_of_http_1_0_is_told_the_end_by_the_close(serving: Serving, connect: Connect) -> None:
    conn = connect(serving(app_of(lambda _request: iter(["one ", "two"]))).url)
    conn.send(b"GET / HTTP/1.0\r\n\r\n")
    head, _, body = conn.rest().partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert b"chunked" not in head
    assert body == b"one two"


def test_to_head_the_source_is_closed_unused(serving: Serving, connect: Connect, gates: Gates) -> None:
    used = []

    class Source:
        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            used.append(1)
            return "x"

    running = serving(app_of(lambda _request: Source()))
    conn = connect(running.url)
    conn.get("/", method="HEAD")
    assert "transfer-encoding" in conn.reply("HEAD").headers
    conn.get("/quick")
    assert conn.reply().body == b"quick"
    assert used == []
    assert running.requests() == []


@pytest.mark.parametrize("length", [None, 100])
def test_a_source_that_raises_cuts_the_connection_and_is_reported(
    serving: Serving, connect: Connect, length: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    def failing() -> Iterator[str]:
        yield "half of"
        raise ValueError("broken in the middle")

    running = serving(app_of(lambda _request: Response.stream(failing(), length=length)))
    conn = connect(running.url)
    conn.get("/")
    octets = conn.rest()
    assert b"half of" in octets
    assert b"\r\n0\r\n" not in octets
    assert "broken in the middle" in caplog.text
    assert "GET / in GET /" in caplog.text
    assert httpx.get(running.url + "/quick", **PLAINLY).text == "quick"


def test_a_source_that_raises_resets_a_client_that_takes_the_close_for_the_end(
    serving: Serving, connect: Connect
) -> None:
    def failing() -> Iterator[str]:
        yield "half of"
        yield Wait(0.05)  # type: ignore[misc]
        raise ValueError("broken in the middle")

    conn = connect(serving(app_of(lambda _request: failing())).url)
    conn.send(b"GET / HTTP/1.0\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        conn.rest()


@pytest.mark.parametrize("parts", [["four"], ["four", "more"], []])
def test_a_body_that_is_not_as_long_as_announced_ends_the_connection(
    serving: Serving, connect: Connect, parts: list[str]
) -> None:
    conn = connect(serving(app_of(lambda _request: Response.stream(iter(parts), length=5))).url)
    conn.get("/")
    body = conn.rest().partition(b"\r\n\r\n")[2]
    assert body in (b"", b"four")


@pytest.mark.parametrize("wrong", [7, None, {"a": 1}, ["x"]])
def test_what_is_no_part_is_a_crash(
    serving: Serving, connect: Connect, wrong: Any, caplog: pytest.LogCaptureFixture
) -> None:
    conn = connect(serving(app_of(lambda _request: iter([wrong]))).url)
    conn.get("/")
    conn.rest()
    assert "a part of a streamed body is str or bytes" in caplog.text


def test_a_client_that_leaves_stops_the_work(serving: Serving, connect: Connect, gates: Gates) -> None:
    left, gate = [], gates()

    def endless() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        except ClientDisconnected as error:
            left.append(error)
            raise
        finally:
            gate.wait()

    gate.open()
    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")
    conn.close()
    gate.reached()
    assert len(left) == 1
    assert running.stats()["streams"] == 0


def test_a_client_that_does_not_read_costs_a_window_and_no_thread(
    serving: Serving, connect: Connect, until: Until
) -> None:
    made = []

    def endless() -> Iterator[bytes]:
        while True:
            made.append(1)
            yield b"x" * 10_000

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")
    produced = come_to_rest(made, until)
    threads = threading.active_count()
    while len(made) == produced:  # it goes on when the client does
        assert conn.sock.recv(65536)
    assert threading.active_count() <= threads + 1
    conn.close()


def test_the_log_has_a_line_when_a_stream_is_over(serving: Serving, connect: Connect, caplog: Any) -> None:
    with caplog.at_level(logging.INFO, "tinybeam.access"):
        running = serving(app_of(lambda _request: iter(["x" * 1000] * 3)), access_log=True)
        conn = connect(running.url)
        conn.get("/")
        read_until(conn, b"\r\n0\r\n\r\n")
        conn.get("/quick")
        conn.reply()
        running.stop()
    [line] = [record.getMessage() for record in caplog.records if record.name == "tinybeam.access"]
    assert '"GET /" 200 3000 ' in line


def test_the_deadline_is_that_of_the_beginning_alone(serving: Serving, connect: Connect, until: Until) -> None:
    running = serving(app_of(lambda _request: iter(["begun", Wait(0.3), "ended"])), request_timeout_ms=50)
    conn = connect(running.url)
    conn.get("/")
    assert b"ended" in read_until(conn, b"\r\n0\r\n\r\n")
    assert running.stats()["requests_overdue"] == 0


def test_pipelined_streams_come_in_the_order_of_their_requests(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda request: iter([request.query["n"] * 3, " ", "end"])))
    conn = connect(running.url)
    conn.send(b"".join(f"GET /?n={n} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for n in range(10)))
    octets = b""
    while octets.count(b"\r\n0\r\n\r\n") < 10:
        octets += conn.sock.recv(65536)
    assert [octets.index(f"{n}{n}{n}".encode()) for n in range(10)] == sorted(
        octets.index(f"{n}{n}{n}".encode()) for n in range(10)
    )


def test_many_streams_at_once_are_all_whole(serving: Serving, connect: Connect) -> None:
    parts = [bytes([65 + number % 26]) * 1000 for number in range(200)]
    running = serving(app_of(lambda _request: iter(parts)))
    conns = [connect(running.url) for _ in range(50)]
    for conn in conns:
        conn.get("/")
    for conn in conns:
        body = read_until(conn, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")[2]
        assert b"".join(chunks(body)) == b"".join(parts)


def test_a_large_part_goes_through_in_one_piece(serving: Serving) -> None:
    large = bytes(range(256)) * 40_000
    running = serving(app_of(lambda _request: iter([large, large])))
    assert httpx.get(running.url, **PLAINLY).content == large * 2
    assert len(large) > WINDOW_BYTES


def test_the_local_client_gets_the_whole(local_client_of: Any) -> None:
    client = local_client_of(app_of(lambda _request: iter(["one ", Wait(0.0), "two"])))
    assert client.get("/").text == "one two"
    client = local_client_of(app_of(lambda _request: iter([Wait()])))
    assert client.get("/").status == 500
