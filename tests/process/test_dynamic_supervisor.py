"""DynamicSupervisor: children that come and go."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.supervised import (
    PATIENCE_S,
    Flaky,
    Gate,
    Start,
    Worker,
    crash,
    end_of,
    ended,
    receive_all,
    started,
    told,
)
from tinybeam.errors import ConfigError
from tinybeam.process import (
    GenServer,
    Ignore,
    NoProcess,
    Process,
    StartFailed,
    Stop,
    bonds,
    exit,
    monitor,
    receive,
    self_ref,
)
from tinybeam.process.child_errors import BadSpec, ChildNotFound, TooManyChildren
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.dynamic_supervisor import DynamicSupervisor, Limits
from tinybeam.process.supervisor import Supervisor
from tinybeam.process.tally import abandoned


def worker(name: str, **fields: Any) -> ChildSpec:
    return child_spec((Worker, self_ref(), name), **fields)


def children_of(supervisor: Any) -> list[Any]:
    return [info.child for info in DynamicSupervisor.which_children(supervisor)]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a supervisor, and sees to it that nothing of it is left."""
    self_ref()
    before = set(bonds.processes)
    supervisors = []

    def start_link(*args: Any, cls: Any = DynamicSupervisor, **options: Any) -> Any:
        supervisors.append(cls.start_link(*args, **options))
        return supervisors[-1]

    yield start_link
    for supervisor in supervisors:
        supervisor.stop(timeout=PATIENCE_S)
    assert bonds.processes == before
    while receive_all():
        pass


def settle(supervisor: Any) -> None:
    """Lets a supervisor take note of ends that it has been told of: a call comes after the signals that are there."""
    for _ in range(3):
        DynamicSupervisor.count_children(supervisor)


def add(supervisor: Any, name: str, **fields: Any) -> Any:
    return DynamicSupervisor.start_child(supervisor, worker(name, **fields))


# Children come and go.


def test_it_starts_without_children_and_takes_any_number(start: Start) -> None:
    supervisor = start(name="pool")
    assert children_of("pool") == []
    refs = [add("pool", name) for name in "abc"]
    assert told(3) == started(*"abc")
    assert children_of(supervisor) == refs
    assert DynamicSupervisor.count_children(supervisor) == (3, 3, 0, 3)
    assert {info.id for info in DynamicSupervisor.which_children(supervisor)} == {None}


def test_the_same_spec_may_be_started_many_times(start: Start) -> None:
    supervisor, spec = start(), worker("a")
    assert len({DynamicSupervisor.start_child(supervisor, spec) for _ in range(10)}) == 10


def test_a_child_is_terminated_by_its_ref(start: Start) -> None:
    supervisor = start()
    first, second = add(supervisor, "a"), add(supervisor, "b")
    DynamicSupervisor.terminate_child(supervisor, first)
    assert told(3) == started("a", "b") + ended("a")
    assert children_of(supervisor) == [second]
    for ref in (first, self_ref(), None, "a"):
        with pytest.raises(ChildNotFound):
            DynamicSupervisor.terminate_child(supervisor, ref)


def test_there_may_be_as_many_children_as_it_allows(start: Start) -> None:
    supervisor = start(max_children=2)
    first = add(supervisor, "a")
    add(supervisor, "b")
    with pytest.raises(TooManyChildren, match="has 2 children, as many as max_children allows"):
        add(supervisor, "c")
    DynamicSupervisor.terminate_child(supervisor, first)
    add(supervisor, "d")
    assert told(4) == started("a", "b") + ended("a") + started("d")


def test_none_at_all_may_be_allowed(start: Start) -> None:
    with pytest.raises(TooManyChildren):
        add(start(max_children=0), "a")


def test_a_child_that_fails_to_start_or_has_nothing_to_do_is_no_child(start: Start) -> None:
    class Odd(GenServer):
        def init(self, result: Any) -> Any:
            return result

    supervisor = start()
    with pytest.raises(StartFailed) as failed:
        DynamicSupervisor.start_child(supervisor, (Odd, Stop("no disk")))
    assert failed.value.reason == "no disk"
    assert DynamicSupervisor.start_child(supervisor, (Odd, Ignore())) is None
    assert DynamicSupervisor.count_children(supervisor) == (0, 0, 0, 0)


