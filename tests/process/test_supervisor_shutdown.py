"""How supervisors end their children: order, time limits, kills, and children that end as they should not."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.conftest import Gate
from tests.process.ending import Worker, ended, in_a_thread, stuck, worker
from tests.process.supervised import PATIENCE_S, Start, children_of, crash, started, told
from tinybeam.process import NoProcess, Process, exit, monitor, receive, self_ref, whereis
from tinybeam.process.childspec import child_spec
from tinybeam.process.supervisor import Supervisor
from tinybeam.process.tally import abandoned

# In order, and in time.


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "for today"), "oops"])
def test_children_end_the_last_first_with_shutdown_whatever_their_supervisor_ends_of(start: Start, reason: Any) -> None:
    supervisor = start([worker("a"), worker("b"), worker("c")])
    watch = monitor(supervisor)
    assert supervisor.stop(reason)
    assert told(6) == started("a", "b", "c") + ended("c", "b", "a")
    down = receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch)
    assert down.reason == reason


def test_a_child_ends_before_the_one_before_it_is_told_to(start: Start, gate: Gate) -> None:
    supervisor = start([worker("a"), stuck("b", gate)])
    told(2)
    thread = in_a_thread(supervisor.stop)
    gate.reached()
    assert told() == [("ending", "b")]
    gate.open()
    thread.join(PATIENCE_S)
    assert told(2) == ended("b", "a")


def test_a_child_that_is_too_slow_is_killed_and_the_others_end_as_they_should(
    start: Start, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    before = abandoned.count
    supervisor = start([worker("a"), stuck("b", gate, shutdown=30), stuck("c", gate, shutdown=20), worker("d")])
    refs = children_of(supervisor)
    told(4)
    supervisor.stop()
    assert told(4) == [*ended("d"), ("ending", "c"), ("ending", "b"), *ended("a")]
    assert not any(ref.is_alive() for ref in refs.values())
    assert abandoned.count == before + 2
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "child c (Stuck" in lines[0]
    assert "shutdown 20) was to shut down, and ended: killed" in lines[0]
    gate.open()
    assert sorted(told(2)) == ended("b", "c")  # their threads go on to the end


def test_a_child_that_is_stuck_in_a_callback_is_killed_there_and_then_nobody_hears_of_it(start: Start) -> None:
    gate = Gate()
    supervisor = start([worker("a", shutdown=20)])
    told()
    child = children_of(supervisor)["a"]
    child.cast(gate)
    child.cast(gate)
    gate.reached()
    watch = monitor(child)
    Supervisor.terminate_child(supervisor, "a")
    assert receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch).reason == "killed"
    with pytest.raises(NoProcess):
        child.call("name")
    gate.open()
    assert told() == [("passed", "a")]  # its thread goes on to the end of the callback
    supervisor.stop()
    with pytest.raises(TimeoutError):
        receive(0, want=lambda message: type(message) is tuple)  # neither the second message nor terminate


def test_a_brutal_kill_does_not_wait_and_does_not_ask(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")
    gate, before = Gate(), abandoned.count
    supervisor = start([worker("a"), worker("b", shutdown="brutal_kill"), worker("c", shutdown="brutal_kill")])
    children_of(supervisor)["b"].cast(gate)
    gate.reached()
    supervisor.stop()
    assert told(4) == started("a", "b", "c") + ended("a")
    assert abandoned.count == before + 1
    assert caplog.records == []
    gate.open()
    assert told() == [("passed", "b")]


def test_infinity_waits(start: Start, gate: Gate) -> None:
    supervisor = start([worker("a"), stuck("b", gate, shutdown="infinity")])
    told(2)
    thread = in_a_thread(supervisor.stop)
    gate.reached()
    assert supervisor.is_alive()
    gate.open()
    thread.join(PATIENCE_S)
    assert told(3) == [("ending", "b"), *ended("b", "a")]


def test_a_process_that_does_not_trap_exits_ends_without_terminate(start: Start) -> None:
    class Plain(Worker):
        trap_exit = False

    class PlainProcess(Process):
        def __init__(self, to: Any) -> None:
            self.to = to

        def on_stop(self) -> None:
            self.to.send(("stopped", "b"))

    supervisor = start([child_spec((Plain, self_ref(), "a")), (PlainProcess, self_ref())])
    assert told() == started("a")
    refs = children_of(supervisor)
    supervisor.stop()
    assert told() == [("stopped", "b")]
    assert not any(ref.is_alive() for ref in refs.values())


def test_a_deep_tree_ends_from_the_leaves(start: Start) -> None:
    tree = worker("leaf")
    for level in range(80):
        tree = child_spec((Supervisor, [tree]), id=level)
    supervisor = start([tree, worker("last")])
    supervisor.stop()
    assert told(4) == started("leaf", "last") + ended("last", "leaf")


def test_a_thousand_children_end_in_order(start: Start) -> None:
    names = [str(number) for number in range(1000)]
    supervisor = start([worker(name) for name in names])
    supervisor.stop()
    assert told(2000) == started(*names) + ended(*reversed(names))


# Ends that do not go as planned.


def test_a_child_that_crashes_at_its_end_does_not_keep_the_others_from_ending(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")

    class Clumsy(Worker):
        def terminate(self, reason: Any, state: Any) -> None:
            super().terminate(reason, state)
            raise SystemExit(3)

    supervisor = start([worker("a"), child_spec((Clumsy, self_ref(), "b")), worker("c")])
    supervisor.stop()
    assert told(6) == started("a", "b", "c") + ended("c", "b", "a")
    assert "child" in caplog.records[-1].getMessage()
    assert "was to shut down, and ended: SystemExit(3)" in caplog.records[-1].getMessage()


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "x"), "oops"])
@pytest.mark.parametrize("when", ["before", "at its end"])
def test_children_that_end_by_themselves_during_the_shutdown_do_not_disturb_it(
    start: Start, caplog: pytest.LogCaptureFixture, restart: str, reason: Any, when: str
) -> None:
    caplog.set_level(logging.ERROR, "tinybeam.process")

    class Last(Worker):
        """Takes the one before it along."""

        def terminate(self, _reason: Any, state: Any) -> None:
            victim = whereis("victim")
            if when == "before":
                crash(victim, reason)

    class Victim(Worker):
        def terminate(self, told_reason: Any, state: Any) -> None:
            super().terminate(told_reason, state)

        def _on_exit(self, sender: Any, told_reason: Any) -> None:
            super()._on_exit(sender, reason if when == "at its end" else told_reason)

    victim = child_spec((Victim, self_ref(), "b"), restart=restart, kwargs={"name": "victim"})
    supervisor = start([worker("a"), victim, child_spec((Last, self_ref(), "c"))])
    supervisor.stop()
    assert told(5) == started("a", "b", "c") + [("ended", "b", reason), *ended("a")]
    orderly = reason == "shutdown" or (restart != "permanent" and reason != "oops")
    reports = [record.getMessage() for record in caplog.records if "was to shut down" in record.getMessage()]
    assert len(reports) == (0 if orderly else 1)


def test_all_children_may_have_ended_when_their_supervisor_is_to_end(start: Start) -> None:
    # Their ends are in its mailbox, behind the stop that it has begun with.
    class Last(Worker):
        def terminate(self, _reason: Any, state: Any) -> None:
            for ref in others:
                exit(ref, "kill")

    supervisor = start([*(worker(str(number)) for number in range(10)), child_spec((Last, self_ref(), "last"))])
    told(11)
    others = [ref for child_id, ref in children_of(supervisor).items() if child_id != Last and type(child_id) is str]
    assert supervisor.stop()
    assert not any(ref.is_alive() for ref in others)
