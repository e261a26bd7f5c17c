"""Task.Supervisor: tasks that somebody sees to."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.process import Down, Exit, GenServer, NoProcess, ProcessExited, exit, monitor, receive, self_ref
from tinybeam.process.agent import Agent
from tinybeam.process.child_errors import TooManyChildren
from tinybeam.process.childspec import ChildSpec
from tinybeam.process.dynamic_supervisor import DynamicSupervisor
from tinybeam.process.outcomes import Done, Exited
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskReply
from tinybeam.process.task_supervisor import TaskSupervisor

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


@pytest.fixture
def supervisor() -> Iterator[Any]:
    ref = TaskSupervisor.start(name="tasks")
    yield ref
    exit(ref, "kill")


@pytest.fixture
def agent() -> Iterator[Any]:
    ref = Agent.start(dict)
    yield ref
    exit(ref, "kill")


def boom(*_: Any) -> Any:
    raise KeyError("boom")


def next_message(*kinds: Any) -> Any:
    return receive(PATIENCE_S, want=lambda message: type(message) in kinds)


def inside(ref: Any, function: Callable[..., Any], *args: Any) -> Any:
    """Calls a function in a process."""
    return Agent.get(ref, lambda _: function(*args), timeout=PATIENCE_S)


def test_it_is_known_by_its_name_in_elixir() -> None:
    assert Task.Supervisor is TaskSupervisor


def test_a_task_is_a_child_while_it_runs(supervisor: Any, gate: Any) -> None:
    tasks = [TaskSupervisor.async_("tasks", gate.wait), TaskSupervisor.async_nolink(supervisor, gate.wait)]
    assert TaskSupervisor.children("tasks") == [task.process for task in tasks]
    gate.open()
    assert Task.await_many(tasks, PATIENCE_S) == [None, None]
    for one in [monitor(task.process) for task in tasks]:
        receive(PATIENCE_S, want=lambda message, one=one: type(message) is Down and message.monitor is one)
    assert TaskSupervisor.children("tasks") == []


def test_a_task_that_is_linked_fails_with_its_owner_and_the_other_way_round(
    supervisor: Any, agent: Any, gate: Any
) -> None:
    task = inside(agent, TaskSupervisor.async_, supervisor, gate.wait)
    monitor(task.process)
    exit(agent, "kill")
    assert next_message(Down)[1:] == (task.process, "killed")
    other = Agent.start(dict)
    monitor(other)
    inside(other, lambda: TaskSupervisor.async_(supervisor, boom) and None)
    assert isinstance(next_message(Down).reason, KeyError)
    assert supervisor.is_alive()


def test_a_task_that_is_not_linked_fails_alone(supervisor: Any, agent: Any, gate: Any) -> None:
    task = TaskSupervisor.async_nolink(supervisor, boom)
    with pytest.raises(ProcessExited):
        Task.await_(task, PATIENCE_S)
    untold = inside(agent, TaskSupervisor.async_nolink, supervisor, gate.wait)
    exit(agent, "kill")
    assert untold.process.is_alive()
    gate.open()
    monitor(untold.process)
    next_message(Down)
    with pytest.raises(TimeoutError):
        receive(0, want=lambda message: type(message) in (Exit, TaskReply))


def test_a_server_takes_what_becomes_of_its_tasks_in_handle_info(supervisor: Any) -> None:
    class Server(GenServer):
        def init(self, told: Any) -> Any:
            return told, [TaskSupervisor.async_nolink(supervisor, function) for function in (int, boom)]

        def handle_info(self, message: Any, state: Any) -> Any:
            told, (good, bad) = state
            match message:
                case TaskReply(one, value) if one is good.monitor:
                    told.send(("value", value))
                case Down(one, _, reason) if one is bad.monitor:
                    told.send(("failed", type(reason)))
            return state

    server = Server.start(self_ref())
    assert {next_message(tuple), next_message(tuple)} == {("value", 0), ("failed", KeyError)}
    exit(server, "kill")


def test_when_the_supervisor_ends_its_tasks_end(supervisor: Any, gate: Any) -> None:
    tasks = [TaskSupervisor.async_nolink(supervisor, gate.wait) for _ in range(10)]
    gate.reached(10)
    assert supervisor.stop(timeout=PATIENCE_S)
    for task in tasks:
        assert Task.yield_(task, PATIENCE_S) == Exited("shutdown")


def test_there_are_no_more_tasks_than_may_be(gate: Any) -> None:
    supervisor = TaskSupervisor.start(max_children=1)
    task = TaskSupervisor.async_nolink(supervisor, gate.wait)
    for start in (TaskSupervisor.async_, TaskSupervisor.async_nolink, TaskSupervisor.start_child):
        with pytest.raises(TooManyChildren):
            start(supervisor, int)
    gate.open()
    Task.await_(task, PATIENCE_S)
    supervisor.stop()


def test_without_a_supervisor_there_are_no_tasks() -> None:
    with pytest.raises(NoProcess):
        TaskSupervisor.async_("nobody", int)


def test_a_task_sees_the_contextvars_of_its_owner_also_if_the_supervisor_is_busy(
    supervisor: Any, gate: Any, until: Any
) -> None:
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")

    def start_slowly() -> Any:
        gate.wait()
        return Task.start_link(int)

    slow = ChildSpec(id="slow", start=start_slowly, restart="temporary")
    keeper = threading.Thread(target=DynamicSupervisor.start_child, args=(supervisor, slow))
    keeper.start()
    gate.reached()

    def open_when_somebody_waits() -> None:
        until(lambda: supervisor._process._waiting())
        gate.open()

    opener = threading.Thread(target=open_when_somebody_waits)
    opener.start()
    number.set(7)
    assert Task.await_(TaskSupervisor.async_nolink(supervisor, number.get), PATIENCE_S) == 7
    for thread in (keeper, opener):
        thread.join(PATIENCE_S)


def test_a_child_is_not_waited_for_and_runs_once(supervisor: Any) -> None:
    owner = self_ref()

    def work(number: int) -> None:
        owner.send(("ran", number))
        boom()

    ref = TaskSupervisor.start_child(supervisor, work, 1)
    monitor(ref)
    assert next_message(tuple) == ("ran", 1)
    assert next_message(Down).process is ref
    assert TaskSupervisor.children(supervisor) == []
    with pytest.raises(TimeoutError):
        receive(0, want=lambda message: type(message) in (tuple, TaskReply, Exit))


def test_a_child_runs_again_if_that_is_asked_for(supervisor: Any) -> None:
    owner = self_ref()
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")
    number.set(7)

    def work() -> None:
        owner.send((self_ref(), number.get()))
        receive(PATIENCE_S)
        boom()

    TaskSupervisor.start_child(supervisor, work, restart="transient")
    refs = []
    for _ in range(3):
        ref, seen = next_message(tuple)
        assert seen == 7
        refs.append(ref)
        ref.send("go on")
    assert len(set(refs)) == 3


def test_streams_run_below_the_supervisor(supervisor: Any) -> None:
    def parent(number: int) -> Any:
        return number, self_ref() in TaskSupervisor.children(supervisor)

    for stream in (TaskSupervisor.async_stream, TaskSupervisor.async_stream_nolink):
        outcomes = list(stream("tasks", range(10), parent, max_concurrency=3))
        assert outcomes == [Done((number, True)) for number in range(10)]


def test_a_stream_that_is_not_linked_tells_of_failures_to_whoever_iterates(supervisor: Any, agent: Any) -> None:
    outcomes = inside(agent, lambda: list(TaskSupervisor.async_stream_nolink(supervisor, [1], boom)))
    assert [type(outcome) for outcome in outcomes] == [Exited]
    with pytest.raises(ProcessExited):
        inside(agent, lambda: list(TaskSupervisor.async_stream(supervisor, [1], boom)))
    assert not agent.is_alive()