def test_extra_arguments_come_first(start: Start) -> None:
    class Echo(GenServer):
        def init(self, *args: Any) -> Any:
            return args

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

        def handle_cast(self, message: Any, state: Any) -> Any:
            return Stop(message)

    supervisor = start(extra_arguments=(1, 2))
    echo = DynamicSupervisor.start_child(supervisor, (Echo, 3))
    assert echo.call("args") == (1, 2, 3)
    crash(echo, "oops")
    settle(supervisor)
    assert children_of(supervisor)[0].call("args") == (1, 2, 3)


def test_supervisors_are_told_from_workers(start: Start) -> None:
    supervisor = start()
    DynamicSupervisor.start_child(supervisor, (Supervisor, [worker("a")]))
    add(supervisor, "b")
    assert DynamicSupervisor.count_children(supervisor) == (2, 2, 1, 1)


def test_a_class_of_ones_own_returns_limits(start: Start) -> None:
    class Pool(DynamicSupervisor):
        def init(self, size: Any) -> Any:
            return Limits(max_children=size) if isinstance(size, int) else size

    with pytest.raises(TooManyChildren):
        add(start(0, cls=Pool), "a")
    with pytest.raises(StartFailed, match="return Limits"):
        Pool.start("many")


@pytest.mark.parametrize(
    "options",
    [
        {"max_children": -1},
        {"max_children": 1.5},
        {"max_restarts": -1},
        {"max_seconds": 0},
        {"strategy": "one_for_all"},
    ],
)
def test_a_bad_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        DynamicSupervisor.start(**options)


def test_a_bad_spec_is_refused(start: Start) -> None:
    supervisor = start()
    with pytest.raises(BadSpec):
        DynamicSupervisor.start_child(supervisor, 42)
    with pytest.raises(BadSpec, match="significant must not"):
        add(supervisor, "a", restart="temporary", significant=True)


def test_a_call_that_is_no_supervisors_does_not_crash_it(start: Start) -> None:
    supervisor = start()
    with pytest.raises(Exception, match="was asked to fly"):
        supervisor.call(("fly", 1))
    assert supervisor.is_alive()


# Restarts.


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        ("permanent", "normal", True),
        ("permanent", None, True),
        ("transient", "normal", False),
        ("transient", ("shutdown", 1), False),
        ("transient", "oops", True),
        ("temporary", "oops", False),
        ("temporary", "normal", False),
    ],
)
def test_a_child_is_started_again_as_its_spec_says(start: Start, restart: str, reason: Any, again: bool) -> None:
    supervisor = start()
    first, other = add(supervisor, "a", restart=restart), add(supervisor, "b")
    crash(first, reason)
    settle(supervisor)
    children = children_of(supervisor)
    assert first not in children
    assert other in children
    assert len(children) == (2 if again else 1)
    assert told(3 + again) == started("a", "b") + ended("a") + (started("a") if again else [])


def test_one_restart_too_many_ends_all(start: Start) -> None:
    supervisor = start(max_restarts=1)
    other = add(supervisor, "b")
    crash(add(supervisor, "a"))
    settle(supervisor)
    crash(children_of(supervisor)[-1])
    assert end_of(supervisor) in ("shutdown", "noproc")
    assert not other.is_alive()
    assert told(6) == started("b", "a") + ended("a") + started("a") + ended("a", "b")


