"""Processes beside pykka's and the BEAM's: `python benchmarks/processes.py [--rounds N] [--only JOBS] [--scale X]`.

Owns:  the counts of each job, the order of the rounds, and the tables.
Knows: process_jobs.py for ours and pykka's, processes.erl for the BEAM's; each job of each system has an OS process of
       its own. Without `erl` (Debian: erlang-base) it goes on without the BEAM, and says so.
Never: a verdict; the goals stand beside the figures.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

if not __package__:  # Started as a file: the folder above is where the package `benchmarks` is found.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.machine import facts
from benchmarks.report import table
from benchmarks.servers import ROOT, project_python

TIMEOUT_S = 300
OURS = "tinybeam"
# So many may be alive; the BEAM's own limit is 262,144.
BEAM_PROCESSES_MAX = 2_000_000

_NOTES = """\
Microseconds by operation. "/ tinybeam" is the median over the rounds of the other's wall clock by ours of the same
round: above 1 ours is faster. CPU is user + system time of the OS process, all threads; the BEAM's is exact to 10 ms.
Bytes are the growth of the resident memory by process, with all alive. pykka's actors are threads, so there are only
some thousand of them. A `start` returns when `init` has. A call, unless it says otherwise, finds its process idle: ours
is then run in the caller's thread, which the BEAM never does. Each job was done before with a tenth as many operations,
but for the start. Crash reports are turned off in all."""


@dataclass(frozen=True)
class Job:
    """A job, its count of operations for each kind of system, and the goal."""

    name: str
    title: str
    count: int
    pykka_count: int  # 0: pykka has no such thing
    goal: str
    # A million processes take their time; they are started in one of so many rounds.
    every: int = 1


JOBS = (
    Job("start", "start, all alive at once", 1_000_000, 2000, "<= 5 us, <= 1,024 bytes", every=3),
    Job("call", "call to an idle one", 300_000, 5000, "<= 1 us"),
    Job("cast_send", "cast, the sender's part", 300_000, 100_000, "<= 1 us"),
    Job("cast", "cast, until handled", 300_000, 50_000, "-"),
    Job("stop", "stop, one by one", 100_000, 2000, "<= 20 us (100,000 in 2 s)"),
    Job("restart", "crash until restarted", 5000, 0, "<= 200 us"),
    Job("ping_pong", "one cast of a ping-pong", 200_000, 5000, "-"),
    Job("busy_call", "call to a busy one, 2 callers", 200_000, 5000, "-"),
    Job("chain", "call through a chain of 10", 20_000, 500, "-"),
)


@dataclass
class Row:
    """What a system did in a job: a sample for each round, or why there is none."""

    job: Job
    system: str
    count: int
    samples: dict[int, dict[str, float]] = field(default_factory=dict)
    trouble: str = ""

    def figures(self, key: str) -> list[float]:
        return [sample[key] for sample in self.samples.values() if key in sample]


class Systems:
    """The command of each system that is here, by name."""

    def __init__(self, scratch: Path) -> None:
        python = [project_python(), str(ROOT / "benchmarks" / "process_jobs.py")]
        self.commands = {OURS: [*python, "tinybeam"], "pykka": [*python, "pykka"]}
        self.missing = ""
        erl, erlc = shutil.which("erl"), shutil.which("erlc")
        if erl is None or erlc is None:
            self.missing = "no `erl` here (Debian: erlang-base), so nothing of the BEAM"
            return
        subprocess.run([erlc, "-o", str(scratch), str(ROOT / "benchmarks" / "processes.erl")], check=True)
        for name, options in (("BEAM", []), ("BEAM, 1 scheduler", ["+S", "1:1"])):
            limit = ["+P", str(BEAM_PROCESSES_MAX)]
            run = ["-noshell", "-pa", str(scratch), "-run", "processes", "main"]
            self.commands[name] = [erl, *limit, *options, *run]

    def run_once(self, row: Row, round_number: int) -> None:
        """Runs a job in an OS process of its own."""
        command = [*self.commands[row.system], row.job.name, str(row.count)]
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S)
            sample = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            row.trouble = f"not done within {TIMEOUT_S} s"
        except ValueError:
            row.trouble = f"failed: {(done.stderr.strip() or done.stdout.strip() or str(done.returncode))[-300:]}"
        else:
            if sample is None:
                row.trouble = "cannot do it"
            else:
                row.samples[round_number] = sample


def measure(systems: Systems, jobs: Sequence[Job], rounds: int, scale: float) -> list[Row]:
    """Runs every job in every system, round by round; every other round begins with the last system."""
    rows = []
    for job in jobs:
        for system in systems.commands:
            count = job.pykka_count if system == "pykka" else job.count
            if count:
                rows.append(Row(job, system, max(10, int(count * scale))))
    for round_number in range(rounds):
        for job in jobs:
            own = [row for row in rows if row.job is job]
            if round_number % job.every == 0:
                for row in own if round_number % 2 == 0 else reversed(own):
                    if not row.trouble:
                        systems.run_once(row, round_number)
                        print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def ratio(row: Row, ours: Row | None) -> float | None:
    """The other's wall clock by ours, the median over the rounds; None without both."""
    pairs = [
        sample["wall_us"] / ours.samples[number]["wall_us"]
        for number, sample in row.samples.items()
        if ours is not None and number in ours.samples
    ]
    return median(pairs) if pairs else None


