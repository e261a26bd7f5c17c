"""Many requests at once on one connection."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.conftest import Spawn


def test_what_comes_behind_a_bad_request_never_reaches_a_handler(spawn: Spawn) -> None:
    program = spawn()
    bad_then_good = b"GET / HTTP/1.1\r\nHost: t\r\nBad Name: x\r\n\r\nGET /see HTTP/1.1\r\nHost: t\r\n\r\n"
    for number in range(10_000):
        with program.connect() as sock:
            sock.sendall(bad_then_good)
            if number % 10 == 0:
                assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")
        program.sockets.clear()
    assert program.ask(b"GET /seen HTTP/1.1\r\nHost: t\r\n\r\n").endswith(b"\r\n\r\n0")
    program.stop()


def test_a_bad_second_request_does_not_cost_the_first_its_answer(spawn: Spawn) -> None:
    program = spawn()
    waiting = program.connect()
    waiting.sendall(b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\nnonsense\r\n\r\n")
    assert program.line() == "waiting"
    program.let_go()
    received = b""
    while octets := waiting.recv(65536):
        received += octets
    assert received.index(b"HTTP/1.1 200 ") < received.index(b"waited") < received.index(b"HTTP/1.1 400 ")
    program.stop()


def test_a_thousand_requests_of_a_client_that_does_not_read_are_held_back_and_then_answered_in_order(
    spawn: Spawn,
) -> None:
    program = spawn("--write-timeout-ms", "600000")
    filler = b"x" * 50_000
    requests = [
        b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n%06d%b" % (6 + len(filler), number, filler)
        for number in range(1000)
    ]
    before = program.memory
    sock = program.connect()
    sock.setblocking(False)
    octets = b"".join(requests)
    sent = 0
    while True:  # until both sides' buffers are full
        try:
            sent += sock.send(octets[sent : sent + 65536])
        except BlockingIOError:
            for _ in range(20):
                assert program.ask().endswith(b"yay")  # the server has had its turns, and others are served
            try:
                sent += sock.send(octets[sent : sent + 65536])
            except BlockingIOError:
                break
        if sent == len(octets):
            break
    assert sent < len(octets), "the server has read all of 50 MB for a client that reads nothing"
    assert program.memory - before < 16 << 20
    sock.setblocking(True)
    sock.settimeout(0.01)
    received = bytearray()
    while received.count(b"HTTP/1.1 200 OK") < 1000 or not received.endswith(filler):
        with contextlib.suppress(TimeoutError):
            received += sock.recv(1 << 20)
        if sent < len(octets):
            sock.settimeout(0.0001)
            with contextlib.suppress(TimeoutError, BlockingIOError):
                sent += sock.send(octets[sent : sent + 65536])
    numbers = [int(part[:6]) for part in bytes(received).split(b"\r\n\r\n")[1:]]
    assert numbers == list(range(1000))
    program.stop()


def test_what_comes_behind_a_bad_request_reaches_no_handler_while_an_earlier_one_is_slow_either(spawn: Spawn) -> None:
    program = spawn()
    wait_bad_good = (
        b"GET /wait HTTP/1.1\r\nHost: t\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\nBad Name: x\r\n\r\n"
        b"GET /see HTTP/1.1\r\nHost: t\r\n\r\n"
    )
    for _ in range(20):
        clients = [program.connect() for _ in range(50)]
        for sock in clients:
            sock.sendall(wait_bad_good)
        for _ in clients:
            assert program.line() == "waiting"
        for _ in clients:
            program.let_go()
        for sock in clients:
            received = b""
            while octets := sock.recv(65536):
                received += octets
            assert received.count(b"HTTP/1.1 ") == 2
            assert received.index(b"HTTP/1.1 200 ") < received.index(b"waited") < received.index(b"HTTP/1.1 400 ")
            sock.close()
        program.sockets.clear()
    assert program.ask(b"GET /seen HTTP/1.1\r\nHost: t\r\n\r\n").endswith(b"\r\n\r\n0")
    program.stop()


def test_a_client_that_does_not_read_is_given_no_more_handlers_than_a_pipeline_may_have(spawn: Spawn) -> None:
    program = spawn("--write-timeout-ms", "600000", "--pipeline-requests-max", "8")
    sock = program.connect()
    see_large = b"GET /see HTTP/1.1\r\nHost: t\r\n\r\nGET /large HTTP/1.1\r\nHost: t\r\n\r\n"
    sock.sendall(see_large * 50)
    for _ in range(50):
        assert program.ask().endswith(b"yay")  # the server has had its turns
    seen = int(program.ask(b"GET /seen HTTP/1.1\r\nHost: t\r\n\r\n").rpartition(b"\r\n\r\n")[2])
    assert 0 < seen <= 8
    program.stop()
