"""Instructions of a request, in this tree and in another one: `python benchmarks/instructions.py TREE`.

Owns:  a server of each tree under valgrind, and the table of what a request costs in each.
Knows: that what a request costs is what 8,000 more of them add, and that a batch of one has a poll for itself.
Never: a time. Valgrind counts what is executed outside the kernel, whatever else the machine does meanwhile.
"""

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.before import command_of
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import ROOT

FEW, MANY = 1000, 9000
# The monitor would find each handler blocked, so slow is a server under valgrind.
FLAGS = ("--takeover-ms", "60000")


def _ask(port: int, scenario: Scenario, count: int, batch: int) -> None:
    """Sends so many requests on one connection, so many at once."""
    request = f"GET {scenario.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        for _ in range(0, count, batch):
            sock.sendall(request * batch)
            answers = b""
            while answers.count(b"\r\n\r\n" + scenario.answer) < batch:
                octets = sock.recv(1 << 20)
                if not octets:
                    raise SystemExit(f"{scenario.path} was not answered: {answers!r}")
                answers += octets


def _instructions(tree: Path, scenario: Scenario, count: int, batch: int) -> int:
    """What a server executes from its start to its end, with so many requests between them."""
    with tempfile.NamedTemporaryFile("r") as log:
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        server = subprocess.Popen(
            [*valgrind, f"--log-file={log.name}", *command_of(tree, 0), *FLAGS],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
            text=True,
        )
        try:
            assert server.stdout is not None
            _ask(int(server.stdout.readline().split()[4].rpartition(":")[2]), scenario, count, batch)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        found = re.search(r"I\s+refs:\s+([\d,]+)", log.read())
        if found is None:
            raise SystemExit(f"valgrind has counted nothing: {log.read()}")
        return int(found[1].replace(",", ""))


def main() -> None:
    """Counts for each scenario and size of batch, first in the other tree."""
    parser = argparse.ArgumentParser(prog="instructions", description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path)
    parser.add_argument("--only", default="index,users")
    parser.add_argument("--batches", default="1,32")
    options = parser.parse_args()
    for scenario in [one for one in SCENARIOS if one.name in options.only.split(",")]:
        for batch in map(int, options.batches.split(",")):
            before, now = (
                (_instructions(tree, scenario, MANY, batch) - _instructions(tree, scenario, FEW, batch)) / (MANY - FEW)
                for tree in (options.tree.resolve(), ROOT)
            )
            ratio = now / before
            print(
                f"{scenario.name:8} {batch:3} at once: {before:9,.0f} before, {now:9,.0f} now, {ratio:.3f}", flush=True
            )


if __name__ == "__main__":
    main()
