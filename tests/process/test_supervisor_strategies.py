"""The three strategies, with every child dying in turn, and automatic shutdown."""

from __future__ import annotations

from typing import Any

import pytest

from tests.process.supervised import (
    Start,
    Worker,
    children_of,
    crash,
    end_of,
    ended,
    started,
    told,
    worker,
)
from tinybeam.process import bonds, exit, self_ref
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.supervisor import Supervisor


def settle(supervisor: Any) -> None:
    """Lets a supervisor take note of ends that it has been told of: a call comes after the signals that are there."""
    for _ in range(3):
        Supervisor.count_children(supervisor)


NAMES = ("a", "b", "c", "d")


# Who is started again.


@pytest.mark.parametrize("dying", NAMES)
def test_one_for_one_starts_again_who_died(start: Start, dying: str) -> None:
    supervisor = start([worker(name) for name in NAMES])
    told(4)
    before = children_of(supervisor)
    crash(before[dying])
    assert told(2) == ended(dying) + started(dying)
    settle(supervisor)
    after = children_of(supervisor)
    assert [name for name in NAMES if after[name] is not before[name]] == [dying]
    assert list(after) == list(NAMES)


@pytest.mark.parametrize("dying", NAMES)
def test_one_for_all_ends_the_others_the_last_first_and_starts_all_in_order(start: Start, dying: str) -> None:
    supervisor = start([worker(name) for name in NAMES], strategy="one_for_all")
    told(4)
    before = children_of(supervisor)
    crash(before[dying])
    others = [name for name in reversed(NAMES) if name != dying]
    assert told(8) == ended(dying, *others) + started(*NAMES)
    settle(supervisor)
    after = children_of(supervisor)
    assert not set(after.values()) & set(before.values())
    assert list(after) == list(NAMES)


@pytest.mark.parametrize("dying", NAMES)
def test_rest_for_one_ends_those_after_it_the_last_first_and_starts_them_in_order(start: Start, dying: str) -> None:
    supervisor = start([worker(name) for name in NAMES], strategy="rest_for_one")
    told(4)
    before = children_of(supervisor)
    crash(before[dying])
    rest = NAMES[NAMES.index(dying) :]
    assert told(2 * len(rest)) == ended(dying, *reversed(rest[1:])) + started(*rest)
    settle(supervisor)
    after = children_of(supervisor)
    assert [name for name in NAMES if after[name] is before[name]] == list(NAMES[: -len(rest)])
    assert list(after) == list(NAMES)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
def test_who_is_not_started_again_takes_nobody_along(start: Start, strategy: str, restart: str) -> None:
    supervisor = start([worker("a"), worker("b", restart=restart), worker("c")], strategy=strategy)
    told(3)
    before = children_of(supervisor)
    crash(before["b"], "normal")
    assert told() == ended("b")
    settle(supervisor)
    after = children_of(supervisor)
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert after.get("b") is None


@pytest.mark.parametrize(("strategy", "kept"), [("one_for_all", []), ("rest_for_one", ["x"])])
def test_a_temporary_bystander_is_ended_and_not_started_again(start: Start, strategy: str, kept: list[str]) -> None:
    temporary = [worker(name, restart="temporary") for name in ("x", "y")]
    supervisor = start([temporary[0], worker("a"), temporary[1], worker("b")], strategy=strategy, max_restarts=1)
    told(4)
    crash(children_of(supervisor)["a"])
    gone = ["y", "x"] if strategy == "one_for_all" else ["y"]
    assert told(4 + len(gone)) == ended("a", "b", *gone) + started("a", "b")
    settle(supervisor)
    assert list(children_of(supervisor)) == [*kept, "a", "b"]


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_who_had_ended_before_is_started_again_with_the_others(start: Start, strategy: str) -> None:
    supervisor = start([worker("a"), worker("b", restart="transient"), worker("c")], strategy=strategy)
    told(3)
    crash(children_of(supervisor)["b"], "normal")
    Supervisor.terminate_child(supervisor, "c")
    assert told(2) == ended("b", "c")
    crash(children_of(supervisor)["a"])
    assert told(4) == ended("a") + started("a", "b", "c")


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_a_restart_of_many_counts_as_one(start: Start, strategy: str) -> None:
    supervisor = start([worker(name) for name in NAMES], strategy=strategy, max_restarts=1)
    told(4)
    crash(children_of(supervisor)["a"])
    told(8)
    settle(supervisor)
    assert supervisor.is_alive()


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_children_that_die_together_are_started_again_once(start: Start, strategy: str) -> None:
    class Frail(Worker):
        trap_exit = False

    names = "abc"
    specs = [child_spec((Frail, self_ref(), name), id=name) for name in names]
    supervisor = start(specs, strategy=strategy, max_restarts=3)
    assert told(3) == started(*names)
    for child in reversed(children_of(supervisor).values()):
        exit(child, "kill")
    # How often depends on when the supervisor looks; in the end all run, each as one process.
    settle(supervisor)
    children = children_of(supervisor)
    assert [child.call("name") for child in children.values()] == list(names)
    alive = {process._actor_ref for process in list(bonds.processes) if isinstance(process, Frail)}
    assert alive == set(children.values())


# Restarts that fail.


class Switch(Worker):
    """Fails to start as often as the test says."""

    def init(self, to: Any, name: str, failures: list[Any]) -> Any:
        if failures:
            failures.pop()
            to.send(("failed", name))
            raise RuntimeError("failed by the test")
        return super().init(to, name)