def tables(rows: Sequence[Row]) -> str:
    """One table of ratios, and one of figures."""
    ours = {row.job: row for row in rows if row.system == OURS}
    others = list(dict.fromkeys(row.system for row in rows if row.system != OURS))
    by_place = {(row.job, row.system): row for row in rows}
    summary, details = [], []
    for job, own in ours.items():
        found = [by_place.get((job, system)) for system in others]
        ratios = [ratio(row, own) if row else None for row in found]
        wall, size = own.figures("wall_us"), own.figures("bytes")
        figure = (f"{median(wall):.2f} us" if wall else "-") + (f", {median(size):,.0f} bytes" if size else "")
        summary.append([job.title, job.goal, figure, *("-" if one is None else f"{one:.2f}" for one in ratios)])
    for row in rows:
        wall, cpu, size = row.figures("wall_us"), row.figures("cpu_us"), row.figures("bytes")
        cells = [f"{min(wall):.2f}", f"{median(wall):.2f}", f"{median(cpu):.2f}"] if wall else ["-", "-", "-"]
        cells.append(f"{median(size):,.0f}" if size else "-")
        details.append([f"{row.job.title}: {row.system}", f"{row.count:,}", *cells, row.trouble or "-"])
    head = ["what", "goal", OURS, *(f"{system} / {OURS}" for system in others)]
    detailed = ["what", "operations", "best us", "median us", "median CPU us", "bytes", "trouble"]
    return f"{table(head, summary)}\n\n{table(detailed, details)}"


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(prog="processes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(job.name for job in JOBS), help="names of jobs, with commas between")
    parser.add_argument("--scale", type=float, default=1.0, help="multiplies all counts")
    options = parser.parse_args()
    wanted = options.only.split(",")
    if unknown := set(wanted) - {job.name for job in JOBS}:
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    about = "\n".join(f"- {title}: {fact}" for title, fact in facts().items())
    with tempfile.TemporaryDirectory(prefix="tinybeam-processes-") as scratch:
        systems = Systems(Path(scratch))
        rows = measure(systems, [job for job in JOBS if job.name in wanted], options.rounds, options.scale)
    print(f"## Processes\n\n{about}\n\n{_NOTES}\n\n{tables(rows)}")
    if systems.missing:
        print(f"\nNote: {systems.missing}.")


if __name__ == "__main__":
    main()
