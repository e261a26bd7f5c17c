"""User memory of idle keep-alive connections.

Owns:  thousands of open connections, each after one request, and the reading of the server's private memory.
Knows: Linux's /proc/PID/smaps_rollup, HTTP/1.1 enough to see that an answer is whole.
Never: kernel memory: socket buffers are the same for every server.
"""

import contextlib
import resource
import select
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import tree

_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Reset instead of close: 10,000 sockets in TIME_WAIT would take the ports of the next server.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
WARM_UP_CONNECTIONS = 200


@dataclass(frozen=True)
class IdleMemory:
    """Octets per connection, the whole tree's private memory with all of them open, and how many were still open."""

    bytes_per_connection: float
    total_bytes: int
    connections: int


def raise_open_files_limit(wanted: int) -> int:
    """Lets this OS process, and the servers it starts, open that many files. Returns the limit that was had."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < min(wanted, hard):
        soft = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def private_bytes(pid: int) -> int:
    """Private dirty memory of the tree of OS processes: what would be freed if it ended."""
    total = 0
    for member in tree(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Private_Dirty:"):
                    total += int(line.split()[1]) * 1024
    return total


def _open_connection(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.sendall(_REQUEST)
    answer = b""
    while not answer.endswith(b"\r\n\r\nyay"):
        octets = sock.recv(4096)
        if not octets:
            raise ConnectionError("the server closed a connection before it had answered")
        answer += octets
    return sock


def _still_open(socks: list[socket.socket]) -> int:
    poller = select.poll()
    for sock in socks:
        poller.register(sock, select.POLLIN | select.POLLHUP)
    return len(socks) - len(poller.poll(0))


def idle_memory(pid: int, port: int, connections: int) -> IdleMemory:
    """Opens the connections one after the other, each with one request, and leaves them idle. Raises OSError."""
    with contextlib.ExitStack() as stack:
        for _ in range(WARM_UP_CONNECTIONS):
            stack.enter_context(contextlib.closing(_open_connection(port)))
        before = private_bytes(pid)
        socks = [stack.enter_context(contextlib.closing(_open_connection(port))) for _ in range(connections)]
        after = private_bytes(pid)
        still_open = _still_open(socks)
    return IdleMemory((after - before) / max(still_open, 1), after, still_open)
