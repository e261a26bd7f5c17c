"""A normal client beside 1,000 slow ones: `python benchmarks/slow_clients.py [--slow N] [--rounds N] [--seconds N]`.

Owns:  the slow clients, a third each of those that drip a head, drip a body, and read a large answer octet by octet.
Knows: one tinybeam with default limits; a keep-alive connection that asks again as soon as it is answered.
Never: a figure with the slow ones without one without them, taken right before or after it.
"""

import argparse
import contextlib
import socket
import sys
import threading
import time
from pathlib import Path
from statistics import median

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.memory import raise_open_files_limit
from benchmarks.running import start
from benchmarks.servers import tinybeam

_GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
_OPENINGS = (
    b"GET / HTTP/1.1\r\nX: ",
    b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\n",
    # So many answers that no buffer holds them all.
    b"GET /constant HTTP/1.1\r\nHost: t\r\n\r\n" * 3000,
)


class SlowClients:
    """Keeps so many of them busy in a thread: each moves one octet in every tenth of a second.

    Those that the server has had enough of are replaced.
    """

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._count = count
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.replaced = 0

    def __enter__(self) -> "SlowClients":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()

    def _open(self, number: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self._port))
        if number % 3 == 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.send(_OPENINGS[number % 3])
        return sock

    def _run(self) -> None:
        clients = [self._open(number) for number in range(self._count)]
        while not self._ending.wait(0.1):
            for number, sock in enumerate(clients):
                try:
                    if number % 3 == 2:
                        with contextlib.suppress(BlockingIOError):
                            sock.recv(1)
                    else:
                        sock.send(b"a")
                except OSError:
                    sock.close()
                    clients[number] = self._open(number)
                    self.replaced += 1
        for sock in clients:
            sock.close()


def latencies_ms(port: int, seconds: float) -> list[float]:
    """How long each answer took a client that asks one after the other."""
    found = []
    sock = socket.create_connection(("127.0.0.1", port))
    until = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until:
        sock.sendall(_GET)
        received = sock.recv(4096)
        found.append((time.perf_counter() - begun) * 1000)
        if b"\r\nConnection: close\r\n" in received:  # it has made as many requests as a connection may
            sock.close()
            sock = socket.create_connection(("127.0.0.1", port))
        assert received.endswith(b"yay"), received
    sock.close()
    return sorted(found)


def main() -> None:
    """Prints the percentiles of both, round by round."""
    parser = argparse.ArgumentParser(prog="slow_clients", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slow", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    raise_open_files_limit(options.slow + 200)
    ours = tinybeam()
    worst = []
    with start(ours) as running:
        for _ in range(options.rounds):
            for slow in (0, options.slow):
                with SlowClients(running.port, slow) as clients:
                    time.sleep(1)
                    times = latencies_ms(running.port, options.seconds)
                p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
                print(
                    f"{slow:5} slow clients ({clients.replaced} replaced): {len(times)} answers, "
                    f"p50 {p50:.3f} ms, p99 {p99:.3f} ms, max {times[-1]:.1f} ms",
                    flush=True,
                )
                if slow:
                    worst.append(p99)
    print(f"p99 beside {options.slow} slow clients, median of {options.rounds} rounds: {median(worst):.2f} ms")


if __name__ == "__main__":
    main()
