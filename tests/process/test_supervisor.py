"""Supervisor: starts, restarts and their intensity, and the calls that change the children."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tests.process.supervised import (
    PATIENCE_S,
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
from tinybeam.errors import ProcessError
from tinybeam.process import (
    AlreadyStarted,
    BadReturn,
    CallTimeout,
    Exit,
    GenServer,
    Ignore,
    NoProcess,
    StartFailed,
    StartIgnored,
    Stop,
    bonds,
    exit,
    receive,
    self_ref,
    whereis,
)
from tinybeam.process.child_errors import BadSpec, ChildNotFound, ChildPresent, ChildRestarting, ChildRunning
from tinybeam.process.children import Children
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.supervisor import Supervisor


class Gate:
    """Where a callback waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def wait(self, timeout: float) -> None:
        self._reached.set()
        assert self._opened.wait(timeout)

    def reached(self) -> None:
        assert self._reached.wait(PATIENCE_S)

    def open(self) -> None:
        self._opened.set()


# Starts.


def test_children_start_in_order_and_have_started_when_start_returns(start: Start) -> None:
    supervisor = start([worker("a"), worker("b"), worker("c")])
    assert told(3) == started("a", "b", "c")
    assert list(children_of(supervisor)) == ["a", "b", "c"]
    assert Supervisor.count_children(supervisor) == (3, 3, 0, 3)


def test_a_child_that_fails_to_start_ends_those_before_it_and_the_start(start: Start) -> None:
    def fail() -> Any:
        raise ValueError("no disk")

    with pytest.raises(StartFailed, match="child bad: .*no disk") as failed:
        start([worker("a"), worker("b"), ChildSpec(id="bad", start=fail), worker("d")])
    assert told(4) == started("a", "b") + ended("b", "a")
    kind, (what, child_id, reason) = failed.value.reason
    assert (kind, what, child_id, type(reason)) == ("shutdown", "failed_to_start_child", "bad", ValueError)


def test_the_start_of_a_tree_fails_with_the_way_to_the_culprit(start: Start) -> None:
    class Broken(GenServer):
        def init(self) -> Any:
            return Stop("no disk")

    inner = child_spec((Supervisor, [worker("b"), Broken]), id="inner")
    with pytest.raises(StartFailed) as failed:
        start([worker("a"), inner])
    assert told(4) == started("a", "b") + ended("b", "a")
    below = ("shutdown", ("failed_to_start_child", Broken, "no disk"))
    assert failed.value.reason == ("shutdown", ("failed_to_start_child", "inner", below))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), RecursionError()], ids=repr)
def test_whatever_a_start_function_raises_is_a_failed_start(start: Start, error: BaseException) -> None:
    def fail() -> Any:
        raise error

    expected = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else StartFailed
    with pytest.raises(expected):
        start([worker("a"), ChildSpec(id="bad", start=fail)])
    assert told(2) == started("a") + ended("a")


def test_a_start_function_has_to_return_a_ref(start: Start) -> None:
    with pytest.raises(StartFailed, match="returned 42; it must return the ref"):
        start([ChildSpec(id="bad", start=lambda: 42)])


def test_a_child_with_nothing_to_do_is_kept_unless_it_is_temporary(start: Start) -> None:
    class Idle(GenServer):
        def init(self) -> Any:
            return Ignore()

    kept, dropped = child_spec(Idle, id="kept"), child_spec(Idle, id="dropped", restart="temporary")
    supervisor = start([kept, dropped, ChildSpec(id="none", start=lambda: None)])
    assert children_of(supervisor) == {"kept": None, "none": None}
    assert Supervisor.start_child(supervisor, child_spec(Idle, id="later")) is None
    assert Supervisor.start_child(supervisor, child_spec(Idle, id="never", restart="temporary")) is None
    assert Supervisor.restart_child(supervisor, "kept") is None
    assert list(children_of(supervisor)) == ["kept", "none", "later"]
    assert Supervisor.count_children(supervisor) == (3, 0, 0, 3)


def test_a_child_that_is_not_linked_by_its_start_is_linked_by_its_supervisor(start: Start) -> None:
    supervisor = start([ChildSpec(id="a", start=Worker.start, args=(self_ref(), "a"))])
    crash(children_of(supervisor)["a"])
    assert told(3) == started("a") + ended("a") + started("a")
    supervisor.stop()
    assert told() == ended("a")  # its supervisor was its parent, whose word it heeds though it traps exits