def test_a_restart_that_fails_is_tried_again_and_the_supervisor_answers_meanwhile(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start(max_restarts=1_000_000, max_children=2)
    other = add(supervisor, "b")
    flaky = DynamicSupervisor.start_child(supervisor, (Flaky, self_ref(), "a", fails))
    fails.append(True)
    crash(flaky)
    told(10)
    assert children_of(supervisor) == [other, "restarting"]
    assert DynamicSupervisor.count_children(supervisor) == (2, 1, 0, 2)
    with pytest.raises(TooManyChildren):  # it will be back
        add(supervisor, "c")
    fails.clear()
    assert receive(PATIENCE_S, want=lambda message: message == ("started", "a"))
    assert children_of(supervisor)[1].call("name") == "a"


def test_a_child_that_cannot_start_again_is_terminated_by_the_ref_that_it_had(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start(max_restarts=1_000_000)
    flaky = DynamicSupervisor.start_child(supervisor, (Flaky, self_ref(), "a", fails))
    fails.append(True)
    crash(flaky)
    told(10)
    DynamicSupervisor.terminate_child(supervisor, flaky)
    settle(supervisor)
    assert children_of(supervisor) == []


def test_it_can_be_stopped_while_it_tries_in_vain(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start(max_restarts=1_000_000)
    add(supervisor, "b")
    flaky = DynamicSupervisor.start_child(supervisor, (Flaky, self_ref(), "a", fails))
    fails.append(True)
    crash(flaky)
    told(10)
    assert supervisor.stop(timeout=PATIENCE_S)


# Ends.


def test_all_children_end_with_it_at_once(start: Start) -> None:
    class Waits(Worker):
        def init(self, to: Any, name: str, gate: Gate) -> Any:
            self.gate = gate
            return super().init(to, name)

        def terminate(self, reason: Any, state: Any) -> None:
            self.gate.open()
            others.wait()
            super().terminate(reason, state)

    others = Gate()
    gates = [Gate() for _ in range(3)]
    supervisor = start()
    for number, gate in enumerate(gates):
        DynamicSupervisor.start_child(supervisor, (Waits, self_ref(), str(number), gate))
    stopped = supervisor.stop(block=False)
    for gate in gates:
        gate.wait()  # each of them is inside its terminate
    others.open()
    assert stopped.get(timeout=PATIENCE_S)
    assert sorted(told(6)[3:]) == ended("0", "1", "2")


def test_children_that_are_too_slow_are_killed_each_in_its_time(start: Start) -> None:
    class Stuck(Worker):
        def terminate(self, reason: Any, state: Any) -> None:
            gate.wait()

    gate, before = Gate(), abandoned.count
    supervisor = start()
    spec = child_spec((Stuck, self_ref(), "s"))
    refs = [
        DynamicSupervisor.start_child(supervisor, child_spec(spec, shutdown=shutdown))
        for shutdown in (60, 20, 40, "brutal_kill")
    ]
    refs.append(add(supervisor, "a"))
    watches = {monitor(ref): ref for ref in refs}
    supervisor.stop()
    downs = [receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) in watches) for _ in refs]
    assert sorted(down.reason for down in downs) == ["killed"] * 4 + ["shutdown"]
    killed = [down.process for down in downs if down.reason == "killed"]
    assert killed == [refs[3], refs[1], refs[2], refs[0]]
    assert abandoned.count == before + 3
    gate.open()


def test_children_that_have_ended_by_themselves_do_not_disturb_its_end(start: Start) -> None:
    supervisor = start()
    refs = [add(supervisor, "a", restart=restart) for restart in ("permanent", "transient", "temporary") * 4]
    for ref, reason in zip(refs, ("normal", "shutdown", "oops", "kill") * 3, strict=True):
        exit(ref, reason)
    assert supervisor.stop(timeout=PATIENCE_S)


def test_the_children_of_one_that_is_killed_are_not_left_alone(start: Start) -> None:
    before = set(bonds.processes)
    supervisor = start()
    refs = [add(supervisor, "a") for _ in range(10)]
    exit(supervisor, "kill")
    for ref in refs:
        end_of(ref)
    assert set(bonds.processes) <= before
    with pytest.raises(NoProcess):
        children_of(supervisor)


def test_many_children_start_and_end_in_a_time_that_is_linear(start: Start) -> None:
    # CPU time for each of 500 children beside each of 8,000: 16 times as much were every step to look at all children.
    def time_each(count: int) -> float:
        supervisor = start()
        began_s = time.process_time()
        refs = [DynamicSupervisor.start_child(supervisor, Process) for _ in range(count)]
        for ref in refs[: count // 2]:
            DynamicSupervisor.terminate_child(supervisor, ref)
        supervisor.stop()
        return (time.process_time() - began_s) / count

    few, many = (min(time_each(count) for _ in range(3)) for count in (500, 8000))
    assert many < 8 * few


def test_a_crash_of_many_at_once_is_mended(start: Start) -> None:
    supervisor = start(max_restarts=1_000_000)
    refs = [DynamicSupervisor.start_child(supervisor, Process) for _ in range(1000)]
    for ref in refs:
        exit(ref, "kill")
    settle(supervisor)
    children = children_of(supervisor)
    assert len(children) == 1000
    assert not set(children) & set(refs)
    assert all(child.is_alive() for child in children)
