"""Signals, and stops of the whole process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.conftest import Spawn

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def answered(sock: socket.socket) -> bool:
    sock.sendall(GET)
    return sock.recv(4096).endswith(b"yay")


def test_a_process_that_was_stopped_goes_on_with_healthy_connections_and_closes_the_expired_ones(spawn: Spawn) -> None:
    program = spawn("--header-timeout-ms", "700", "--keepalive-timeout-ms", "60000")
    healthy = [program.connect() for _ in range(100)]
    assert all(answered(sock) for sock in healthy)
    late = [program.connect() for _ in range(100)]
    for sock in late:
        sock.sendall(b"GET / HTTP/1.1\r\n")
    half = program.connect()
    half.sendall(b"GET / HTTP/1.1\r\n")
    assert answered(healthy[0])  # the server has read them
    os.kill(program.process.pid, signal.SIGSTOP)
    half_until = socket.socketpair()
    half_until[0].settimeout(1.5)
    with contextlib.suppress(TimeoutError):
        half_until[0].recv(1)  # nothing comes: time passes, for the process is stopped and cannot tell when
    for sock in [*healthy, half]:
        sock.sendall(GET if sock is not half else b"Host: t\r\n\r\n")
    os.kill(program.process.pid, signal.SIGCONT)
    for sock in [*healthy, half]:
        assert sock.recv(4096).endswith(b"yay")
    for sock in late:
        assert sock.recv(4096).startswith(b"HTTP/1.1 408 ")
    for side in half_until:
        side.close()
    assert b"ERROR" not in program.stop()


def test_the_hosts_way_with_sigpipe_is_left_alone(spawn: Spawn) -> None:
    program = spawn()

    def masks() -> list[str]:
        text = Path(f"/proc/{program.process.pid}/status").read_text()
        return [line for line in text.splitlines() if line.startswith(("SigIgn", "SigCgt"))]

    before = masks()
    for _ in range(50):
        with program.connect() as sock:
            sock.sendall(b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
    assert program.ask().endswith(b"yay")
    assert masks() == before
    program.stop()


def test_a_port_can_be_listened_on_again_at_once(spawn: Spawn) -> None:
    first = spawn()
    sock = first.connect()
    assert answered(sock)
    port = first.port
    first.stop()
    second = spawn("--port", str(port))
    assert second.port == port
    assert second.ask().endswith(b"yay")
    second.stop()
