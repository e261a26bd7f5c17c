"""The benchmark of processes, with a handful of operations: its shape, and what it says when something is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processes
from benchmarks.process_jobs import JOBS as PYTHON_JOBS
from benchmarks.process_jobs import SYSTEMS
from benchmarks.processes import JOBS, ROOT, Job, Row, Systems, measure, ratio, tables

OURS = [job.name for job in JOBS]
PYKKA = [job.name for job in JOBS if job.pykka_count]


def sample_of(system: str, job: str) -> dict[str, float] | None:
    """The one line that a job prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / "process_jobs.py"), system, job, "40"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] | None = json.loads(done.stdout)
    return found


def test_every_job_can_be_done() -> None:
    assert list(PYTHON_JOBS) == OURS
    assert set(SYSTEMS) == {"tinybeam", "pykka"}


@pytest.mark.parametrize(("system", "job"), [*(("tinybeam", job) for job in OURS), *(("pykka", job) for job in PYKKA)])
def test_a_job_gives_microseconds_on_both_clocks(system: str, job: str) -> None:
    sample = sample_of(system, job)
    if sample is None and job == "restart":
        pytest.skip("there is no Supervisor in tinybeam.process yet")
    assert sample is not None
    assert set(sample) == ({"wall_us", "cpu_us", "bytes"} if job == "start" else {"wall_us", "cpu_us"})
    assert sample["wall_us"] > 0


def test_without_erlang_the_others_are_measured_and_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processes.shutil, "which", lambda name: None)
    systems = Systems(tmp_path)
    assert list(systems.commands) == ["tinybeam", "pykka"]
    assert "erlang-base" in systems.missing


@pytest.mark.parametrize("job", OURS)
def test_the_beam_does_the_same_jobs(job: str, tmp_path: Path) -> None:
    systems = Systems(tmp_path)
    if "BEAM" not in systems.commands:
        pytest.skip(systems.missing)
    [one] = [each for each in JOBS if each.name == job]
    row = Row(one, "BEAM", 40)
    systems.run_once(row, 0)
    assert row.trouble == ""
    assert row.samples[0]["wall_us"] > 0
    assert ("bytes" in row.samples[0]) == (job == "start")


def test_rounds_are_pairs_and_a_job_that_takes_long_is_in_some_of_them_only(tmp_path: Path) -> None:
    line = json.dumps({"wall_us": 2.0, "cpu_us": 1.0})
    order = tmp_path / "order"
    systems = Systems.__new__(Systems)
    systems.commands = {
        name: ["sh", "-c", f"echo {name} $1 $2 >> '{order}'; echo '{line}'", "sh"] for name in ("tinybeam", "other")
    }
    jobs = [Job("often", "often", 100, 0, "-"), Job("rarely", "rarely", 200, 0, "-", every=2)]
    rows = measure(systems, jobs, rounds=3, scale=0.5)
    assert order.read_text().splitlines() == [
        *("tinybeam often 50", "other often 50", "tinybeam rarely 100", "other rarely 100"),
        *("other often 50", "tinybeam often 50"),
        *("tinybeam often 50", "other often 50", "tinybeam rarely 100", "other rarely 100"),
    ]
    assert [len(row.samples) for row in rows] == [3, 3, 2, 2]
    assert ratio(rows[1], rows[0]) == 1.0
    assert "| often  |    - |  2.00 us |             1.00 |" in tables(rows).splitlines()


def test_a_system_that_fails_is_a_row_with_its_trouble(tmp_path: Path) -> None:
    systems = Systems.__new__(Systems)
    systems.commands = {"tinybeam": ["sh", "-c", "echo it broke >&2; exit 3"]}
    [row] = measure(systems, [Job("often", "often", 100, 0, "-")], rounds=2, scale=1)
    assert row.samples == {}
    assert "it broke" in row.trouble
    assert "it broke" in tables([row])
    assert ratio(row, row) is None
