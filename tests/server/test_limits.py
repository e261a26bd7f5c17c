"""Limits and deadlines as a client meets them: whichever engine serves keeps them."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn
    from tests.server.conftest import Connect, MakeApp, Serving, Until, WaitingApp

LONG_MS = 600_000
CHUNKED = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def echo() -> Router:
    router = Router()

    @router.post("/")
    def echo_body(request: Request) -> bytes:
        return request.body

    return router


# Connections.


def test_a_connection_makes_so_many_requests_and_is_told_with_the_last_answer(
    serving: Serving, connect: Connect, make_app: MakeApp
) -> None:
    conn = connect(serving(make_app(), connection_requests_max=3).url)
    conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n" * 5)
    replies = [conn.reply() for _ in range(3)]
    assert [reply.headers.get("connection") for reply in replies] == [None, None, "close"]
    assert conn.rest() == b""


def test_no_more_connections_are_accepted_than_there_may_be(
    serving: Serving, connect: Connect, make_app: MakeApp
) -> None:
    running = serving(make_app(), connections_max=2)
    inside = [connect(running.url) for _ in range(2)]
    for conn in inside:
        conn.get("/")
        conn.reply()
    outside = connect(running.url)
    outside.get("/")
    for _ in range(20):
        for conn in inside:
            conn.get("/")
            assert conn.reply().body == b"pong"
    stats = running.stats()
    assert (stats["connections_open"], stats["connections_accepted"]) == (2, 2)
    inside[0].close()
    assert outside.reply().body == b"pong"


def test_with_as_many_requests_open_as_may_be_others_are_told_to_come_back(
    gate: Gate, serving: Serving, connect: Connect, waiting_app: WaitingApp
) -> None:
    running = serving(waiting_app(gate), handles_max=1)
    first, second = connect(running.url), connect(running.url)
    first.get("/wait")
    gate.reached()
    second.get("/")
    reply = second.reply()
    assert (reply.status, reply.headers["retry-after"], reply.headers["connection"]) == (503, "1", "close")
    assert running.stats()["requests_shed"] == 1
    gate.open()
    assert first.reply().body == b"done"


# What comes in chunks.


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"5;" + b"x" * 100, 413),
        (b"5;" + b"x" * 100 + b"\r\n", 413),
        (b"1;abcdefghijklmnopqrstuvwxyz\r\nx\r\n" * 10, 413),
        (b"0\r\n" + b"t: v\r\n" * 6 + b"\r\n", 431),
        (b"0\r\nt: " + b"x" * 300 + b"\r\n\r\n", 431),
    ],
    ids=["line", "whole line", "lines together", "trailers", "trailer octets"],
)
def test_what_chunks_bring_along_has_limits(
    octets: bytes, status: int, echo: Router, serving: Serving, connect: Connect
) -> None:
    settings = {"chunk_extension_bytes_max": 64, "header_fields_max": 5, "header_bytes_max": 200}
    conn = connect(serving(echo, **settings).url)
    conn.send(CHUNKED + b"5;a=b\r\nhello\r\n")
    conn.send_unless_closed(octets)
    assert conn.reply().status == status


# Deadlines.


def test_a_body_that_stalls_is_too_late_however_fast_it_came_before(
    echo: Router, serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(echo, body_timeout_ms=200).url)
    conn.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 500_000)
    assert conn.reply().status == 408


def test_a_refused_client_that_stays_is_let_go(
    serving: Serving, connect: Connect, until: Until, make_app: MakeApp
) -> None:
    running = serving(make_app(), linger_timeout_ms=50)
    conn = connect(running.url)
    conn.send(b"nonsense\r\n")
    assert conn.reply().status == 400
    assert conn.rest() == b""  # the server has shut its side
    until(lambda: running.stats()["connections_open"] == 0)


def test_a_refused_client_that_sends_on_is_not_listened_to_for_long(
    serving: Serving, connect: Connect, until: Until, make_app: MakeApp
) -> None:
    running = serving(make_app(), linger_timeout_ms=LONG_MS)
    conn = connect(running.url)
    conn.send(b"nonsense\r\n")
    assert conn.reply().status == 400
    for _ in range(40):
        conn.send_unless_closed(b"x" * 100_000)
    until(lambda: running.stats()["connections_open"] == 0)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no TCP_USER_TIMEOUT")
def test_a_client_that_the_kernel_gives_up_before_we_do_counts_as_one_that_takes_nothing(
    serving: Serving, connect: Connect, until: Until
) -> None:
    router = Router()
    router.get("/")(lambda request: b"x" * (64 << 20))
    running = serving(router, write_timeout_ms=3_600_000)
    conn = connect(running.url)
    conn.get("/")
    assert conn.sock.recv(1)
    let_the_kernel_give_up_at_once(conn)
    until(lambda: running.stats()["timeouts_write"] == 1)
    until(lambda: running.stats()["connections_open"] == 0)


def let_the_kernel_give_up_at_once(conn: RawConn) -> None:
    """On the server's side of a connection, which is in this process."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            sock = socket.socket(fileno=int(name))
            try:
                if sock.getpeername() == conn.sock.getsockname():
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1)
                    return
            finally:
                sock.detach()  # it is the server's
    raise AssertionError("the server has no such connection")