@pytest.mark.parametrize("error", [SystemExit(3), GeneratorExit(), ValueError("no disk")], ids=repr)
def test_a_start_function_that_raises_does_not_bring_a_running_supervisor_down(start: Start, error: Any) -> None:
    def fail() -> Any:
        raise error

    supervisor = start([worker("a")])
    with pytest.raises(StartFailed) as failed:
        Supervisor.start_child(supervisor, ChildSpec(id="bad", start=fail))
    assert failed.value.reason is error
    assert list(children_of(supervisor)) == ["a"]


def test_a_supervisor_has_a_name_that_all_calls_take(start: Start) -> None:
    supervisor = start([worker("a")], name="shop")
    assert whereis("shop") is supervisor
    assert [info.id for info in Supervisor.which_children("shop")] == ["a"]
    with pytest.raises(AlreadyStarted):
        start([], name="shop")
    with pytest.raises(NoProcess, match="no supervisor warehouse"):
        Supervisor.which_children("warehouse")


def test_a_class_of_ones_own_makes_its_children_in_init(start: Start) -> None:
    class Shop(Supervisor):
        def init(self, how: Any) -> Any:
            return how

    one = start([worker("a")], cls=Shop)
    other = start(Children([worker("b"), child_spec(Shop, id="c", args=([],))]), cls=Shop)
    assert list(children_of(one)) == ["a"]
    assert Supervisor.count_children(other) == (2, 2, 1, 1)
    with pytest.raises(StartIgnored):
        Shop.start(Ignore())
    with pytest.raises(StartFailed) as failed:
        Shop.start(Stop("closed"))
    assert failed.value.reason == "closed"
    with pytest.raises(StartFailed) as failed:
        Shop.start({"a": 1})
    assert isinstance(failed.value.reason, BadReturn)


