"""Descriptors that run out, and connections that come and go."""

from __future__ import annotations

import resource
import socket
import struct
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Program, Spawn

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def answered(sock: socket.socket) -> bool:
    sock.sendall(GET)
    return sock.recv(4096).endswith(b"yay")


def test_with_no_descriptor_left_those_who_are_in_are_served_and_nothing_spins(spawn: Spawn) -> None:
    program = spawn(files=64)
    clients = [program.connect() for _ in range(200)]
    assert answered(clients[0])
    before, started = program.cpu_s, time.monotonic()
    served = 0
    while time.monotonic() - started < 1.5:  # a span to measure in, not a time for anything to happen
        served += answered(clients[0])
        time.sleep(0.01)
    share = (program.cpu_s - before) / (time.monotonic() - started)
    assert share < 0.2, f"{share:.0%} of a CPU while full"
    assert served > 10
    for client in clients[1:150]:
        client.close()
    assert all(answered(client) for client in clients[150:])
    program.stop()


def test_connections_that_come_and_go_leave_nothing_behind(spawn: Spawn) -> None:
    program = spawn()

    def cycles(count: int) -> None:
        for number in range(count):
            with socket.create_connection(("127.0.0.1", program.port)) as sock:
                if number % 4 == 0:
                    sock.sendall(GET)
                if number % 8 == 0:
                    sock.recv(4096)
                # A reset frees the port at once, or this machine would run out of them.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    cycles(5_000)
    settled(program)
    descriptors, memory = program.descriptors, program.memory
    cycles(95_000)
    settled(program)
    assert program.descriptors == descriptors
    assert program.memory < memory * 1.05 + (1 << 20)
    program.stop()


def test_connections_to_a_unix_socket_leave_nothing_behind_either(
    spawn: Spawn, tmp_path: Path, until: Callable[[Callable[[], object]], None]
) -> None:
    program = spawn("--uds", str(tmp_path / "socket"))

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(tmp_path / "socket"))
        return sock

    def cycles(count: int) -> None:
        for number in range(count):
            with connect() as sock:
                if number % 4 == 0:
                    sock.sendall(GET)
                if number % 8 == 0:
                    sock.recv(4096)
        # A connection is accepted after those before it, and answered after what was known of them was heeded.
        for _ in range(3):
            with connect() as sock:
                assert answered(sock)

    cycles(5_000)
    descriptors, memory = program.descriptors, program.memory
    cycles(95_000)
    until(lambda: program.descriptors <= descriptors)  # the end of the last one may be on its way
    assert program.memory < memory * 1.05 + (1 << 20)
    program.stop()


def test_descriptors_that_the_application_gives_back_are_used_though_no_connection_has_closed(spawn: Spawn) -> None:
    program = spawn(files=64)

    def got(sock: socket.socket, path: bytes) -> bytes:
        sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: t\r\n\r\n")
        return sock.recv(4096).rpartition(b"\r\n\r\n")[2]

    inside = program.connect()
    for _ in range(3):
        assert int(got(inside, b"/take")) > 10
        outside = [program.connect() for _ in range(10)]
        for sock in outside:
            sock.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert all(answered(inside) for _ in range(20))
        before, started = program.cpu_s, time.monotonic()
        time.sleep(1)  # a span to measure in
        share = (program.cpu_s - before) / (time.monotonic() - started)
        assert share < 0.2, f"{share:.0%} of a CPU while nobody can be let in"
        assert got(inside, b"/give") == b"given"
        for sock in outside:
            assert sock.recv(4096).endswith(b"yay")
            sock.close()
    program.stop()


def settled(program: Program) -> None:
    """Every reset that was sent so far has been seen: a request that is answered comes behind them all."""
    for _ in range(3):
        assert program.ask().endswith(b"yay")


@pytest.mark.native_only("an idle connection costs the portable engine 2 KiB")
def test_ten_thousand_idle_connections_keep_nobody_from_being_served(spawn: Spawn) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10_200:
        pytest.skip(f"the hard limit on open files is {hard}, and this needs 10,200")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        program = spawn("--keepalive-timeout-ms", "600000", "--header-timeout-ms", "600000")
        before = program.memory
        idle = [program.connect(f"127.0.0.{1 + number % 4}") for number in range(10_000)]
        assert all(answered(sock) for sock in idle[::100])
        each = (program.memory - before) / len(idle)
        assert each < 1024, f"an idle connection costs {each:.0f} octets"
        cpu = program.cpu_s
        time.sleep(1)  # a span to measure in
        assert program.cpu_s - cpu < 0.1
        assert answered(idle[-1])
        program.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_connections_than_allowed_wait_and_are_served_when_there_is_room(spawn: Spawn) -> None:
    program = spawn("--connections-max", "10")
    inside = [program.connect() for _ in range(10)]
    assert all(answered(sock) for sock in inside)
    outside = [program.connect() for _ in range(20)]
    for sock in outside:
        sock.sendall(GET)
    for sock in inside:
        assert answered(sock)
        sock.close()
    for sock in outside:
        assert sock.recv(4096).endswith(b"yay")
        sock.close()
    program.stop()
