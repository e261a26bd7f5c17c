"""Clients that leave: before they are accepted, before their answer, and in the middle of it."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Program, Spawn

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
WAIT = b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n"
LARGE_BYTES = 8 << 20
WAYS = ["a farewell", "a reset"]


def leave(sock: socket.socket, way: str) -> None:
    if way == "a reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def await_descriptors(program: Program, count: int) -> None:
    """Returns when the server holds so many again; each look is a request, after which it has had its turn."""
    deadline = time.monotonic() + 30
    while program.descriptors > count:
        assert time.monotonic() < deadline, f"{program.descriptors} descriptors are open, and {count} were"
        assert program.ask().endswith(b"yay")


@pytest.mark.parametrize("way", WAYS)
def test_a_thousand_that_leave_before_they_are_accepted_leave_nothing_behind(way: str, spawn: Spawn) -> None:
    program = spawn()
    assert program.ask().endswith(b"yay")
    descriptors = program.descriptors
    # It does not accept while it is stopped, so each of them is gone before it is its turn.
    os.kill(program.process.pid, signal.SIGSTOP)
    for number in range(1000):
        sock = program.connect()
        if number % 2:
            sock.sendall(GET)
        leave(sock, way)
    os.kill(program.process.pid, signal.SIGCONT)
    assert program.ask().endswith(b"yay")
    await_descriptors(program, descriptors)
    assert b"ERROR" not in program.stop()


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_leaves_its_handler_alone_harms_nobody(way: str, spawn: Spawn) -> None:
    program = spawn()
    assert program.ask().endswith(b"yay")
    descriptors = program.descriptors
    for _ in range(20):
        sock = program.connect()
        sock.sendall(WAIT)
        assert program.line() == "waiting"
        leave(sock, way)
    for _ in range(20):
        assert program.ask().endswith(b"yay")
        program.let_go()
    await_descriptors(program, descriptors)
    # Whoever got the number of a descriptor that was left has got nobody else's answer.
    assert program.ask().endswith(b"yay")
    assert b"ERROR" not in program.stop()


def test_a_number_that_is_used_again_does_not_get_the_answer_of_who_has_left(spawn: Spawn) -> None:
    program = spawn()
    for _ in range(50):
        sock = program.connect()
        sock.sendall(WAIT)
        assert program.line() == "waiting"
        leave(sock, "a reset")
        heirs = [program.connect() for _ in range(4)]
        for heir in heirs:
            heir.sendall(GET)
            assert heir.recv(4096).endswith(b"yay")
        program.let_go()
        for heir in heirs:
            heir.sendall(GET)
            assert heir.recv(4096).endswith(b"yay")
            heir.close()
        program.sockets.clear()
    program.stop()


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_client_that_sends_no_more_in_the_middle_of_its_answer_gets_all_of_it(behind: int, spawn: Spawn) -> None:
    program = spawn()
    with program.connect() as sock:
        sock.sendall(LARGE + LARGE * behind)
        received = len(sock.recv(1000))
        sock.shutdown(socket.SHUT_WR)
        while octets := sock.recv(1 << 20):
            received += len(octets)
    heads = received - (1 + behind) * LARGE_BYTES
    assert 0 < heads < (1 + behind) * 1000
    program.stop()


@pytest.mark.parametrize("way", WAYS)
def test_a_client_that_leaves_in_the_middle_of_its_answer_harms_nobody(way: str, spawn: Spawn) -> None:
    program = spawn()
    assert program.ask().endswith(b"yay")
    descriptors = program.descriptors
    for _ in range(30):
        sock = program.connect()
        sock.sendall(LARGE * 2)
        assert sock.recv(1000).startswith(b"HTTP/1.1 200 ")
        leave(sock, way)
        assert program.ask().endswith(b"yay")
    await_descriptors(program, descriptors)
    assert b"ERROR" not in program.stop()
