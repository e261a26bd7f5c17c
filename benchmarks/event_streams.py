"""What open streams of events cost: `python benchmarks/event_streams.py [--streams N] [--seconds N] [--kinds ...]`.

Owns:  the clients that hold the streams open and read them, and the figures of the server beside them.
Knows: one tinybeam for each kind of source, so that no kind finds the memory of another; Linux's /proc.
Never: counts the kernel's memory as the server's; what its sockets take is told beside it.
"""

import argparse
import contextlib
import os
import selectors
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.cpu import CpuTime, tree_time
from benchmarks.memory import private_bytes, raise_open_files_limit
from benchmarks.running import Running, start
from benchmarks.servers import tinybeam

KINDS = ("wait", "pubsub", "async")
GOAL = "< 4,096 octets each, < 1 core"
_WARM_UP_STREAMS = 200
_SETTLE_SECONDS = 3.0
# As a browser asks, so that what is kept of a request would be seen.
_FIELDS = (
    "Host: localhost:8000\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n"
    "Accept: text/event-stream\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nReferer: http://localhost:8000/\r\n"
    "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nCache-Control: no-cache\r\n"
)
# Reset instead of close: 10,000 sockets in TIME_WAIT would take the ports of the next server.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Readers:
    """Open streams of one server, all read in the caller's thread while it waits."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\n{_FIELDS}\r\n".encode()
        self._selector = selectors.EpollSelector()
        self._socks: list[socket.socket] = []
        self.events = 0
        self.ended = 0

    def open(self, count: int) -> None:
        """Opens so many more streams; the events that come meanwhile are read. Raises OSError."""
        for number in range(count):
            sock = socket.create_connection(("127.0.0.1", self._port), timeout=10)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            sock.sendall(self._request)
            sock.setblocking(False)
            self._socks.append(sock)
            self._selector.register(sock, selectors.EVENT_READ)
            if number % 50 == 0:
                self._read(0)

    def read_for(self, seconds: float) -> None:
        """Reads what comes for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            try:
                octets = sock.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                octets = b""
            self.events += octets.count(b"data: ")
            if not octets:
                self.ended += 1
                self._selector.unregister(sock)

    def close(self) -> None:
        """Resets all of them."""
        self._selector.close()
        for sock in self._socks:
            sock.close()


@dataclass(frozen=True)
class EventFigures:
    """Private octets of the server and octets of the kernel's sockets for one stream; cores; and what was read."""

    bytes_each: float
    kernel_bytes_each: float
    cores: CpuTime
    events_per_second: float
    ended: int

    def __str__(self) -> str:
        cores = self.cores.user_seconds + self.cores.system_seconds
        lost = f"; {self.ended} STREAMS ENDED" if self.ended else ""
        return (
            f"{self.bytes_each:,.0f} octets of private memory each (the kernel's sockets, both ends: "
            f"{self.kernel_bytes_each:,.0f}), {cores:.2f} cores ({self.cores.system_seconds:.2f} of it system), "
            f"{self.events_per_second:,.0f} events a second{lost}"
        )


def _kernel_bytes() -> int:
    """What the slabs of sockets and the like take, of the whole machine; 0 where it cannot be read."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Slab:")).split()[1]) * 1024
    return 0


@contextlib.contextmanager
def _readers(running: Running, path: str) -> Iterator[Readers]:
    readers = Readers(running.port, path)
    try:
        yield readers
    finally:
        readers.close()


def measure(running: Running, path: str, count: int, seconds: float) -> EventFigures:
    """Opens the streams, lets them settle, and looks for so long what they cost. Raises OSError."""
    with _readers(running, path) as warm:
        warm.open(_WARM_UP_STREAMS)
        warm.read_for(1.5)
    time.sleep(_SETTLE_SECONDS)
    before, kernel_before = private_bytes(running.pid), _kernel_bytes()
    with _readers(running, path) as readers:
        readers.open(count)
        readers.read_for(_SETTLE_SECONDS)
        seen, began, cpu = readers.events, time.monotonic(), tree_time(running.pid)
        readers.read_for(seconds)
        elapsed, spent = time.monotonic() - began, tree_time(running.pid) - cpu
        after, kernel_after = private_bytes(running.pid), _kernel_bytes()
        return EventFigures(
            bytes_each=(after - before) / count,
            kernel_bytes_each=(kernel_after - kernel_before) / count,
            cores=CpuTime(spent.user_seconds / elapsed, spent.system_seconds / elapsed),
            events_per_second=(readers.events - seen) / elapsed,
            ended=readers.ended,
        )


def report(count: int, seconds: float, kinds: tuple[str, ...] = KINDS) -> None:
    """Prints a line for each kind of source."""
    raise_open_files_limit(count + 256)
    with tempfile.TemporaryDirectory() as files:
        os.environ["BENCH_FILES"] = files  # none are asked for here
        for kind in kinds:
            with start(tinybeam("bodies_app")) as running:
                print(f"{count:,} streams, {kind}: {measure(running, f'/events/{kind}', count, seconds)}", flush=True)


def main() -> None:
    """Prints a line for each kind of source, and the goal."""
    parser = argparse.ArgumentParser(prog="event_streams", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    print(f"goal: {GOAL}")
    report(options.streams, options.seconds, tuple(options.kinds))


if __name__ == "__main__":
    main()
