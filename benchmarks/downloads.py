"""What large downloads cost: `python benchmarks/downloads.py [--gib N]`.

Owns:  a client that reads and discards, and the server's memory before, while and after.
Knows: one tinybeam with its defaults; a file with a hole in it, which takes no room on the disk.
Never: a figure without a smaller download before it, which makes all that is made once.
"""

import argparse
import os
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.cpu import CpuTime, tree_time
from benchmarks.memory import private_bytes
from benchmarks.running import Running, start
from benchmarks.servers import Server, project_python

GOAL = "< 1 MiB of growth each"
_WARM_UP_MIB = 256
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class DownloadFigures:
    """Growth of the private memory, at most and when all was over; MiB; seconds; and CPU."""

    growth_most: int
    growth_left: int
    mib: float
    seconds: float
    cpu: CpuTime

    def __str__(self) -> str:
        cpu_us = (self.cpu.user_seconds + self.cpu.system_seconds) * 1e6 / self.mib
        return (
            f"{self.growth_most / 1024:,.0f} KiB of growth at most, {self.growth_left / 1024:,.0f} KiB in the end; "
            f"{self.mib / self.seconds:,.0f} MiB/s, {cpu_us:,.0f} us of CPU for a MiB"
        )


class Watch:
    """Looks at the private memory of a server again and again, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = 0

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            self.most = max(self.most, private_bytes(self._pid))


def _read(port: int, path: str) -> int:
    buffer = bytearray(256 * 1024)
    total = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while received := sock.recv_into(buffer):
            total += received
    return total


def measure(running: Running, warm_up: str, path: str) -> DownloadFigures:
    """Downloads a little, then much. Raises OSError."""
    _read(running.port, warm_up)
    before, cpu, began = private_bytes(running.pid), tree_time(running.pid), time.monotonic()
    with Watch(running.pid) as watch:
        total = _read(running.port, path)
    seconds, spent = time.monotonic() - began, tree_time(running.pid) - cpu
    left = private_bytes(running.pid) - before
    return DownloadFigures(max(watch.most - before, left), left, total / (1 << 20), seconds, spent)


def _tinybeam(port: int, scratch: Path) -> list[str]:
    return [project_python(), "-m", "tinybeam", "run", "benchmarks.apps.bodies_app:router", "--port", str(port)]


def report(gib: float) -> None:
    """Prints a line for each kind of download."""
    mib = int(gib * 1024)
    with tempfile.TemporaryDirectory() as files:
        os.environ["BENCH_FILES"] = files
        for name, size in (("small", _WARM_UP_MIB), ("large", mib)):
            with Path(files, name).open("wb") as file:
                file.truncate(size << 20)
        kinds = {
            "from a generator": (f"/large/{_WARM_UP_MIB}", f"/large/{mib}"),
            "of a file": ("/files/small", "/files/large"),
        }
        for kind, (warm_up, path) in kinds.items():
            with start(Server("tinybeam", "tinybeam", _tinybeam, lambda: "")) as running:
                print(f"{gib:g} GiB {kind}: {measure(running, warm_up, path)}", flush=True)


def main() -> None:
    """Prints a line for each kind of download, and the goal."""
    parser = argparse.ArgumentParser(prog="downloads", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gib", type=float, default=10)
    options = parser.parse_args()
    print(f"goal: {GOAL}")
    report(options.gib)


if __name__ == "__main__":
    main()
