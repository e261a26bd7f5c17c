"""What processes cost a server: `python benchmarks/process_server.py [--rounds N] [--seconds N] [--floods N]`.

Owns:  the price of a handler that calls or casts beside that of its twin, and the latency beside a flood.
Knows: that figures of one server count only beside one another, in turns.
Never: measures the flood before the rest: it does not end.
"""

import argparse
import http.client
import sys
from pathlib import Path
from statistics import median

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import run_once
from benchmarks.running import start
from benchmarks.scenarios import Scenario
from benchmarks.servers import tinybeam
from benchmarks.slow_clients import latencies_ms

_PLAIN = Scenario("plain", "a handler that does nothing else", "/plain", b"1", "-")
_TWINS = {
    "call": Scenario("call", "a handler that calls a GenServer", "/call", b"1", "<= 1.5"),
    "cast": Scenario("cast", "a handler that casts", "/cast", b"1", "-"),
}


def _get(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    connection.getresponse().read()
    connection.close()


def main() -> None:
    """Prints the ratios, and the percentiles without and with the flood."""
    parser = argparse.ArgumentParser(prog="process_server", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--floods", type=int, default=100)
    options = parser.parse_args()
    with start(tinybeam("process_app")) as running:
        for scenario in (_PLAIN, *_TWINS.values()):
            running.check(scenario)
            run_once(running, scenario, 1)
        for name, twin in _TWINS.items():
            ratios = []
            for _ in range(options.rounds):
                own = run_once(running, twin, options.seconds)
                ratios.append(own.cpu_us / run_once(running, _PLAIN, options.seconds).cpu_us)
            low, high = min(ratios), max(ratios)
            print(f"{name}: CPU by request / without {median(ratios):.2f} ({low:.2f} to {high:.2f}); goal {twin.goal}")
        for floods in (0, options.floods):
            if floods:
                _get(running.port, f"/flood/{floods}")
            times = latencies_ms(running.port, options.seconds)
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            print(f"beside {floods} processes that flood themselves: GET / p50 {p50:.2f} ms, p99 {p99:.2f} ms")


if __name__ == "__main__":
    main()
