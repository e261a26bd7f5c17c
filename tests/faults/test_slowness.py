"""Clients that are slow on purpose, with deadlines that are short."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Spawn

    Ended = Callable[..., bool]

SHORT = ["--header-timeout-ms", "400", "--body-timeout-ms", "400", "--keepalive-timeout-ms", "400"]
SHORT += ["--write-timeout-ms", "400", "--linger-timeout-ms", "300", "--transfer-bytes-per-s-min", "100000"]
HEAD = b"POST /echo HTTP/1.1\r\nHost: t\r\n"
DRIPS = {
    "a request line": b"G",
    "a header": b"GET / HTTP/1.1\r\nX: ",
    "a body": HEAD + b"Content-Length: 1000000\r\n\r\n",
    "a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    "an extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;",
    "a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ",
}


def read_until_end(sock: socket.socket) -> bytes:
    received = b""
    try:
        while octets := sock.recv(65536):
            received += octets
    except ConnectionError:
        pass
    return received


@pytest.mark.parametrize("what", DRIPS)
def test_octets_that_drip_in_put_no_deadline_off(what: str, spawn: Spawn) -> None:
    program = spawn(*SHORT)
    sock = program.connect()
    sock.settimeout(0.02)
    sock.sendall(DRIPS[what])
    received = b""
    for _ in range(1000):
        try:
            octets = sock.recv(65536)
        except TimeoutError:
            octets = b""
        except ConnectionError:
            break
        if not octets and received:
            break
        received += octets
        if not received:
            sock.send(b"a")
    assert received.startswith(b"HTTP/1.1 408 ")
    program.stop()


def test_an_idle_connection_is_closed(spawn: Spawn) -> None:
    program = spawn(*SHORT)
    fresh, used = program.connect(), program.connect()
    used.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert read_until_end(used).count(b"HTTP/1.1 ") == 1
    assert read_until_end(fresh) == b""
    program.stop()


def test_a_client_that_never_reads_is_cut_off_and_costs_nobody_else_anything(spawn: Spawn) -> None:
    program = spawn(*SHORT)
    greedy = [program.connect() for _ in range(5)]
    for sock in greedy:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n")
    for _ in range(50):
        assert program.ask().endswith(b"yay")
    for sock in greedy:
        # The reset comes when the server gives up, and what was in the buffers is not the whole answer.
        assert len(read_until_end(sock)) < 8 << 20
    program.stop()


def test_a_request_at_the_moment_when_the_idle_time_is_up_gets_an_answer_or_a_clean_end(spawn: Spawn) -> None:
    program = spawn("--keepalive-timeout-ms", "5")
    outcomes = {"answered": 0, "closed": 0}
    for number in range(400):
        with program.connect() as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            assert sock.recv(4096).endswith(b"yay")
            sock.settimeout((number % 10) / 1000 + 0.0001)
            try:
                assert sock.recv(1) == b""
                continue
            except TimeoutError:
                sock.settimeout(30)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
            second = read_until_end(sock)
            outcomes["answered" if second else "closed"] += 1
            assert second == b"" or second.endswith(b"yay"), second
    assert outcomes["answered"] > 0
    program.stop()


@pytest.mark.parametrize(
    "request_octets",
    [
        b"GET / HT",
        HEAD + b"Content-Length: 100\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /large HTTP/1.1\r\nHost: t\r\n\r\nGET / HT",
    ],
)
def test_a_reset_in_the_middle_costs_nobody_else_anything(request_octets: bytes, spawn: Spawn) -> None:
    program = spawn()
    for _ in range(50):
        with program.connect() as sock:
            sock.sendall(request_octets)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    descriptors = program.descriptors
    for _ in range(20):
        assert program.ask().endswith(b"yay")
    assert program.descriptors <= descriptors
    assert b"ERROR" not in program.stop()


def test_a_client_that_has_sent_its_last_octet_still_gets_its_answer(spawn: Spawn) -> None:
    program = spawn()
    sock = program.connect()
    sock.sendall(b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert program.line() == "waiting"
    program.let_go()
    assert read_until_end(sock).endswith(b"waited")
    program.stop()
