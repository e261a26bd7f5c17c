"""Uploads in whichever way a handler takes them: in pieces, whole, saved, as a file, or not at all; and what a handler
can ask and tell before it answers."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.conftest import PLAINLY
from tests.server.uploading import EXPECT, LARGE, chunk, post
from tinybeam import Response, Router
from tinybeam.process import receive, self_ref

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Serving, Until

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


def test_a_body_is_read_in_pieces_as_a_file_is(serving: Serving) -> None:
    router = Router()

    @router.post("/", stream=True, body_bytes_max=None)
    def pieces(request: Any) -> Any:
        first, none, second = request.read(3), request.read(0), request.read(100_000)
        some = next(iter(request.stream()))
        rest = request.read()
        return [len(first), len(none), len(second), len(some) > 0, len(some) + len(rest), len(request.read(5))]

    url = serving(router).url
    assert httpx.post(url, content=LARGE, **PLAINLY).json() == [3, 0, 100_000, True, len(LARGE) - 100_003, 0]
    small = b"x" * 50_000  # comes whole
    assert httpx.post(url, content=small[:1003], **PLAINLY).status_code == 500  # nothing is left to iterate over


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
    assert httpx.post(url + "/body", content=LARGE, **PLAINLY).json() == {"same": True, "length": len(LARGE)}
    assert httpx.post(url + "/json", json=[2] * 50_000, **PLAINLY).text == "100000"
    assert httpx.post(url + "/text", content="ö" * 50_000, **PLAINLY).text == "50000"


def test_small_bodies_come_whole_and_are_read_the_same_way(serving: Serving) -> None:
    router = Router()

    @router.post("/", stream=True)
    def parts(request: Any) -> Any:
        return [part.decode() for part in request.stream()] + [request.body.decode()]

    @router.post("/async", stream=True)
    async def async_parts(request: Any) -> Any:
        return [part.decode() async for part in request.stream()]

    url = serving(router).url
    assert httpx.post(url, content=b"small", **PLAINLY).json() == ["small", "small"]
    assert httpx.post(url, content=b"", **PLAINLY).json() == [""]
    assert httpx.post(url + "/async", content=b"small", **PLAINLY).json() == ["small"]


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


def test_a_body_has_one_reader_at_a_time(serving: Serving, connect: Connect, until: Until) -> None:
    router = Router()
    test = self_ref()

    @router.post("/", stream=True)
    def read(request: Any) -> str:
        def other() -> None:
            test.send("reads")
            test.send(request.read())

        first = threading.Thread(target=other)
        first.start()
        until(request._body._reading.locked)
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
    assert httpx.post(url, content=LARGE, **PLAINLY).text == str(len(LARGE))
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
        assert httpx.post(url, content=body, **PLAINLY).json() == expected
