"""Answers that come in parts, as clients see them: framing, backpressure, ends, and what becomes of who makes them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tinybeam import ClientDisconnected, Event, Response, Router
from tinybeam.process import GenServer, Wait, exit, receive, receive_async, self_ref, send
from tinybeam.server.streams import WINDOW_BYTES

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Gates, Serving, Until

PATIENCE_S = 30


def app_of(make: Callable[[Any], Any], **options: Any) -> Router:
    """An app with one route, which streams what `make(request)` gives."""
    router = Router()

    @router.get("/", **options)
    def stream(request: Any) -> Any:
        source = make(request)
        return source if isinstance(source, Response) else Response.stream(source)

    router.get("/quick", do="quick")
    return router


def chunks(octets: bytes) -> list[bytes]:
    """The chunks of a body, the last, empty one among them; what is cut off is left out."""
    found = []
    while b"\r\n" in octets:
        size, _, octets = octets.partition(b"\r\n")
        found.append(octets[: int(size, 16)])
        octets = octets[int(size, 16) + 2 :]
    return found


def read_until(conn: RawConn, mark: bytes) -> bytes:
    octets = b""
    while mark not in octets:
        more = conn.sock.recv(65536)
        assert more, f"the server closed after {octets!r}"
        octets += more
    return octets


def test_each_part_is_a_chunk_and_the_connection_goes_on(serving: Serving, connect: Connect) -> None:
    running = serving(app_of(lambda _request: iter(["one ", b"two ", "", bytearray(b"three"), "ö"])))
    conn = connect(running.url)
    for _ in range(3):
        conn.get("/")
        head, _, body = read_until(conn, b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")
        assert b"\r\nTransfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        assert chunks(body) == [b"one ", b"two ", b"three", "ö".encode(), b""]
    assert running.stats()["streams"] == 0


def test_a_generator_is_a_result_as_others_are(serving: Serving) -> None:
    router = Router()

    @router.get("/")
    def lines(request: Any) -> Iterator[str]:
        yield "one\n"
        yield "two\n"

    running = serving(router)
    assert httpx.get(running.url, trust_env=False).text == "one\ntwo\n"


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
    assert httpx.get(running.url + "/ping", trust_env=False).text == "pong"
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
    assert httpx.get(running.url + "/quick", trust_env=False).text == "quick"


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

    def at_rest() -> bool:
        before = len(made)
        threading.Event().wait(0.05)
        return len(made) == before

    until(at_rest)
    produced = len(made)
    threads = threading.active_count()
    while len(made) == produced:  # it goes on when the client does
        assert conn.sock.recv(65536)
    assert threading.active_count() <= threads + 1
    conn.close()


def test_a_stream_waits_for_messages_without_a_thread(serving: Serving) -> None:
    def listen() -> Iterator[Any]:
        yield "ready\n"
        while (message := (yield Wait())) != "end":
            yield f"{message}\n"

    running = serving(app_of(lambda _request: listen()))
    with httpx.stream("GET", running.url, trust_env=False) as reply:
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
    with httpx.stream("GET", running.url, trust_env=False) as reply:
        lines = (line for line in reply.iter_lines() if line.startswith("data:"))
        assert next(lines) == "data: signed on"
        board.cast({"n": 1})
        board.cast({"n": 2})
        assert [json.loads(line[5:]) for line in lines] == [{"n": 1}, {"n": 2}]
    board.stop()


def test_events_have_the_fields_that_browsers_expect(serving: Serving) -> None:
    running = serving(app_of(lambda _request: Response.events(iter([Event("a\nb", event="news", id="7")]))))
    reply = httpx.get(running.url, trust_env=False)
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
        assert chunks(body) == [*parts, b""]


def test_a_large_part_goes_through_in_one_piece(serving: Serving) -> None:
    large = bytes(range(256)) * 40_000
    running = serving(app_of(lambda _request: iter([large, large])))
    assert httpx.get(running.url, trust_env=False).content == large * 2
    assert len(large) > WINDOW_BYTES


def test_the_local_client_gets_the_whole(local_client_of: Any) -> None:
    client = local_client_of(app_of(lambda _request: iter(["one ", Wait(0.0), "two"])))
    assert client.get("/").text == "one two"
    client = local_client_of(app_of(lambda _request: iter([Wait()])))
    assert client.get("/").status == 500


# Sources that are async.


async def numbers(count: int) -> AsyncIterator[str]:
    for number in range(count):
        await asyncio.sleep(0)
        yield f"{number} "


@pytest.mark.parametrize("asynchronous", [False, True])
def test_an_async_source_is_streamed_from_any_handler(
    serving: Serving, asynchronous: bool, local_client_of: Any
) -> None:
    router = Router()

    if asynchronous:

        @router.get("/")
        async def handler(request: Any) -> Any:
            return numbers(100)
    else:

        @router.get("/")
        def handler(request: Any) -> Any:  # type: ignore[misc]
            return numbers(100)

    running = serving(router)
    text = "".join(f"{number} " for number in range(100))
    for _ in range(3):
        assert httpx.get(running.url, trust_env=False).text == text
    assert running.requests() == []
    assert local_client_of(router).get("/").text == text


def test_an_async_source_that_raises_cuts_the_connection(serving: Serving, connect: Connect, caplog: Any) -> None:
    async def failing() -> AsyncIterator[str]:
        yield "half of"
        raise ValueError("broken in the middle")

    conn = connect(serving(app_of(lambda _request: failing())).url)
    conn.get("/")
    octets = conn.rest()
    assert b"half of" in octets
    assert b"\r\n0\r\n" not in octets
    assert "broken in the middle" in caplog.text


@pytest.mark.parametrize("where", ["at a yield", "at an await"])
def test_an_async_source_is_told_that_its_client_has_left(
    serving: Serving, connect: Connect, gates: Gates, where: str
) -> None:
    told, gate = [], gates()
    gate.open()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
                if where == "at an await":
                    await asyncio.sleep(3600 if told else 0.001)
        except BaseException as error:
            told.append(type(error))
            raise
        finally:
            gate.wait()

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")
    conn.close()
    gate.reached()
    assert told[0] in (ClientDisconnected, asyncio.CancelledError)
    assert running.stats()["streams"] == 0


def test_an_async_source_is_asked_for_no_more_than_the_client_takes(
    serving: Serving, connect: Connect, until: Until
) -> None:
    made = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            made.append(1)
            yield b"x" * 10_000

    running = serving(app_of(lambda _request: endless()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"xxx")

    def at_rest() -> bool:
        before = len(made)
        threading.Event().wait(0.05)
        return len(made) == before

    until(at_rest)
    produced = len(made)
    while len(made) == produced:
        assert conn.sock.recv(65536)
    conn.close()


def test_an_async_source_can_be_killed_and_drained(serving: Serving, connect: Connect) -> None:
    async def quiet() -> AsyncIterator[str]:
        yield "begun"
        await asyncio.sleep(3600)

    running = serving(app_of(lambda _request: Response.events(quiet())))
    killed, drained = connect(running.url), connect(running.url)
    killed.get("/")
    read_until(killed, b"begun")
    [row] = running.requests()
    exit(row.ref, "kill")
    assert b"\r\n0\r\n" not in killed.rest()
    drained.get("/")
    read_until(drained, b"begun")
    assert running.drain(PATIENCE_S * 1000)
    assert drained.rest().endswith(b"0\r\n\r\n")


def test_code_of_an_async_source_is_a_process(serving: Serving) -> None:
    async def talking() -> AsyncIterator[str]:
        self_ref().send("hello")
        yield await receive_async(PATIENCE_S)

    assert httpx.get(serving(app_of(lambda _request: talking())).url, trust_env=False).text == "hello"


@pytest.fixture
def local_client_of() -> Any:
    from tinybeam.testing.local import LocalClient  # noqa: PLC0415 - only here

    return LocalClient


@pytest.fixture(autouse=True)
def nothing_left(until: Until) -> Iterator[None]:
    """No message of a test comes to the next one."""
    yield
    while True:
        try:
            receive(0)
        except TimeoutError:
            return
