"""How supervisors end, and end their children: order, time limits, kills, and ends that come from everywhere."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process.supervised import PATIENCE_S, Gate, Start, children_of, crash, end_of, started, told
from tinybeam.process import (
    GenServer,
    NoProcess,
    Process,
    ProcessExited,
    StartFailed,
    Stop,
    bonds,
    exit,
    monitor,
    receive,
    self_ref,
    whereis,
)
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.supervisor import Supervisor
from tinybeam.process.tally import abandoned


class Worker(GenServer):
    """Tells the test when it starts and when it ends, and ends as it is told."""

    trap_exit = True

    def init(self, to: Any, name: str) -> Any:
        to.send(("started", name))
        return to, name

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return state[1], state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        if isinstance(message, Gate):
            message.wait()
            state[0].send(("passed", state[1]))
            return state
        return Stop(message)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ended", state[1], reason))


def worker(name: str, **fields: Any) -> ChildSpec:
    return child_spec((Worker, self_ref(), name), id=name, **fields)


def ended(*names: str) -> list[Any]:
    return [("ended", name, "shutdown") for name in names]


class Stuck(Worker):
    """Waits at a gate when it is to end."""

    def init(self, to: Any, name: str, gate: Gate) -> Any:
        self.gate = gate
        return super().init(to, name)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ending", state[1]))
        self.gate.wait()
        super().terminate(reason, state)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.open()


def stuck(name: str, gate: Gate, **fields: Any) -> ChildSpec:
    return child_spec((Stuck, self_ref(), name, gate), id=name, **fields)


def in_a_thread(do: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=do)
    thread.start()
    return thread


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


# Once, and from everywhere.


def test_a_second_stop_finds_nothing_to_do(start: Start) -> None:
    supervisor = start([worker("a")])
    assert supervisor.stop() is True
    assert supervisor.stop() is False
    assert told(2) == started("a") + ended("a")
    with pytest.raises(NoProcess):
        Supervisor.which_children(supervisor)


def test_many_who_stop_it_at_once_stop_it_once(start: Start, gate: Gate) -> None:
    supervisor = start([worker("a"), stuck("b", gate)])
    told(2)
    threads = [in_a_thread(supervisor.stop) for _ in range(8)]
    gate.reached()
    gate.open()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert told(3) == [("ending", "b"), *ended("b", "a")]


def test_a_stop_that_comes_during_the_start_comes_after_it(start: Start, gate: Gate) -> None:
    class Slow(Worker):
        def init(self, to: Any, name: str) -> Any:
            gate.wait()
            return super().init(to, name)

    specs = [worker("a"), child_spec((Slow, self_ref(), "b")), worker("c")]
    thread = in_a_thread(lambda: Supervisor.start(specs, name="slow shop"))
    gate.reached()
    stopped = whereis("slow shop").stop(block=False)
    gate.open()
    assert stopped.get(timeout=PATIENCE_S)
    thread.join(PATIENCE_S)
    assert told(6) == started("a", "b", "c") + ended("c", "b", "a")


def test_a_supervisor_that_is_killed_while_a_child_starts_leaves_no_child(start: Start, gate: Gate) -> None:
    class Slow(Worker):
        def init(self, to: Any, name: str) -> Any:
            gate.wait()
            return super().init(to, name)

    failures: list[Any] = []

    def begin() -> None:
        try:
            Supervisor.start(specs, name="slow shop")
        except StartFailed as error:
            failures.append(error)

    before = set(bonds.processes)
    specs = [worker("a"), child_spec((Slow, self_ref(), "b")), worker("c")]
    thread = in_a_thread(begin)
    gate.reached()
    exit(whereis("slow shop"), "kill")
    gate.open()
    thread.join(PATIENCE_S)
    assert len(failures) == 1
    wait_for_the_end_of_all_but(before)
    assert ("started", "c") not in rest_of_messages()


def test_a_child_that_was_begun_after_its_supervisor_was_killed_does_not_stay(start: Start) -> None:
    before = set(bonds.processes)

    def start_too_late(to: Any) -> Any:
        exit(whereis("dead shop"), "kill")
        return Worker.start(to, "a")

    with pytest.raises(StartFailed):
        Supervisor.start([ChildSpec(id="a", start=start_too_late, args=(self_ref(),)), worker("b")], name="dead shop")
    assert set(bonds.processes) == before
    assert told() == started("a")


def wait_for_the_end_of_all_but(before: set[Any]) -> None:
    """Waits for the ends of all processes that were not there before."""
    for process in set(bonds.processes) - before:
        end_of(process._actor_ref)


def rest_of_messages() -> list[Any]:
    messages = []
    while True:
        try:
            messages.append(receive(0))
        except TimeoutError:
            return messages


@pytest.mark.parametrize("trap_exit", [False, True])
def test_a_child_may_stop_its_supervisor(start: Start, trap_exit: bool) -> None:
    class Mutineer(Worker):
        def handle_cast(self, message: Any, state: Any) -> Any:
            message.stop()
            state[0].send(("still here", state[1]))
            return state

    Mutineer.trap_exit = trap_exit
    supervisor = start([worker("a"), child_spec((Mutineer, self_ref(), "b"), shutdown=20), worker("c")])
    children_of(supervisor)[Mutineer].cast(supervisor)
    assert end_of(supervisor) in ("normal", "noproc")
    assert told(6) == started("a", "b", "c") + [*ended("c"), *ended("a"), ("still here", "b")]


def test_a_child_that_stops_its_supervisor_is_not_waited_for(start: Start) -> None:
    class Mutineer(Worker):
        trap_exit = False

        def handle_cast(self, message: Any, state: Any) -> Any:
            message.stop()
            return state

    # It cannot heed the exit signal before its supervisor has answered it.
    supervisor = start([child_spec((Mutineer, self_ref(), "a"), shutdown="infinity")])
    children_of(supervisor)[Mutineer].cast(supervisor)
    assert end_of(supervisor) in ("normal", "noproc")


def test_a_child_that_waits_for_its_supervisor_is_not_waited_for(start: Start) -> None:
    class Suicidal(GenServer):
        def handle_cast(self, to: Any, state: Any) -> Any:
            try:
                Supervisor.terminate_child(supervisor, Suicidal)
            except ProcessExited as error:
                to.send(("told", error.reason))
            else:
                to.send(("told", "done"))
            return state

    # Its time to shut down is far longer than the test's patience.
    supervisor = start([child_spec(Suicidal, shutdown="infinity")])
    child = children_of(supervisor)[Suicidal]
    child.cast(self_ref())
    assert told() == [("told", "done")]
    assert children_of(supervisor) == {Suicidal: None}


# With others.


class Parent(GenServer):
    """A process that has a supervisor."""

    def init(self, children: Any) -> Any:
        return Supervisor.start_link(children)

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return state, state


@pytest.mark.parametrize("reason", ["shutdown", "oops", "kill"])
def test_a_supervisor_ends_with_its_parent_and_its_children_with_it(start: Start, reason: str) -> None:
    parent = Parent.start([worker("a"), child_spec((Supervisor, [worker("b"), worker("c")]))])
    supervisor = parent.call("supervisor")
    exit(parent, reason)
    end_of(supervisor)
    assert told(6) == started("a", "b", "c") + ended("c", "b", "a")


def test_a_supervisor_ends_even_if_its_parent_ends_as_it_should(start: Start) -> None:
    # A link alone does not spread "normal"; but who traps exits hears of it, and goes with its parent.
    parent = Parent.start([worker("a")])
    supervisor = parent.call("supervisor")
    parent.stop()
    end_of(supervisor)
    assert told(2) == started("a") + ended("a")


def test_the_children_of_a_supervisor_that_is_killed_are_not_left_alone(start: Start) -> None:
    before = set(bonds.processes)
    inner = child_spec((Supervisor, [worker("b"), worker("c")]), id="inner")
    supervisor = start([worker("a"), inner])
    told(3)
    exit(supervisor, "kill")
    wait_for_the_end_of_all_but(before)
    assert sorted(told(3), key=str) == sorted(
        [("ended", "a", "killed"), *[("ended", name, "shutdown") for name in "bc"]], key=str
    )


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
