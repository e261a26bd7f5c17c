"""The end of the server while everything that can be under way is."""

from __future__ import annotations

import contextlib
import signal
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Program, Spawn

POST = b"POST /echo HTTP/1.1\r\nHost: t\r\n"
UNDER_WAY = {
    "nothing yet": b"",
    "half a head": b"GET / HT",
    "half a body": POST + b"Content-Length: 100\r\n\r\nabc",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "a body that was asked for": POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    "an answer that nobody reads": b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n",
    "a handler": b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n",
    "a handler and what is behind it": b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n",
    "a refused client that goes on": b"nonsense\r\n\r\n" + b"x" * 100,
    "an idle connection": b"GET / HTTP/1.1\r\nHost: t\r\n\r\n",
}


def fill(program: Program) -> None:
    for octets in UNDER_WAY.values():
        for _ in range(10):
            program.connect().sendall(octets)
    # One of them is left by its client meanwhile.
    program.sockets[65].close()
    for _ in range(20):
        assert program.line() == "waiting"
    assert program.ask().endswith(b"yay")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 1), (signal.SIGINT, 0)])
def test_the_server_ends_cleanly_whatever_is_under_way(number: int, code: int, spawn: Spawn) -> None:
    program = spawn("--drain-timeout-ms", "200")
    fill(program)
    program.process.send_signal(number)
    assert program.process.wait() == code, program.log_path.read_text()
    log = program.log_path.read_text()
    assert "Traceback" not in log
    assert "CRITICAL" not in log
    for sock in program.sockets[:60]:
        try:
            while sock.recv(1 << 20):
                pass
        except ConnectionError:
            pass  # it was cut off, and knows


def test_a_drain_answers_what_was_asked_and_tells_the_others_that_it_ends(spawn: Spawn) -> None:
    program = spawn("--drain-timeout-ms", "30000", "--header-timeout-ms", "300", "--body-timeout-ms", "300")
    waiting = program.connect()
    waiting.sendall(UNDER_WAY["a handler"])
    assert program.line() == "waiting"
    slow = [program.connect() for _ in range(3)]
    for sock, what in zip(slow, ("half a head", "half a body", "half a chunk"), strict=True):
        sock.sendall(UNDER_WAY[what])
    assert program.ask().endswith(b"yay")
    program.process.send_signal(signal.SIGTERM)
    for sock in slow:
        assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
    program.let_go()
    assert b"\r\nConnection: close\r\n" in waiting.recv(4096)
    assert program.process.wait() == 0


def waiting_clients(program: Program, count: int) -> list[socket.socket]:
    """So many that have a handler each, or a place in the line for one."""
    clients = [program.connect() for _ in range(count)]
    for sock in clients:
        sock.sendall(UNDER_WAY["a handler"])
    return clients


def test_a_drain_answers_a_thousand_that_are_in_flight(spawn: Spawn) -> None:
    program = spawn("--request-timeout-ms", "600000", "--drain-timeout-ms", "600000")
    clients = waiting_clients(program, 1000)
    assert program.line() == "waiting"
    # Asked later, so answered when the others are in.
    assert program.ask().endswith(b"yay")
    program.process.send_signal(signal.SIGTERM)
    for number in range(1000):
        program.let_go()
        if number:
            assert program.line() == "waiting"
    for sock in clients:
        received = b""
        while octets := sock.recv(4096):
            received += octets
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.endswith(b"waited")
    assert program.process.wait() == 0
    assert b"ERROR" not in program.log_path.read_bytes()


def test_a_stop_with_a_thousand_in_flight_closes_them_all_and_the_port_is_free_at_once(spawn: Spawn) -> None:
    program = spawn("--request-timeout-ms", "600000")
    clients = waiting_clients(program, 1000)
    assert program.line() == "waiting"
    assert program.ask().endswith(b"yay")
    program.process.send_signal(signal.SIGINT)
    assert program.process.wait() == 0
    second = spawn("--port", str(program.port))
    assert second.port == program.port
    assert second.ask().endswith(b"yay")
    for sock in clients:
        with contextlib.suppress(ConnectionError):  # it may be told by a reset
            assert sock.recv(4096) == b""
    assert b"ERROR" not in program.log_path.read_bytes()
    second.stop()
