"""What ends supervisors: stops, one or many at once, kills, their own children, and their parents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.process.ending import Worker, ended, in_a_thread, stuck, worker
from tests.process.supervised import PATIENCE_S, Start, children_of, end_of, started, told
from tinybeam.process import GenServer, NoProcess, ProcessExited, StartFailed, bonds, exit, receive, self_ref, whereis
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.supervisor import Supervisor

if TYPE_CHECKING:
    from tests.conftest import Gate


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
