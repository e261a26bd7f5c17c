"""Supervisor: how it starts with its children, the calls that change them, and what it does not heed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.process.supervised import (
    PATIENCE_S,
    Flaky,
    Start,
    Worker,
    children_of,
    crash,
    ended,
    settle,
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
    self_ref,
    whereis,
)
from tinybeam.process.child_errors import BadSpec, ChildNotFound, ChildPresent, ChildRunning
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


# What it does not heed.


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
