"""Bodies of requests whose handlers are told each part as it comes, in every kind of handler."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.uploading import EXPECT, LARGE, chunk, post
from tinybeam import ClientDisconnected, HTTPError, Router
from tinybeam.process import exit, receive, self_ref

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Serving

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


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


MALFORMED = {
    "a size that is no number": (b"zz\r\n", 400),
    "a chunk that is longer than it says": (b"3\r\nabcd\r\n", 400),
    "a chunk that is too long": (b"ffffffffffffffffff\r\n", 413),
    "trailers that are too long": (b"0\r\nA: " + b"a" * 70_000, 431),
    "too many trailers": (b"0\r\n" + b"A: b\r\n" * 101, 431),
}


@pytest.mark.parametrize(("rest", "status"), MALFORMED.values(), ids=MALFORMED)
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
    assert "RFC 911" in error.message
    reply = conn.reply()
    assert (reply.status, reply.headers["connection"]) == (status, "close")
    assert reply.body.decode() == error.message
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
