"""The measurement: pairs of runs, ours and the baseline's in turn, and what follows from them.

Owns:  the samples, the alternation, and the ratios of each pair.
Knows: running servers, wrk, the slow load, the accounting of CPU.
Never: a ratio of two figures that were not taken one after the other.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.cpu import tree_time, tree_wakeups
from benchmarks.load import run_wrk
from benchmarks.memory import IdleMemory, idle_memory
from benchmarks.running import Running
from benchmarks.scenarios import INDEX, SLOW_SECONDS, Scenario
from benchmarks.slow import SlowLoad

_STEADY_SECONDS_MAX = 3.0
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class Plan:
    """How long and how often: seconds of one run, pairs of runs, connections of the memory row, the wrk's CPU."""

    seconds: float
    rounds: int
    idle_seconds: float
    idle_connections: int
    load_cpu: int | None = None


@dataclass(frozen=True)
class Sample:
    """One run. CPU is that of the server's whole tree, per answered request (slow answers count as requests too)."""

    requests_per_second: float
    user_us: float
    system_us: float
    p50_us: int
    p99_us: int
    failures: dict[str, int]
    slow_answers_share: float | None = None

    @property
    def cpu_us(self) -> float:
        """User + system microseconds per request."""
        return self.user_us + self.system_us


@dataclass
class Row:
    """All the runs of one server in one scenario; `pairs` holds (its own, the baseline's) in the order taken."""

    scenario: str
    server: str
    samples: list[Sample] = field(default_factory=list)
    beside: list[Sample] = field(default_factory=list)
    trouble: str = ""

    def middle(self, figure: Callable[[Sample], float]) -> float:
        """The median of a figure over the runs."""
        return median(figure(sample) for sample in self.samples)

    def ratio(self, figure: Callable[[Sample], float]) -> float | None:
        """The median over the pairs of this server's figure by the baseline's; None where there is no baseline."""
        ratios = [
            figure(own) / figure(other)
            for own, other in zip(self.samples, self.beside, strict=False)
            if own.requests_per_second and figure(other)
        ]
        return median(ratios) if ratios else None


@dataclass
class IdleRow:
    """A server that is left alone: wake-ups of its tree, and the memory of idle connections."""

    server: str
    wakeups: int | None = None
    seconds: float = 0.0
    memory: IdleMemory | None = None
    trouble: str = ""


def _run_once(running: Running, scenario: Scenario, seconds: float, cpu: int | None, slow: SlowLoad | None) -> Sample:
    slow_before, started, before = slow.answers if slow else 0, time.monotonic(), tree_time(running.pid)
    load = run_wrk(running.port, scenario.path, scenario.script, seconds, cpu=cpu)
    spent = tree_time(running.pid) - before
    slow_answers, elapsed = (slow.answers if slow else 0) - slow_before, time.monotonic() - started
    requests = max(load.requests + slow_answers, 1)
    failures = dict(load.failures)
    if slow and slow.failures:
        failures["slow"] = slow.failures
    ideal = scenario.slow_connections / SLOW_SECONDS * elapsed
    return Sample(
        requests_per_second=load.requests / load.seconds,
        user_us=spent.user_seconds * 1e6 / requests,
        system_us=spent.system_seconds * 1e6 / requests,
        p50_us=load.p50_us,
        p99_us=load.p99_us,
        failures=failures,
        slow_answers_share=slow_answers / ideal if slow else None,
    )


def run_once(running: Running, scenario: Scenario, seconds: float, cpu: int | None = None) -> Sample:
    """One run of one server, with the scenario's slow connections around it. Raises LoadError."""
    if not scenario.slow_connections:
        return _run_once(running, scenario, seconds, cpu, None)
    with SlowLoad(running.port, scenario.slow_connections) as slow:
        slow.wait_until_steady(_STEADY_SECONDS_MAX)
        return _run_once(running, scenario, seconds, cpu, slow)


def run_pairs(running: Running, scenario: Scenario, baseline: Running | None, plan: Plan) -> Row:
    """Warms both up, then alternates; every other pair begins with the baseline. Raises ServerError, LoadError."""
    row = Row(scenario.name, running.server.name)
    other = running if scenario.beside == "itself" else baseline
    # Nothing can block nginx, so its run beside the slow scenarios is the plain one.
    other_scenario = INDEX if scenario.slow_connections or scenario.beside == "itself" else scenario
    running.check(scenario)
    run_wrk(running.port, scenario.path, scenario.script, 1, cpu=plan.load_cpu)
    if other is not None:
        other.check(other_scenario)
    for turn in range(plan.rounds):
        if other is not None and turn % 2 == 0:
            row.beside.append(run_once(other, other_scenario, plan.seconds, plan.load_cpu))
        row.samples.append(run_once(running, scenario, plan.seconds, plan.load_cpu))
        if other is not None and turn % 2 == 1:
            row.beside.append(run_once(other, other_scenario, plan.seconds, plan.load_cpu))
    return row


def run_idle(running: Running, names: set[str], plan: Plan) -> IdleRow:
    """Leaves the server alone and counts its wake-ups, then fills it with idle connections. Raises OSError."""
    row = IdleRow(running.server.name)
    running.check(INDEX)
    if "wakeups" in names:
        time.sleep(_SETTLE_SECONDS)
        before = tree_wakeups(running.pid)
        time.sleep(plan.idle_seconds)
        row.wakeups, row.seconds = tree_wakeups(running.pid) - before, plan.idle_seconds
    if "memory" in names:
        row.memory = idle_memory(running.pid, running.port, plan.idle_connections)
    return row