def test_one_for_all_ends_again_whom_it_started_when_another_child_fails_to(start: Start) -> None:
    failures: list[Any] = []
    switch = child_spec((Switch, self_ref(), "b", failures), id="b")
    supervisor = start([worker("a"), switch, worker("c")], strategy="one_for_all", max_restarts=10)
    told(3)
    failures.extend((1, 1))
    crash(children_of(supervisor)["a"])
    try_in_vain = started("a") + [("failed", "b")] + ended("a")
    assert told(12) == ended("a", "c", "b") + try_in_vain * 2 + started("a", "b", "c")
    settle(supervisor)
    assert list(children_of(supervisor)) == ["a", "b", "c"]


def test_rest_for_one_goes_on_from_the_child_that_failed_to_start(start: Start) -> None:
    failures: list[Any] = []
    switch = child_spec((Switch, self_ref(), "b", failures), id="b")
    supervisor = start([worker("a"), switch, worker("c")], strategy="rest_for_one", max_restarts=10)
    told(3)
    failures.extend((1, 1))
    crash(children_of(supervisor)["a"])
    assert told(8) == ended("a", "c", "b") + started("a") + [("failed", "b")] * 2 + started("b", "c")


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_tries_in_vain_count_as_restarts_whatever_the_strategy(start: Start, strategy: str) -> None:
    failures: list[Any] = []
    switch = child_spec((Switch, self_ref(), "b", failures), id="b")
    supervisor = start([worker("a"), switch, worker("c")], strategy=strategy, max_restarts=4)
    told(3)
    failures.extend([1] * 100)
    crash(children_of(supervisor)["b"])
    assert end_of(supervisor) in ("shutdown", "noproc")
    assert len(failures) == 96


def test_a_child_that_waits_to_be_started_and_those_after_it_can_be_terminated(start: Start) -> None:
    failures: list[Any] = []
    switch = child_spec((Switch, self_ref(), "b", failures), id="b")
    supervisor = start([worker("a"), switch, worker("c")], strategy="rest_for_one", max_restarts=1_000_000)
    told(3)
    failures.extend([1] * 1_000_000)
    crash(children_of(supervisor)["b"])
    told(5)
    assert children_of(supervisor)["b"] == "restarting"
    assert children_of(supervisor)["c"] is None
    Supervisor.terminate_child(supervisor, "b")
    settle(supervisor)
    assert [children_of(supervisor)[name] for name in "bc"] == [None, None]


# Automatic shutdown.


def significant(name: str, restart: str = "temporary") -> ChildSpec:
    return worker(name, restart=restart, significant=True)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("restart", ["temporary", "transient"])
def test_the_end_of_any_significant_child_ends_the_supervisor(start: Start, strategy: str, restart: str) -> None:
    children = [worker("a"), significant("b", restart), significant("c")]
    supervisor = start(children, strategy=strategy, auto_shutdown="any_significant")
    told(3)
    crash(children_of(supervisor)["b"], "normal")
    assert told(3) == ended("b", "c", "a")
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_the_end_of_all_significant_children_ends_the_supervisor(start: Start) -> None:
    children = [worker("a"), significant("b"), significant("c", "transient"), significant("d")]
    supervisor = start(children, auto_shutdown="all_significant")
    told(4)
    for name, reason in (("c", "normal"), ("b", "oops")):
        crash(children_of(supervisor)[name], reason)
        assert told() == ended(name)
        settle(supervisor)
    assert supervisor.is_alive()
    crash(children_of(supervisor)["d"], "shutdown")
    assert told(2) == ended("d", "a")
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_a_significant_child_that_is_started_again_ends_nobody(start: Start) -> None:
    supervisor = start([significant("a", "transient")], auto_shutdown="any_significant")
    told()
    crash(children_of(supervisor)["a"], "oops")
    assert told(2) == ended("a") + started("a")
    settle(supervisor)
    assert supervisor.is_alive()


def test_a_significant_child_that_is_terminated_by_hand_ends_nobody(start: Start) -> None:
    supervisor = start([significant("a"), significant("b", "transient")], auto_shutdown="any_significant")
    told(2)
    Supervisor.terminate_child(supervisor, "a")
    Supervisor.terminate_child(supervisor, "b")
    settle(supervisor)
    assert supervisor.is_alive()


def test_a_significant_child_that_its_siblings_death_takes_along_ends_nobody(start: Start) -> None:
    supervisor = start([worker("a"), significant("b")], strategy="one_for_all", auto_shutdown="any_significant")
    told(2)
    crash(children_of(supervisor)["a"])
    assert told(3) == ended("a", "b") + started("a")
    settle(supervisor)
    assert supervisor.is_alive()


def test_any_child_that_is_not_significant_may_end(start: Start) -> None:
    children = [worker("a", restart="temporary"), significant("b")]
    supervisor = start(children, auto_shutdown="any_significant")
    told(2)
    crash(children_of(supervisor)["a"])
    settle(supervisor)
    assert supervisor.is_alive()


def test_an_automatic_shutdown_is_an_orderly_end_to_the_supervisors_supervisor(start: Start) -> None:
    options = {"auto_shutdown": "any_significant"}
    inner = child_spec((Supervisor, [significant("a")]), id="inner", kwargs=options, restart="transient")
    outer = start([inner], max_restarts=0)
    told()
    supervisor = children_of(outer)["inner"]
    crash(children_of(supervisor)["a"])
    end_of(supervisor)
    settle(outer)
    assert children_of(outer) == {"inner": None}
