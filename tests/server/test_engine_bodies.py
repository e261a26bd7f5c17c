"""Bodies that are read in parts, as an engine gives them to whoever asks: by handle, over real sockets."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import sys
import termios
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pytest

from tinybeam import contract
from tinybeam.http import KIND_CONTINUE, KIND_END, KIND_PART, KIND_STREAM, KIND_TEXT, LENGTH_UNKNOWN

if TYPE_CHECKING:
    from tests.server.conftest import Rig, Rigs

    Begin = Callable[..., tuple[Rig, int]]

encode = msgspec.msgpack.encode
ENDLESS = (1 << 64) - 1
HIGH = 128 * 1024
# What is thrown away of a body that nobody reads.
LITTLE = 256 * 1024
NEXT = b"GET /next HTTP/1.1\r\nHost: t\r\n\r\n"


def take(rig: Rig, handle: int, most: int = 1 << 20) -> bytes | int:
    """Octets of the body; or the code that says why there are none."""
    part = rig.engine.open_part(most)
    code = rig.engine.take_body(handle, part)
    return bytes(part.view[:code]) if code > 0 else code


def wait_for_news(rig: Rig, handle: int) -> None:
    """Polls until it is worth to look at the body again."""
    while True:
        if rig.port.poll(b"") >> 48 & contract.POLL_NEWS and (handle, contract.NEWS_BODY) in rig.port.news():
            return


def take_when_there(rig: Rig, handle: int, most: int = 1 << 20) -> bytes | int:
    while (taken := take(rig, handle, most)) == contract.EWAIT:
        wait_for_news(rig, handle)
    return taken


def answered(rig: Rig, handle: int) -> tuple[int, bytes]:
    rig.flush(encode([(handle, KIND_TEXT, "thanks")]))
    return rig.reply()


def head(fields: str) -> bytes:
    return f"POST / HTTP/1.1\r\nHost: t\r\n{fields}\r\n\r\n".encode()


@pytest.fixture
def begin(rigs: Rigs) -> Begin:
    """Sends the beginning of a request whose body is to be read in parts; gives its handle."""

    def begin_one(octets: bytes, bytes_max: int = ENDLESS, **settings: int) -> tuple[Rig, int]:
        rig = rigs(body_offer_bytes=1, **settings)
        rig.client.sendall(octets)
        (request,) = rig.requests()
        assert request.offered
        assert rig.engine.open_body(request.handle, bytes_max) == contract.OK
        return rig, request.handle

    return begin_one


def test_a_body_is_read_in_parts_as_it_comes(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 10") + b"ab")
    assert take_when_there(rig, handle, 4) == b"ab"
    assert take(rig, handle, 4) == contract.EWAIT
    rig.client.sendall(b"cdefgh")
    wait_for_news(rig, handle)
    assert [take(rig, handle, 4) for _ in range(3)] == [b"cdef", b"gh", contract.EWAIT]
    rig.client.sendall(b"ij" + NEXT)
    wait_for_news(rig, handle)
    assert [take(rig, handle, 4) for _ in range(3)] == [b"ij", 0, 0]
    assert rig.requests(encode([(handle, KIND_TEXT, "thanks")]))[0].path_raw == "/next"
    assert rig.reply() == (200, b"thanks")
    assert take(rig, handle) == contract.EALREADY


def test_a_chunked_body_has_its_trailers_at_its_end(begin: Begin) -> None:
    rig, handle = begin(head("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\nA: b \r\nC:d\r\n\r\n")
    assert take_when_there(rig, handle) == b"hello"
    assert take_when_there(rig, handle) == 0
    assert rig.engine.take_trailers(handle) == b"\na:b\nc:d\n"
    answered(rig, handle)
    assert rig.engine.take_trailers(handle) is None


def test_nobody_is_asked_for_a_body_before_its_reader_wants_it(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 4\r\nExpect: 100-continue"))
    rig.flush()
    rig.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        rig.client.recv(1)
    rig.client.settimeout(30)
    assert take(rig, handle) == contract.EWAIT
    rig.flush()
    assert rig.client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
    rig.client.sendall(b"abcd")
    assert take_when_there(rig, handle) == b"abcd"
    assert answered(rig, handle) == (200, b"thanks")


def fill(rig: Rig) -> int:
    """Sends until nobody takes any more; how much that was."""
    sent = still = 0
    rig.client.setblocking(False)
    while still < 50:
        try:
            sent += rig.client.send(b"x" * 65536)
            still = 0
        except BlockingIOError:
            still += 1
        rig.flush()
    rig.client.settimeout(30)
    return sent


def test_a_client_is_not_read_while_its_reader_has_enough(begin: Begin) -> None:
    total = 64 << 20
    rig, handle = begin(head(f"Content-Length: {total}"), body_timeout_ms=100)
    assert take(rig, handle) == contract.EWAIT
    sent = fill(rig)
    assert sent < total
    held = take(rig, handle, 1 << 24)
    assert isinstance(held, bytes)
    assert HIGH <= len(held) < 2 * HIGH
    assert fill(rig) > 0  # there is room again


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much of what was sent has not arrived")
def test_a_client_that_has_to_wait_for_its_reader_is_not_the_one_who_is_late(begin: Begin) -> None:
    rig, handle = begin(head(f"Content-Length: {HIGH + 1}"), body_timeout_ms=100)
    assert take(rig, handle) == contract.EWAIT
    rig.client.sendall(b"x" * HIGH)
    while int.from_bytes(fcntl.ioctl(rig.client, termios.TIOCOUTQ, b"\0\0\0\0"), sys.byteorder):
        rig.flush()
    for _ in range(20):  # more often than it takes to read so much
        rig.flush()
    rig.client.settimeout(0.3)  # three times as long as it may be silent
    with pytest.raises(TimeoutError):
        rig.client.recv(1)
    rig.flush()
    rig.client.settimeout(30)
    taken = take(rig, handle)
    assert isinstance(taken, bytes)
    assert len(taken) == HIGH
    rig.client.sendall(b"y")
    assert [take_when_there(rig, handle), take_when_there(rig, handle)] == [b"y", 0]
    assert answered(rig, handle) == (200, b"thanks")
    assert rig.engine.stats()["timeouts_body"] == 0


@pytest.mark.parametrize(
    ("fields", "rest", "code"),
    [
        ("Content-Length: 10", b"", contract.EBODY - 408),
        ("Transfer-Encoding: chunked", b"zz\r\n", contract.EBODY - 400),
        ("Transfer-Encoding: chunked", b"ff\r\n", contract.EBODY - 413),
    ],
)
def test_a_body_that_breaks_off_is_told_to_its_reader_and_ends_the_connection(
    begin: Begin, fields: str, rest: bytes, code: int
) -> None:
    rig, handle = begin(head(fields), bytes_max=10, body_timeout_ms=100)
    assert take(rig, handle) == contract.EWAIT
    rig.client.sendall(rest)
    assert take_when_there(rig, handle) == code
    assert take(rig, handle) == code
    assert answered(rig, handle) == (200, b"thanks")
    while rig.engine.stats()["connections_open"]:
        rig.client.close()
        rig.flush()


def test_a_body_that_is_announced_too_long_is_refused_at_the_first_look(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 11"), bytes_max=10)
    assert take_when_there(rig, handle) == contract.EBODY - 413


@pytest.mark.parametrize("how", [socket.SHUT_WR, None])
def test_a_client_that_leaves_ends_its_body(begin: Begin, how: int | None) -> None:
    rig, handle = begin(head("Content-Length: 9") + b"abc")
    assert take_when_there(rig, handle) == b"abc"
    assert take(rig, handle) == contract.EWAIT
    assert not rig.engine.has_left(handle)
    if how is None:
        rig.client.close()
    else:
        rig.client.shutdown(how)
    assert take_when_there(rig, handle) == contract.EDISCONNECTED
    assert rig.engine.has_left(handle)
    if how is not None:
        assert answered(rig, handle) == (200, b"thanks")  # it may still read


def test_a_client_that_resets_ends_its_body_and_leaves_nothing(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 9") + b"abc")
    assert take_when_there(rig, handle) == b"abc"
    assert take(rig, handle) == contract.EWAIT
    rig.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rig.client.close()
    assert take_when_there(rig, handle) == contract.EDISCONNECTED
    assert rig.engine.respond(encode([(handle, KIND_TEXT, "late")])) == contract.EDISCONNECTED
    rig.flush()
    assert rig.engine.stats()["handles_open"] == 0


@pytest.mark.parametrize(("length", "goes_on"), [(LITTLE, True), (LITTLE + 1, False)])
def test_the_rest_of_a_body_that_nobody_reads_is_thrown_away_when_it_is_little(
    begin: Begin, length: int, goes_on: bool
) -> None:
    rig, handle = begin(head(f"Content-Length: {length}"))
    rig.flush(encode([(handle, KIND_TEXT, "thanks")]))
    answer = rig.client.recv(4096)
    assert answer.endswith(b"thanks")
    assert (b"Connection: close" not in answer) is goes_on
    if goes_on:
        rig.client.sendall(b"x" * length + NEXT)
        assert rig.requests()[0].path_raw == "/next"


def test_a_rest_that_is_thrown_away_and_never_comes_ends_with_its_connection(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 10"), body_timeout_ms=100)
    assert answered(rig, handle) == (200, b"thanks")
    while rig.engine.stats()["timeouts_body"] == 0:
        rig.flush()
    assert rig.client.recv(4096) == b""


def test_the_rest_of_a_body_that_is_held_back_ends_the_connection(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 10\r\nExpect: 100-continue"))
    rig.flush(encode([(handle, KIND_TEXT, "thanks")]))
    assert b"Connection: close" in rig.client.recv(4096)


def stream(rig: Rig, handle: int, *parts: tuple[int, bytes]) -> None:
    """Begins an answer in parts, if there are none of them; else goes on with it."""
    if not parts:
        assert rig.engine.respond(encode([(handle, KIND_STREAM, 200, b"", LENGTH_UNKNOWN)])) == contract.OK
    for kind, octets in parts:
        assert rig.engine.push(handle, kind, octets) == contract.OK
    rig.flush()


def read_to_last_chunk(rig: Rig) -> bytes:
    octets = b""
    while not octets.endswith(b"0\r\n\r\n"):
        octets += rig.client.recv(4096)
    return octets


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_an_answer_in_parts_may_begin_before_the_body_has_come(begin: Begin, connection: str) -> None:
    rig, handle = begin(head(f"Connection: {connection}\r\nContent-Length: 4\r\nExpect: 100-continue"))
    stream(rig, handle)
    assert take(rig, handle) == contract.EWAIT
    rig.flush()
    rig.client.sendall(b"abcd")
    assert [take_when_there(rig, handle), take_when_there(rig, handle)] == [b"abcd", 0]
    stream(rig, handle, (KIND_PART, b"abcd"), (KIND_END, b""))
    octets = read_to_last_chunk(rig)
    assert octets.startswith(b"HTTP/1.1 200 ")
    assert b"100 Continue" not in octets  # after the answer's head it is too late for that
    assert octets.endswith(b"\r\n4\r\nabcd\r\n0\r\n\r\n")


@pytest.mark.parametrize(("length", "goes_on"), [(LITTLE, True), (LITTLE + 1, False)])
def test_the_rest_is_as_little_worth_when_an_answer_in_parts_has_ended(
    begin: Begin, length: int, goes_on: bool
) -> None:
    rig, handle = begin(head(f"Content-Length: {length}"))
    stream(rig, handle)
    stream(rig, handle, (KIND_END, b""))
    read_to_last_chunk(rig)
    if goes_on:
        rig.client.sendall(b"x" * length + NEXT)
        assert rig.requests()[0].path_raw == "/next"
    else:
        assert rig.client.recv(1) == b""


def test_a_request_that_is_overdue_ends_what_its_reader_waits_for(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 9"), request_timeout_ms=50)
    assert take_when_there(rig, handle) == contract.EALREADY
    assert rig.reply()[0] == 504


def test_the_deadline_of_a_request_is_counted_from_the_last_octets_of_its_body(begin: Begin) -> None:
    most_s = 1.0
    for _ in range(20):
        rig, handle = begin(head("Content-Length: 1000"), request_timeout_ms=int(most_s * 1000))
        assert take(rig, handle) == contract.EWAIT
        rig.client.settimeout(most_s / 2)
        with contextlib.suppress(TimeoutError):
            rig.client.recv(1)
        sent_s = time.monotonic()
        rig.client.sendall(b"x")
        if take_when_there(rig, handle) == b"x":
            break  # and not late, because the machine was held up
    rig.client.settimeout(30)
    assert take_when_there(rig, handle) == contract.EALREADY
    assert rig.reply()[0] == 504
    assert time.monotonic() - sent_s > 0.99 * most_s


def test_only_the_body_of_an_offered_request_can_be_opened_and_once(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 2") + b"ab")
    assert rig.engine.open_body(handle, 10) == contract.EALREADY
    assert rig.engine.open_body(handle + (1 << 20), 10) == contract.EBADHANDLE
    assert rig.engine.take_trailers(handle + (1 << 20)) is None
    answered(rig, handle)
    assert rig.engine.open_body(handle, 10) < 0
    rig.client.sendall(NEXT)
    (request,) = rig.requests()
    assert rig.engine.open_body(request.handle, 10) == contract.EBADHANDLE
    assert take(rig, request.handle) == contract.EBADHANDLE


def test_who_asks_for_the_whole_body_after_all_gets_it(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 5") + b"hello")
    (request,) = rig.requests(encode([(handle, KIND_CONTINUE, 10)]))
    assert (request.offered, request.body) == (False, b"hello")
    assert take(rig, handle) == contract.EALREADY
    assert take(rig, request.handle) == contract.EBADHANDLE  # it has nothing to read any more


def test_a_closed_engine_gives_no_body(begin: Begin) -> None:
    rig, handle = begin(head("Content-Length: 5") + b"hello")
    rig.engine.close()
    assert take(rig, handle) == contract.ESHUTDOWN
    assert rig.engine.open_body(handle, 10) == contract.ESHUTDOWN
    assert rig.engine.take_trailers(handle) is None
    assert not rig.engine.has_left(handle)
