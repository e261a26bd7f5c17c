"""What large uploads cost: `python benchmarks/uploads.py [--gib N]`.

Owns:  a client that sends as fast as it is let, and checks that all has arrived.
Knows: one tinybeam with its defaults; how memory is watched, from downloads.py.
Never: a figure without a smaller upload before it, which makes all that is made once.
"""

import argparse
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.cpu import tree_time
from benchmarks.downloads import DownloadFigures, Watch
from benchmarks.memory import private_bytes
from benchmarks.running import Running, start
from benchmarks.servers import Server, project_python

GOAL = "< 1 MiB of growth each"
_WARM_UP_MIB = 256
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


def measure(running: Running, path: str, mib: int) -> DownloadFigures:
    """Uploads a little, then much. Raises OSError."""
    _send(running.port, path, _WARM_UP_MIB)
    before, cpu, began = private_bytes(running.pid), tree_time(running.pid), time.monotonic()
    with Watch(running.pid) as watch:
        _send(running.port, path, mib)
    seconds, spent = time.monotonic() - began, tree_time(running.pid) - cpu
    left = private_bytes(running.pid) - before
    return DownloadFigures(max(watch.most - before, left), left, mib, seconds, spent)


def _tinybeam(port: int, scratch: Path) -> list[str]:
    return [project_python(), "-m", "tinybeam", "run", "benchmarks.apps.uploads_app:router", "--port", str(port)]


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
            with start(Server("tinybeam", "tinybeam", _tinybeam, lambda: "")) as running:
                figures = measure(running, path, int(options.gib * 1024))
            print(f"{options.gib:g} GiB to {path}: {figures}", flush=True)


if __name__ == "__main__":
    main()
