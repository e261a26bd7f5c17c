"""The command line of the benchmarks: `python benchmarks/run.py --help`, or `python -m benchmarks.run`.

Owns:  the options, the order of servers and scenarios, and what is printed where.
Knows: all the other files of this folder.
Never: a server left behind: each lives in a `with` block.
"""

import argparse
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.load import LoadError, wrk_version
from benchmarks.machine import facts
from benchmarks.measure import IdleRow, Plan, Row, run_idle, run_pairs
from benchmarks.memory import raise_open_files_limit
from benchmarks.report import document, tables
from benchmarks.running import Running, ServerError, start
from benchmarks.scenarios import IDLE_SCENARIOS, NAMES, SCENARIOS, Scenario
from benchmarks.servers import CONNECTIONS_MAX, Server, catalogue

_IDLE_CONNECTIONS = 10_000
_TROUBLES = (ServerError, LoadError, OSError)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line; leaves with exit code 2 when it names something that there is not."""
    known = [server.name for server in catalogue()]
    parser = argparse.ArgumentParser(prog="bench", description="Measures tinybeam beside nginx and other servers.")
    parser.add_argument("--only", type=_names, help=f"scenarios, by comma: {', '.join(NAMES)}")
    parser.add_argument("--peers", type=_names, help=f"servers, by comma: {', '.join(known)}; nginx always runs")
    parser.add_argument("--rounds", type=int, default=3, help="pairs of runs per server and scenario [3]")
    parser.add_argument("--seconds", type=float, default=3, help="whole seconds of one run [3]")
    parser.add_argument("--quick", action="store_true", help="one round of one second; only to see that all works")
    parser.add_argument("--pin", action="store_true", help="servers on CPU 0, wrk on CPU 1")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write every sample to this file")
    parser.add_argument("--markdown", action="store_true", help="print a whole RESULTS.md instead of the tables alone")
    options = parser.parse_args(arguments)
    for name in set(options.only or ()) - set(NAMES):
        parser.error(f"no scenario is called {name!r}; there are: {', '.join(NAMES)}")
    for name in set(options.peers or ()) - set(known):
        parser.error(f"no server is called {name!r}; there are: {', '.join(known)}")
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    return options


def _command(options: argparse.Namespace) -> str:
    # Written out again instead of copied, so that no path of this machine gets into a report.
    words = ["python mix_like_tasks.py bench"]
    words += [f"--only {','.join(options.only)}"] if options.only else []
    words += [f"--peers {','.join(options.peers)}"] if options.peers else []
    words += ["--quick"] if options.quick else [f"--rounds {options.rounds} --seconds {options.seconds:g}"]
    words += [f"--{name}" for name in ("pin", "markdown") if getattr(options, name)]
    return " ".join(words)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(server: Server, scenario: Scenario, baseline: Running | None, plan: Plan, cpu: int | None) -> Row:
    # A fresh start for each: what one scenario taught a server, or broke in it, is not to be seen in the next.
    _say(f"  {scenario.name}")
    try:
        with start(server, cpu=cpu) as running:
            return run_pairs(running, scenario, baseline, plan)
    except _TROUBLES as error:
        _say(f"    {error}")
        return Row(scenario.name, server.name, trouble=str(error))


def _idle(server: Server, wanted: set[str], plan: Plan, cpu: int | None) -> IdleRow:
    # A fresh start: a server that has just been under load still has threads to retire and memory to reuse.
    _say("  idle")
    try:
        with start(server, cpu=cpu) as running:
            return run_idle(running, wanted, plan)
    except _TROUBLES as error:
        return IdleRow(server.name, trouble=str(error))


def run(servers: Sequence[Server], wanted: set[str], plan: Plan, cpu: int | None) -> tuple[list[Row], list[IdleRow]]:
    """Measures the installed servers one after the other, nginx beside each; nginx is the first of `servers`."""
    rows: list[Row] = []
    idle_rows: list[IdleRow] = []
    with contextlib.ExitStack() as stack:
        nginx, *others = servers
        baseline = None
        if nginx.version() is None:
            _say("nginx is not installed (Debian: apt install nginx-light): there will be no ratios")
        else:
            baseline = stack.enter_context(start(nginx, cpu=cpu))
        for server in others:
            _say(server.title)
            rows += [
                _measure(server, scenario, baseline, plan, cpu)
                for scenario in SCENARIOS
                if scenario.name in wanted and scenario.suits(server.name)
            ]
    if idle_wanted := wanted & set(IDLE_SCENARIOS):
        for server in servers:
            if server.version() is not None and server.name != "nginx-echo":
                _say(server.title)
                idle_rows.append(_idle(server, idle_wanted, plan, cpu))
    return rows, idle_rows


def main() -> int:
    """Runs what was asked for. Tables go to standard output, progress to standard error."""
    options = parse()
    # A terminated benchmark unwinds its `with` blocks too, and so stops its servers.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        versions: dict[str, str | None] = {"wrk": wrk_version()}
    except LoadError as error:
        _say(str(error))
        return 2
    everyone = catalogue()
    versions |= {server.name: server.version() for server in everyone}
    chosen = [server for server in everyone[1:] if options.peers is None or server.name in options.peers]
    for server in chosen:
        if versions[server.name] is None:
            remedy = "python mix_like_tasks.py compile" if server.name == "tinybeam" else "benchmarks/requirements*.txt"
            _say(f"{server.name} is not installed (see {remedy})")
    present = [everyone[0], *(server for server in chosen if versions[server.name] is not None)]
    open_files = raise_open_files_limit(CONNECTIONS_MAX + 64)
    plan = Plan(
        seconds=1 if options.quick else options.seconds,
        rounds=1 if options.quick else options.rounds,
        idle_seconds=5,
        idle_connections=min(_IDLE_CONNECTIONS, open_files - 300),
        load_cpu=1 if options.pin else None,
    )
    where = facts()
    try:
        rows, idle_rows = run(present, set(options.only or NAMES), plan, 0 if options.pin else None)
    except ServerError as error:
        _say(f"the baseline failed: {error}")
        return 1
    body = tables(rows, idle_rows, {server.name: server.title for server in everyone})
    command = _command(options)
    print(document(where, versions, command, body) if options.markdown else body)
    if options.json is not None:
        record = {"facts": where, "versions": versions, "command": command, "plan": dataclasses.asdict(plan)}
        record |= {"rows": list(map(dataclasses.asdict, rows)), "idle": list(map(dataclasses.asdict, idle_rows))}
        options.json.write_text(json.dumps(record, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
