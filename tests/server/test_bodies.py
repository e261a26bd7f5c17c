"""Bodies of requests that are read while they come: by handlers of both kinds, and by real clients."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tinybeam import ClientDisconnected, HTTPError, Response, Router
from tinybeam.process import exit, receive, self_ref
from tinybeam.process.errors import ReceiveTimeout

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Serving, Until

PATIENCE_S = 30
LARGE = os.urandom(1 << 20) * 3
CHUNKED = "Transfer-Encoding: chunked\r\n"
EXPECT = "Expect: 100-continue\r\n"


@pytest.fixture(autouse=True)
def _empty_mailbox() -> Iterator[None]:
    yield
    while True:
        try:
            receive(0)
        except ReceiveTimeout:
            return


@pytest.fixture(params=["def", "async def", "on the runner"])
def reading(request: pytest.FixtureRequest) -> Router:
    """POST /read tells the test each part, and how the body ended. POST /late waits for "go" before it reads."""
    router = Router()
    test = self_ref()

    def ended(error: BaseException | None) -> str:
        test.send(("ended", error))
        if error is not None:
            raise error
        return "thanks"

    if request.param == "async def":

        @router.post("/read", stream=True, body_bytes_max=None)
        async def read_async(request: Any) -> str:
            test.send(("begun", self_ref()))
            try:
                async for part in request.stream():
                    test.send(part)
            except BaseException as error:  # a task is cancelled
                return ended(error)
            return ended(None)

    else:

        @router.post("/read", stream=True, body_bytes_max=None, blocking=None if request.param == "def" else False)
        def read(request: Any) -> str:
            test.send(("begun", self_ref()))
            try:
                for part in request.stream():
                    test.send(part)
            except BaseException as error:  # a task is cancelled
                return ended(error)
            return ended(None)

    return router


def post(conn: RawConn, path: str, length: int | None, extra: str = "", body: bytes = b"") -> None:
    framing = CHUNKED if length is None else f"Content-Length: {length}\r\n"
    conn.send(f"POST {path} HTTP/1.1\r\nHost: t\r\n{framing}{extra}\r\n".encode() + body)


def chunk(octets: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(octets), octets)


def begun() -> Any:
    what, ref = receive(PATIENCE_S)
    assert what == "begun"
    return ref


def told(length: int) -> bytes:
    """The parts that the handler has told, until there are so many octets."""
    octets = b""
    while len(octets) < length:
        octets += receive(PATIENCE_S)
    assert len(octets) == length
    return octets


def end_told() -> Any:
    what, error = receive(PATIENCE_S)
    assert what == "ended"
    return error


def test_a_part_is_there_before_the_next_one_is_sent(reading: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(reading).url)
    for length, framed in ((100_000, lambda octets: octets), (None, chunk)):
        post(conn, "/read", length)
        begun()
        for octet in (b"a", b"b", b"c", b"d"):
            conn.send(framed(octet * 25_000))
            assert told(25_000) == octet * 25_000
        conn.send(b"" if length else b"0\r\n\r\n")
        assert end_told() is None
        assert conn.reply().body == b"thanks"


def test_a_client_that_sends_single_octets_is_read_so(reading: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(reading).url)
    post(conn, "/read", None)
    begun()
    for octet in b"slowly but surely":
        conn.send(chunk(bytes([octet])))
        assert told(1) == bytes([octet])
    conn.send(b"0\r\n\r\n")
    assert end_told() is None
    assert conn.reply().status == 200


def test_a_large_body_comes_whole_and_in_order(reading: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(reading).url)
    threading.Thread(target=post, args=(conn, "/read", len(LARGE), "", LARGE), daemon=True).start()
    begun()
    assert told(len(LARGE)) == LARGE
    assert end_told() is None
    assert conn.reply().status == 200
    post(conn, "/read", 2, "", b"hi")  # and the connection goes on
    begun()
    assert told(2) == b"hi"
    assert end_told() is None


def test_a_client_is_told_to_continue_when_its_body_is_wanted(
    reading: Router, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(reading).url)
    post(conn, "/read", 5, EXPECT)
    begun()
    assert conn.reply().status == 100
    conn.send(b"hello")
    assert told(5) == b"hello"
    assert end_told() is None
    assert conn.reply().status == 200


def test_a_client_that_leaves_is_told_to_the_handler_and_is_no_crash(
    reading: Router, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    url = serving(reading).url
    for sent in (b"", b"x" * 70_000):
        conn = connect(url)
        post(conn, "/read", 100_000, "", sent)
        begun()
        assert told(len(sent)) == sent
        conn.close()
        assert isinstance(end_told(), ClientDisconnected)
    other = connect(url)
    post(other, "/read", 2, "", b"hi")
    begun()
    told(2)
    assert end_told() is None
    assert other.reply().status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_body_that_is_shorter_than_announced_is_a_client_that_has_left(
    reading: Router, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(reading).url)
    post(conn, "/read", 100_000, "", b"too little")
    conn.end()
    begun()
    told(10)
    assert isinstance(end_told(), ClientDisconnected)
    reply = conn.reply()
    assert (reply.status, reply.headers["connection"]) == (400, "close")
    assert conn.rest() == b""


def test_what_follows_a_body_that_is_longer_than_announced_is_another_request(
    reading: Router, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(reading).url)
    post(conn, "/read", 70_000, "", b"x" * 70_000 + b"surplus\r\n\r\n")
    begun()
    told(70_000)
    assert end_told() is None
    assert [conn.reply().status for _ in range(2)] == [200, 400]


@pytest.mark.parametrize(
    ("rest", "status"), [(b"zz\r\n", 400), (b"3\r\nabcd\r\n", 400), (b"ffffffffffffffffff\r\n", 413)]
)
def test_a_malformed_body_is_told_to_the_handler_and_then_to_the_client(
    reading: Router, rest: bytes, status: int, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    conn = connect(serving(reading).url)
    post(conn, "/read", None, "", chunk(b"good"))
    begun()
    told(4)
    conn.send(rest)
    while not isinstance(message := receive(PATIENCE_S), tuple):
        assert message == b"abc"  # of the chunk that is longer than it says
    error = message[1]
    assert isinstance(error, HTTPError)
    assert error.status == status
    reply = conn.reply()
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert "crashed" not in caplog.text


def test_a_body_that_takes_too_long_is_a_408(reading: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(reading, body_timeout_ms=50).url)
    post(conn, "/read", 100_000, "", b"and then")
    begun()
    told(8)
    error = end_told()
    assert isinstance(error, HTTPError)
    assert error.status == 408
    assert conn.reply().status == 408


def test_a_request_that_is_overdue_ends_its_reading(reading: Router, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(reading, request_timeout_ms=100).url)
    post(conn, "/read", 100_000, "", b"and then")
    begun()
    told(8)
    assert conn.reply().status == 504
    assert isinstance(end_told(), ClientDisconnected | asyncio.CancelledError)


def test_a_server_that_stops_ends_its_readers(reading: Router, serving: Serving, connect: Connect) -> None:
    running = serving(reading)
    conn = connect(running.url)
    post(conn, "/read", 100_000, "", b"and then")
    begun()
    told(8)
    running.stop()
    assert conn.rest() == b""
    assert isinstance(end_told(), ClientDisconnected | asyncio.CancelledError)


def test_a_drain_waits_for_an_upload(reading: Router, serving: Serving, connect: Connect) -> None:
    running = serving(reading)
    conn = connect(running.url)
    post(conn, "/read", 70_005, "", b"x" * 70_000)
    begun()
    told(70_000)
    drained: list[bool] = []
    draining = threading.Thread(target=lambda: drained.append(running.drain(PATIENCE_S * 1000)))
    draining.start()
    conn.send(b"world")
    told(5)
    assert end_told() is None
    assert conn.reply().status == 200
    draining.join()
    assert drained == [True]


def test_a_reader_that_is_killed_is_told_so_where_it_waits(serving: Serving, connect: Connect) -> None:
    router = Router()
    test = self_ref()

    @router.post("/read", stream=True)
    def read(request: Any) -> str:
        test.send(self_ref())
        try:
            return str(len(request.read()))
        except ClientDisconnected as error:
            test.send(error)
            raise

    conn = connect(serving(router).url)
    post(conn, "/read", 100_000)
    exit(receive(PATIENCE_S), "kill")
    assert conn.reply().status == 503
    assert isinstance(receive(PATIENCE_S), ClientDisconnected)


def test_a_body_is_read_in_pieces_as_a_file_is(serving: Serving) -> None:
    router = Router()

    @router.post("/", stream=True, body_bytes_max=None)
    def pieces(request: Any) -> Any:
        first, none, second = request.read(3), request.read(0), request.read(100_000)
        some = next(iter(request.stream()))
        rest = request.read()
        return [len(first), len(none), len(second), len(some) > 0, len(some) + len(rest), len(request.read(5))]

    url = serving(router).url
    assert httpx.post(url, content=LARGE, trust_env=False).json() == [3, 0, 100_000, True, len(LARGE) - 100_003, 0]
    small = b"x" * 50_000  # comes whole
    assert httpx.post(url, content=small[:1003], trust_env=False).status_code == 500  # nothing is left to iterate over


def test_the_whole_of_a_streamed_body_is_there_for_who_wants_it(serving: Serving) -> None:
    router = Router()

    @router.post("/body", stream=True)
    def body(request: Any) -> Any:
        return {"same": request.body is request.body, "length": len(request.body)}

    @router.post("/json", stream=True)
    def json(request: Any) -> Any:
        return str(sum(request.json()))

    @router.post("/text", stream=True)
    def text(request: Any) -> Any:
        return str(len(request.text()))

    url = serving(router).url
    assert httpx.post(url + "/body", content=LARGE, trust_env=False).json() == {"same": True, "length": len(LARGE)}
    assert httpx.post(url + "/json", json=[2] * 50_000, trust_env=False).text == "100000"
    assert httpx.post(url + "/text", content="ö" * 50_000, trust_env=False).text == "50000"


def test_small_bodies_come_whole_and_are_read_the_same_way(serving: Serving) -> None:
    router = Router()

    @router.post("/", stream=True)
    def parts(request: Any) -> Any:
        return [part.decode() for part in request.stream()] + [request.body.decode()]

    @router.post("/async", stream=True)
    async def async_parts(request: Any) -> Any:
        return [part.decode() async for part in request.stream()]

    url = serving(router).url
    assert httpx.post(url, content=b"small", trust_env=False).json() == ["small", "small"]
    assert httpx.post(url, content=b"", trust_env=False).json() == [""]
    assert httpx.post(url + "/async", content=b"small", trust_env=False).json() == ["small"]


def test_the_trailers_are_there_at_the_end_of_the_body(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.post("/none", stream=True)(lambda request: dict(request.trailers))

    @router.post("/", stream=True)
    def sums(request: Any) -> Any:
        with pytest.raises(RuntimeError, match="read that to its end first"):
            _ = request.trailers
        length = sum(len(part) for part in request.stream())
        return {"length": length, **dict(request.trailers)}

    conn = connect(serving(router).url)
    post(conn, "/", None, "", chunk(b"abc") + b"0\r\nX-Sum: 9 \r\n\r\n")
    assert conn.reply().body == b'{"length":3,"x-sum":"9"}'
    post(conn, "/none", 3, "", b"abc")
    assert conn.reply().body == b"{}"


def test_an_answer_may_be_made_of_the_body_while_that_comes(serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.post("/", stream=True)
    def echo(request: Any) -> Response:
        return Response.stream(part.upper() for part in request.stream())

    @router.post("/async", stream=True)
    async def async_echo(request: Any) -> Response:
        return Response.stream(part.upper() async for part in request.stream())

    conn = connect(serving(router).url)
    for path in ("/", "/async", "/"):
        post(conn, path, None)
        for octets in (b"one", b"two", b"three"):
            conn.send(chunk(octets))
            answered = b""
            while not answered.endswith(octets.upper() + b"\r\n"):
                answered += conn.sock.recv(65536)
        conn.send(b"0\r\n\r\n")
        answered = b""
        while not answered.endswith(b"0\r\n\r\n"):
            answered += conn.sock.recv(65536)


def test_nobody_is_told_to_continue_behind_the_head_of_an_answer(serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.post("/", stream=True)
    def echo(request: Any) -> Response:
        return Response.stream(part.upper() for part in request.stream())

    conn = connect(serving(router).url)
    post(conn, "/", 5, EXPECT)
    answered = b""
    while b"\r\n\r\n" not in answered:
        answered += conn.sock.recv(65536)
    conn.send(b"hello")
    while not answered.endswith(b"0\r\n\r\n"):
        answered += conn.sock.recv(65536)
    assert b"HELLO" in answered
    assert b"100 Continue" not in answered


def test_what_nobody_reads_is_thrown_away_or_ends_the_connection(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.post("/", stream=True, body_bytes_max=None)(lambda request: "no, thank you")
    conn = connect(serving(router).url)
    for _ in range(3):
        post(conn, "/", 100_000, "", b"x" * 100_000)
        reply = conn.reply()
        assert (reply.body, "connection" in reply.headers) == (b"no, thank you", False)
    post(conn, "/", 10_000_000, "", b"x" * 100_000)
    reply = conn.reply()
    assert (reply.body, reply.headers["connection"]) == (b"no, thank you", "close")
    assert conn.rest() == b""


def test_a_body_over_the_limit_of_its_route_is_a_413_before_its_handler_runs(
    serving: Serving, connect: Connect
) -> None:
    router = Router()
    ran: list[str] = []

    @router.post("/", stream=True, body_bytes_max=100_000)
    def read(request: Any) -> str:
        ran.append(request.path)
        return str(len(request.read()))

    conn = connect(serving(router).url)
    post(conn, "/", 100_001, EXPECT)
    assert conn.reply().status == 413
    assert ran == []
    conn = connect(conn_url(conn))
    post(conn, "/", None, "", chunk(b"x" * 60_000) * 2)
    assert conn.reply().status == 413
    assert ran == ["/"]
    conn = connect(conn_url(conn))
    post(conn, "/", 100_000, "", b"x" * 100_000)
    assert conn.reply().body == b"100000"


def conn_url(conn: RawConn) -> str:
    return "http://{}:{}".format(*conn.sock.getpeername()[:2])


def test_a_body_has_one_reader_at_a_time(serving: Serving, connect: Connect) -> None:
    router = Router()
    test = self_ref()

    @router.post("/", stream=True)
    def read(request: Any) -> str:
        def other() -> None:
            test.send("reads")
            test.send(request.read())

        first = threading.Thread(target=other)
        first.start()
        request_body = request._body
        while not request_body._reading.locked():
            threading.Event().wait(0.001)
        with pytest.raises(RuntimeError, match="let one read it"):
            request.read()
        test.send("refused")
        first.join()
        return "done"

    conn = connect(serving(router).url)
    post(conn, "/", 100_000)
    assert [receive(PATIENCE_S), receive(PATIENCE_S)] == ["reads", "refused"]
    conn.send(b"x" * 100_000)
    assert len(receive(PATIENCE_S)) == 100_000
    assert conn.reply().body == b"done"


def test_to_wait_for_a_body_in_the_event_loop_is_refused_and_a_thread_may(serving: Serving, connect: Connect) -> None:
    router = Router()
    test = self_ref()

    @router.post("/", stream=True)
    async def read(request: Any) -> str:
        with pytest.raises(RuntimeError, match="async for part in request.stream"):
            request.read()
        test.send("refused")
        return str(len(await asyncio.to_thread(request.read)))

    conn = connect(serving(router).url)
    post(conn, "/", 100_000)
    assert receive(PATIENCE_S) == "refused"
    conn.send(b"x" * 100_000)
    assert conn.reply().body == b"100000"


def test_many_uploads_at_once_get_their_own_octets(serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.post("/", stream=True, body_bytes_max=None)
    def digest(request: Any) -> str:
        found = hashlib.sha256()
        for part in request.stream():
            found.update(part)
        return found.hexdigest()

    @router.post("/async", stream=True, body_bytes_max=None)
    async def async_digest(request: Any) -> str:
        found = hashlib.sha256()
        async for part in request.stream():
            found.update(part)
        return found.hexdigest()

    running = serving(router)
    bodies = [os.urandom(500_000) for _ in range(20)]
    conns = [connect(running.url) for _ in bodies]
    for n, (conn, body) in enumerate(zip(conns, bodies, strict=True)):
        post(conn, "/async" if n % 2 else "/", len(body))
    for at in range(0, 500_000, 50_000):
        for conn, body in zip(conns, bodies, strict=True):
            conn.send(body[at : at + 50_000])
    for conn, body in zip(conns, bodies, strict=True):
        assert conn.reply().body.decode() == hashlib.sha256(body).hexdigest()


def test_uploads_whose_clients_vanish_leave_nothing(serving: Serving, connect: Connect, until: Until) -> None:
    router = Router()
    test = self_ref()

    @router.post("/", stream=True)
    def read(request: Any) -> None:
        test.send("begun")
        request.read()

    @router.post("/async", stream=True)
    async def async_read(request: Any) -> None:
        test.send("begun")
        async for _ in request.stream():
            pass

    running = serving(router)
    conns = [connect(running.url) for _ in range(100)]
    for n, conn in enumerate(conns):
        post(conn, "/async" if n % 2 else "/", 100_000, "", b"x" * (n * 500))
    for _ in conns:
        assert receive(PATIENCE_S) == "begun"
    for conn in conns:
        conn.close()
    until(lambda: running.requests() == [] and running.stats()["connections_open"] == 0)
    until(lambda: running.stats()["handles_open"] == 0)


def test_whether_a_client_has_left_can_be_asked(serving: Serving, connect: Connect, until: Until) -> None:
    router = Router()
    test = self_ref()

    @router.get("/")
    def watch(request: Any) -> str:
        test.send(request.disconnected)
        until(lambda: request.disconnected)
        test.send("left")
        return "nobody reads this"

    conn = connect(serving(router).url)
    conn.get("/")
    assert receive(PATIENCE_S) is False
    conn.close()
    assert receive(PATIENCE_S) == "left"


def test_hints_come_before_the_answer(serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.get("/")
    def page(request: Any) -> str:
        request.early_hints({"Link": "</a.css>; rel=preload; as=style"})
        with pytest.raises(ValueError, match="control characters"):
            request.early_hints({"Link": "a\r\nb"})
        return "page"

    conn = connect(serving(router).url)
    conn.get("/")
    hints, page_reply = conn.reply(), conn.reply()
    assert (hints.line, hints.headers) == ("HTTP/1.1 103 Early Hints", {"link": "</a.css>; rel=preload; as=style"})
    assert page_reply.body == b"page"


def test_an_upload_is_saved_whole_or_not_at_all(
    serving: Serving, connect: Connect, until: Until, tmp_path: Path
) -> None:
    router = Router()
    target = tmp_path / "upload"

    @router.post("/", stream=True, body_bytes_max=None)
    def save(request: Any) -> str:
        return str(request.save(target))

    url = serving(router).url
    target.write_bytes(b"what was there")
    conn = connect(url)
    post(conn, "/", 1_000_000, "", LARGE[:500_000])
    until(lambda: any(path.stat().st_size > 300_000 for path in tmp_path.iterdir()))
    assert target.read_bytes() == b"what was there"
    conn.close()
    until(lambda: [path.name for path in tmp_path.iterdir()] == ["upload"])
    assert target.read_bytes() == b"what was there"
    assert httpx.post(url, content=LARGE, trust_env=False).text == str(len(LARGE))
    assert target.read_bytes() == LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]


def test_an_upload_is_given_as_a_file(serving: Serving) -> None:
    router = Router()

    @router.post("/", stream=True, body_bytes_max=None)
    def spool(request: Any) -> Any:
        with request.file() as file:
            return [file.tell(), hashlib.sha256(file.read()).hexdigest()]

    url = serving(router).url
    for body in (b"small", LARGE):
        expected = [0, hashlib.sha256(body).hexdigest()]
        assert httpx.post(url, content=body, trust_env=False).json() == expected