def test_a_supervisor_is_found_by_its_children_as_their_parent(start: Start) -> None:
    class Asks(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return bonds.bonds_of(self).parent, state

    supervisor = start([Asks])
    assert children_of(supervisor)[Asks].call("parent") is supervisor


def test_a_child_that_calls_its_supervisor_while_it_starts_is_told_that_this_cannot_be(start: Start) -> None:
    class Curious(GenServer):
        def init(self) -> Any:
            Supervisor.which_children("curious shop")

    with pytest.raises(StartFailed) as failed:
        start([Curious], name="curious shop")
    reason = failed.value.reason
    assert isinstance(reason, tuple)
    assert isinstance(reason[1][2], CallTimeout)


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


def settle(supervisor: Any) -> None:
    """Lets a supervisor take note of ends that it has been told of: a call comes after the signals that are there."""
    for _ in range(3):
        Supervisor.count_children(supervisor)


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


def test_an_exit_of_nobody_is_ignored(start: Start) -> None:
    supervisor = start([worker("a")])
    before = children_of(supervisor)
    supervisor.send(Exit(None, "oops"))
    supervisor.send("hello")
    supervisor.cast("hello")
    assert children_of(supervisor) == before


def test_an_exit_signal_of_who_is_not_its_parent_does_not_end_a_supervisor(start: Start) -> None:
    supervisor = Supervisor.start([worker("a")])
    exit(supervisor, "shutdown")
    settle(supervisor)
    assert supervisor.is_alive()
    assert supervisor.stop()
    assert told(2) == started("a") + ended("a")


@pytest.mark.parametrize("message", ["hello", ("fly", 1), ("terminate_child", []), ()], ids=repr)
def test_a_call_that_is_no_supervisors_does_not_crash_it(start: Start, message: Any) -> None:
    supervisor = start([worker("a")])
    with pytest.raises(ProcessError):
        supervisor.call(message)
    assert supervisor.is_alive()


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


class Flaky(Worker):
    """Starts at first, and later when the test lets it."""

    def init(self, to: Any, name: str, fails: list[bool]) -> Any:
        if fails:
            to.send(("failed", name))
            raise RuntimeError("failed by the test")
        return super().init(to, name)


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


# Calls.


def test_a_child_can_be_added_and_starts_and_ends_last(start: Start) -> None:
    supervisor = start([worker("a")])
    added = Supervisor.start_child(supervisor, worker("b"))
    assert children_of(supervisor)["b"] is added
    supervisor.stop()
    assert told(4) == started("a", "b") + ended("b", "a")


def test_an_id_can_be_had_once(start: Start) -> None:
    supervisor = start([worker("a")])
    with pytest.raises(AlreadyStarted, match="child a, which runs") as refused:
        Supervisor.start_child(supervisor, worker("a"))
    assert refused.value.ref is children_of(supervisor)["a"]
    Supervisor.terminate_child(supervisor, "a")
    with pytest.raises(ChildPresent, match="restart_child or delete_child"):
        Supervisor.start_child(supervisor, worker("a"))
    Supervisor.delete_child(supervisor, "a")
    assert Supervisor.start_child(supervisor, worker("a")) is not None


def test_a_child_that_fails_to_start_is_not_added(start: Start) -> None:
    supervisor = start([])
    with pytest.raises(StartFailed, match="failed by the test"):
        Supervisor.start_child(supervisor, child_spec((Flaky, self_ref(), "a", [True]), id="a"))
    assert children_of(supervisor) == {}


def test_a_bad_spec_is_refused_and_told_to_who_asked(start: Start) -> None:
    supervisor = start([])
    with pytest.raises(BadSpec):
        Supervisor.start_child(supervisor, 42)
    with pytest.raises(BadSpec, match="auto_shutdown"):
        Supervisor.start_child(supervisor, worker("a", restart="temporary", significant=True))
    assert supervisor.is_alive()


def test_a_child_is_terminated_started_again_and_deleted_by_its_id(start: Start) -> None:
    supervisor = start([worker("a"), worker("b")])
    assert told(2) == started("a", "b")
    with pytest.raises(ChildRunning):
        Supervisor.restart_child(supervisor, "a")
    with pytest.raises(ChildRunning, match="terminate_child it first"):
        Supervisor.delete_child(supervisor, "a")
    Supervisor.terminate_child(supervisor, "a")
    Supervisor.terminate_child(supervisor, "a")
    assert told() == ended("a")
    assert Supervisor.count_children(supervisor) == (2, 1, 0, 2)
    again = Supervisor.restart_child(supervisor, "a")
    assert told() == started("a")
    assert list(children_of(supervisor)) == ["a", "b"]
    assert children_of(supervisor)["a"] is again
    Supervisor.terminate_child(supervisor, "a")
    Supervisor.delete_child(supervisor, "a")
    assert list(children_of(supervisor)) == ["b"]


def test_a_child_that_was_terminated_is_not_started_again_and_does_not_count(start: Start) -> None:
    supervisor = start([worker("a")], max_restarts=0)
    Supervisor.terminate_child(supervisor, "a")
    settle(supervisor)
    assert children_of(supervisor) == {"a": None}


def test_a_temporary_child_that_is_terminated_is_forgotten(start: Start) -> None:
    supervisor = start([worker("a", restart="temporary")])
    Supervisor.terminate_child(supervisor, "a")
    assert children_of(supervisor) == {}


def test_a_restart_by_hand_that_fails_changes_nothing(start: Start) -> None:
    fails: list[bool] = []
    supervisor = start([child_spec((Flaky, self_ref(), "a", fails), id="a")])
    Supervisor.terminate_child(supervisor, "a")
    fails.append(True)
    with pytest.raises(StartFailed):
        Supervisor.restart_child(supervisor, "a")
    assert children_of(supervisor) == {"a": None}


def test_a_spec_is_found_by_id_and_by_ref(start: Start) -> None:
    spec = worker("a")
    supervisor = start([spec])
    assert Supervisor.get_childspec(supervisor, "a") == spec
    assert Supervisor.get_childspec(supervisor, children_of(supervisor)["a"]) == spec


@pytest.mark.parametrize(
    "ask", [Supervisor.terminate_child, Supervisor.restart_child, Supervisor.delete_child, Supervisor.get_childspec]
)
def test_a_child_that_is_not_there_is_not_found(start: Start, ask: Any) -> None:
    supervisor = start([worker("a")])
    with pytest.raises(ChildNotFound, match="has no child b"):
        ask(supervisor, "b")


def test_the_children_are_told_though_one_of_them_is_busy(start: Start) -> None:
    class Busy(GenServer):
        def handle_cast(self, gate: Any, state: Any) -> Any:
            gate.wait(PATIENCE_S)
            return state

    supervisor = start([Busy, worker("a")])
    gate = Gate()
    children_of(supervisor)[Busy].cast(gate)
    gate.reached()
    assert Supervisor.count_children(supervisor).active == 2
    assert list(children_of(supervisor)) == [Busy, "a"]
    gate.open()


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
