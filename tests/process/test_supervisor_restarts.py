"""Supervisor: which children are started again, how often, and what becomes of restarts that fail."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.process.supervised import (
    PATIENCE_S,
    Flaky,
    Start,
    Worker,
    children_of,
    crash,
    end_of,
    ended,
    settle,
    started,
    told,
    worker,
)
from tinybeam.process import Exit, GenServer, NoProcess, exit, receive, self_ref, whereis
from tinybeam.process.child_errors import ChildPresent, ChildRestarting
from tinybeam.process.childspec import child_spec
from tinybeam.process.supervisor import Supervisor

# Restarts.


@pytest.mark.parametrize(
    ("restart", "reason", "again"),
    [
        ("permanent", "normal", True),
        ("permanent", "shutdown", True),
        ("permanent", ("shutdown", "later"), True),
        ("permanent", "oops", True),
        ("permanent", None, True),
        ("transient", "normal", False),
        ("transient", "shutdown", False),
        ("transient", ("shutdown", "later"), False),
        ("transient", ("shutdown", "much", "later"), True),
        ("transient", "oops", True),
        ("transient", None, True),
        ("temporary", "normal", False),
        ("temporary", "shutdown", False),
        ("temporary", "oops", False),
        ("temporary", None, False),
    ],
)
def test_a_child_is_started_again_as_its_spec_says(start: Start, restart: str, reason: Any, again: bool) -> None:
    supervisor = start([worker("a", restart=restart), worker("b")])
    before = children_of(supervisor)
    crash(before["a"], reason)
    assert told(3) == started("a", "b") + ended("a")
    if again:
        assert told() == started("a")
        after = children_of(supervisor)
        assert after["a"] is not before["a"]
        assert after["a"].call("name") == "a"
    else:
        settle(supervisor)
        after = children_of(supervisor)
        assert after == ({"a": None, "b": before["b"]} if restart == "transient" else {"b": before["b"]})
    assert after["b"] is before["b"]


@pytest.mark.parametrize("restart", ["permanent", "transient"])
def test_a_child_that_was_killed_is_started_again(start: Start, restart: str) -> None:
    supervisor = start([worker("a", restart=restart)])
    exit(children_of(supervisor)["a"], "kill")
    assert told(2) == started("a", "a")  # a killed one says nothing


def test_a_child_that_was_started_again_is_a_new_process_with_a_new_state_and_an_empty_mailbox(start: Start) -> None:
    class Counter(GenServer):
        def handle_cast(self, message: Any, count: int) -> Any:
            if message == "crash":
                raise RuntimeError("crashed by the test")
            return count + 1

        def handle_call(self, message: Any, from_: Any, count: int) -> Any:
            return count, count

    supervisor = start([(Counter, 0)])
    counter = children_of(supervisor)[Counter]
    for message in ("add", "add", "crash", "add", "add"):
        counter.cast(message)
    end_of(counter)
    settle(supervisor)
    assert children_of(supervisor)[Counter].call("count") == 0
    with pytest.raises(NoProcess):
        counter.call("count")


def test_a_name_reaches_the_child_that_was_started_again_and_a_ref_never_does(start: Start) -> None:
    supervisor = start([child_spec((Worker, self_ref(), "a"), kwargs={"name": "worker"})])
    first = whereis("worker")
    crash(first)
    assert told(3) == started("a") + ended("a") + started("a")
    settle(supervisor)
    assert whereis("worker").call("name") == "a"
    with pytest.raises(NoProcess):
        first.call("name")


def test_every_restart_is_told_in_the_log_but_not_a_storm_of_them(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    supervisor = start([worker("a")], max_restarts=1_000_000)
    told()
    crash(children_of(supervisor)["a"], "oops")
    assert told(2) == ended("a") + started("a")
    settle(supervisor)
    lines = [record.getMessage() for record in caplog.records if "supervisor" in record.getMessage()]
    assert len(lines) == 1
    assert "child a (Worker" in lines[0]
    assert "ended: oops; restart 1 of at most 1000000 in 5 s" in lines[0]
    for _ in range(100):
        crash(children_of(supervisor)["a"], "oops")
        assert told(2) == ended("a") + started("a")
        settle(supervisor)
    assert sum("supervisor" in record.getMessage() for record in caplog.records) < 90


# Intensity.


class Timed(Supervisor):
    """Its time stands still unless the test moves it."""

    now_s = 0.0
    clock = staticmethod(lambda: Timed.now_s)


def test_one_restart_too_many_ends_all_children_and_the_supervisor(start: Start) -> None:
    Timed.now_s = 1000.0
    supervisor = start([worker("a"), worker("b")], cls=Timed, max_restarts=2, max_seconds=5)
    assert told(2) == started("a", "b")
    for _ in range(2):
        crash(children_of(supervisor)["a"])
        assert told(2) == ended("a") + started("a")
    crash(children_of(supervisor)["a"])
    assert end_of(supervisor) in ("shutdown", "noproc")
    assert told(2) == ended("a", "b")
    assert receive(PATIENCE_S, want=lambda message: type(message) is Exit) == Exit(supervisor, "shutdown")


def test_restarts_far_enough_apart_go_on_for_ever(start: Start) -> None:
    Timed.now_s = 1000.0
    supervisor = start([worker("a")], cls=Timed, max_restarts=1, max_seconds=5)
    told()
    for _ in range(20):
        Timed.now_s += 5.001
        crash(children_of(supervisor)["a"])
        assert told(2) == ended("a") + started("a")


def test_a_restart_counts_to_the_last_moment_of_the_period(start: Start) -> None:
    Timed.now_s = 1000.0
    supervisor = start([worker("a")], cls=Timed, max_restarts=1, max_seconds=5)
    told()
    crash(children_of(supervisor)["a"])
    told(2)
    Timed.now_s += 5
    crash(children_of(supervisor)["a"])
    assert told() == ended("a")
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_with_no_restarts_allowed_the_first_crash_is_the_supervisors_end(start: Start) -> None:
    supervisor = start([worker("a"), worker("b")], max_restarts=0)
    told(2)
    crash(children_of(supervisor)["a"])
    assert told(2) == ended("a", "b")
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_three_restarts_in_five_seconds_are_allowed_unless_it_is_said_otherwise(start: Start) -> None:
    supervisor = start([worker("a")])
    told()
    for _ in range(3):
        crash(children_of(supervisor)["a"])
        assert told(2) == ended("a") + started("a")
    crash(children_of(supervisor)["a"])
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_who_gives_up_is_started_again_by_its_own_supervisor_with_all_its_children(start: Start) -> None:
    inner = child_spec((Supervisor, [worker("a"), worker("b")]), id="inner", kwargs={"max_restarts": 0})
    outer = start([worker("c"), inner])
    told(3)
    first = children_of(outer)["inner"]
    crash(children_of(first)["a"])
    assert told(4) == ended("a", "b") + started("a", "b")
    settle(outer)
    second = children_of(outer)["inner"]
    assert second is not first
    assert list(children_of(second)) == ["a", "b"]


def test_giving_up_goes_all_the_way_up(start: Start) -> None:
    inner = child_spec((Supervisor, [worker("a")]), id="inner", kwargs={"max_restarts": 0})
    outer = start([worker("b"), inner, worker("c")], max_restarts=0)
    told(3)
    crash(children_of(children_of(outer)["inner"])["a"])
    assert told(3) == ended("a", "c", "b")
    assert end_of(outer) in ("shutdown", "noproc")


# Restarts that fail.


def test_a_restart_that_fails_is_tried_again_and_the_supervisor_answers_meanwhile(start: Start) -> None:
    fails: list[bool] = []
    flaky = child_spec((Flaky, self_ref(), "a", fails), id="a")
    supervisor = start([flaky, worker("b")], max_restarts=1_000_000)
    assert told(2) == started("a", "b")
    first = children_of(supervisor)
    fails.append(True)
    crash(first["a"])
    told(10)
    assert children_of(supervisor) == {"a": "restarting", "b": first["b"]}
    assert Supervisor.count_children(supervisor) == (2, 1, 0, 2)
    for refused in (Supervisor.restart_child, Supervisor.delete_child):
        with pytest.raises(ChildRestarting):
            refused(supervisor, "a")
    with pytest.raises(ChildPresent):
        Supervisor.start_child(supervisor, flaky)
    fails.clear()
    assert receive(PATIENCE_S, want=lambda message: message == ("started", "a"))
    assert children_of(supervisor)["a"].call("name") == "a"


def test_a_restart_that_goes_on_failing_is_one_too_many_in_the_end(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start([child_spec((Flaky, self_ref(), "a", fails), id="a")], max_restarts=5)
    fails.append(True)
    crash(children_of(supervisor)["a"])
    assert end_of(supervisor) in ("shutdown", "noproc")
    assert told(7) == started("a") + ended("a") + [("failed", "a")] * 5


def test_a_child_that_cannot_start_again_can_be_terminated_and_deleted(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start([child_spec((Flaky, self_ref(), "a", fails), id="a")], max_restarts=1_000_000)
    fails.append(True)
    crash(children_of(supervisor)["a"])
    told(5)
    Supervisor.terminate_child(supervisor, "a")
    assert children_of(supervisor) == {"a": None}
    fails.clear()
    settle(supervisor)
    assert children_of(supervisor) == {"a": None}
    Supervisor.delete_child(supervisor, "a")
    assert children_of(supervisor) == {}


def test_a_supervisor_can_be_stopped_while_it_tries_in_vain(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start([worker("b"), child_spec((Flaky, self_ref(), "a", fails), id="a")], max_restarts=1_000_000)
    fails.append(True)
    crash(children_of(supervisor)["a"])
    told(10)
    assert supervisor.stop(timeout=PATIENCE_S)
    assert receive(PATIENCE_S, want=lambda message: message == ("ended", "b"))
