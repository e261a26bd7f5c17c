"""What large downloads cost: `python benchmarks/downloads.py [--gib N]`.

Owns:  a client that reads and discards, and sees that all has come.
Knows: one tinybeam with its defaults; a file with a hole in it, which takes no room on the disk.
Never: keeps what it reads.
"""

import argparse
import os
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.running import start
from benchmarks.servers import tinybeam
from benchmarks.transfers import GOAL, WARM_UP_MIB, measure


def _read(port: int, folder: str, mib: int) -> None:
    buffer = bytearray(256 * 1024)
    total = 0
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        sock.sendall(f"GET {folder}/{mib} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        while received := sock.recv_into(buffer):
            total += received
    if total < mib << 20:
        raise OSError(f"{folder}/{mib} has given {total} octets")


def report(gib: float) -> None:
    """Prints a line for each kind of download."""
    mib = int(gib * 1024)
    with tempfile.TemporaryDirectory() as files:
        os.environ["BENCH_FILES"] = files
        for size in (WARM_UP_MIB, mib):
            with Path(files, str(size)).open("wb") as file:
                file.truncate(size << 20)
        for kind, folder in (("from a generator", "/large"), ("of a file", "/files")):
            with start(tinybeam("bodies_app")) as running:
                figures = measure(running.pid, partial(_read, running.port, folder), mib)
            print(f"{gib:g} GiB {kind}: {figures}", flush=True)


def main() -> None:
    """Prints a line for each kind of download, and the goal."""
    parser = argparse.ArgumentParser(prog="downloads", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gib", type=float, default=10)
    options = parser.parse_args()
    print(f"goal: {GOAL}")
    report(options.gib)


if __name__ == "__main__":
    main()
