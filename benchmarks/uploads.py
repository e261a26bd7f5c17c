"""What large uploads cost: `python benchmarks/uploads.py [--gib N]`.

Owns:  a client that sends as fast as it is let, and checks that all has arrived.
Knows: one tinybeam with its defaults.
Never: takes less than all for an answer.
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
from benchmarks.transfers import GOAL, measure

_PIECE = bytes(256 * 1024)


def _send(port: int, path: str, mib: int) -> None:
    total = mib << 20
    with socket.create_connection(("127.0.0.1", port), timeout=600) as sock:
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {total}\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        for _ in range(total // len(_PIECE)):
            sock.sendall(_PIECE)
        answer = b""
        while received := sock.recv(65536):
            answer += received
    if not answer.endswith(f"\r\n\r\n{total}".encode()):
        raise OSError(f"{path} has answered {answer!r}")


def main() -> None:
    """Prints a line for each kind of upload, and the goal."""
    parser = argparse.ArgumentParser(prog="uploads", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gib", type=float, default=10)
    parser.add_argument("paths", nargs="*", default=["/stream", "/async", "/save", "/spool"], metavar="PATH")
    options = parser.parse_args()
    print(f"goal: {GOAL}")
    with tempfile.TemporaryDirectory() as files:
        os.environ["BENCH_FILES"] = os.environ["TMPDIR"] = files
        for path in options.paths:
            with start(tinybeam("uploads_app")) as running:
                figures = measure(running.pid, partial(_send, running.port, path), int(options.gib * 1024))
            print(f"{options.gib:g} GiB to {path}: {figures}", flush=True)


if __name__ == "__main__":
    main()
