"""Task: functions that run meanwhile, and what is told when they fail."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import threading
import weakref
from typing import Any

import pytest

from tests.process.agents import assert_nothing_comes, boom, inside, next_message
from tinybeam.process import (
    CallTimeout,
    Down,
    Exit,
    GenServer,
    ProcessExited,
    StartFailed,
    bonds,
    exit,
    link,
    monitor,
    receive,
    self_ref,
    send,
)
from tinybeam.process.agent import Agent
from tinybeam.process.outcomes import Done
from tinybeam.process.pool import pool
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskReply

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


# The value.


def test_the_value_of_a_function_is_waited_for() -> None:
    task = Task.async_(pow, 2, 10)
    assert Task.await_(task, PATIENCE_S) == 1024
    assert_nothing_comes(TaskReply, Down, Exit)


@pytest.mark.parametrize("value", [None, (), KeyError("a value"), Down])
def test_any_value_may_be_the_value(value: Any) -> None:
    assert Task.await_(Task.async_(lambda: value)) is value


def test_a_task_runs_in_a_thread_and_a_process_of_its_own(agent: Any) -> None:
    def where() -> Any:
        return threading.current_thread(), self_ref()

    task = Task.async_(where)
    thread, ref = Task.await_(task)
    assert thread is not threading.current_thread()
    assert ref is task.process
    assert task.owner is self_ref()
    # Also where a call would run in the caller's thread.
    thread, _ = inside(agent, lambda: Task.await_(Task.async_(where)))
    assert thread is not threading.current_thread()


def test_tasks_wait_beside_each_other(gate: Any) -> None:
    tasks = [Task.async_(gate.wait) for _ in range(50)]
    gate.reached(50)
    gate.open()
    assert Task.await_many(tasks, PATIENCE_S) == [None] * 50


def test_a_task_sees_the_contextvars_of_who_starts_it() -> None:
    number: contextvars.ContextVar[int] = contextvars.ContextVar("number")
    number.set(7)
    assert Task.await_(Task.async_(number.get)) == 7
    Task.await_(Task.async_(number.set, 8))
    assert number.get() == 7


def test_an_async_function_is_run_by_asyncio() -> None:
    async def answer(value: int) -> int:
        await asyncio.sleep(0)
        return value

    assert Task.await_(Task.async_(asyncio.run, answer(42))) == 42
    with pytest.raises(ProcessExited) as raised:
        Task.await_(Task.async_(answer, 42))
    assert isinstance(raised.value.reason, TypeError)
    assert "asyncio.run" in str(raised.value.reason)
    next_message(Exit)


def test_a_task_talks_to_other_processes(agent: Any) -> None:
    owner = self_ref()

    def work() -> Any:
        owner.send(("hello from", self_ref()))
        return receive(PATIENCE_S), Agent.get(agent, lambda state: state)

    task = Task.async_(work)
    assert next_message(tuple) == ("hello from", task.process)
    task.process.send("hello")
    assert Task.await_(task, PATIENCE_S) == ("hello", {})


def test_a_task_keeps_nothing_of_what_it_worked_on() -> None:
    class Big:
        pass

    big = Big()
    gone = weakref.ref(big)
    task = Task.async_(lambda big: None, big)
    monitor(task.process)
    Task.await_(task)
    next_message(Down)
    del big
    gc.collect()
    assert gone() is None


# Without waiting.


def test_who_does_not_wait_gets_the_value_as_a_message_and_no_other() -> None:
    task = Task.async_(pow, 2, 3)
    assert next_message(TaskReply) == (task.monitor, 8)
    assert_nothing_comes(Down, Exit)


def test_a_server_takes_the_values_of_its_tasks_in_handle_info() -> None:
    class Server(GenServer):
        def init(self, told: Any) -> Any:
            return told, Task.async_(pow, 2, 3)

        def handle_info(self, message: Any, state: Any) -> Any:
            told, task = state
            match message:
                case TaskReply(monitor, value) if monitor is task.monitor:
                    told.send(("value", value))
            return state

    server = Server.start(self_ref())
    assert next_message(tuple) == ("value", 8)
    exit(server, "kill")


def test_a_completed_task_has_its_value() -> None:
    assert Task.await_(Task.completed(42), 0) == 42
    task = Task.completed(43)
    assert task.process is None
    assert Task.yield_(task, 0) == Done(43)
    assert Task.shutdown(Task.completed(44)) == Done(44)


# Failures.


def test_a_failure_is_told_to_who_waits_and_to_who_is_linked() -> None:
    task = Task.async_(boom)
    with pytest.raises(ProcessExited, match="ended before it answered") as raised:
        Task.await_(task, PATIENCE_S)
    assert isinstance(raised.value.reason, KeyError)
    assert raised.value.__cause__ is raised.value.reason
    assert next_message(Exit) == (task.process, raised.value.reason)
    assert_nothing_comes(TaskReply, Down)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, MemoryError, RecursionError])
def test_whatever_a_task_raises_ends_that_task_only(error: Any) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(ProcessExited) as raised:
        Task.await_(Task.async_(fail), PATIENCE_S)
    assert isinstance(raised.value.reason, error)
    next_message(Exit)
    assert Task.await_(Task.async_(int)) == 0


def test_when_a_task_fails_its_owner_fails(agent: Any) -> None:
    monitor(agent)
    inside(agent, lambda: Task.async_(boom) and None)
    down = next_message(Down)
    assert down.process is agent
    assert isinstance(down.reason, KeyError)


def test_when_the_owner_fails_its_tasks_end_at_once(agent: Any, gate: Any) -> None:
    task = inside(agent, Task.async_, gate.wait)
    gate.reached()
    monitor(task.process)
    exit(agent, "kill")
    # Its function waits still.
    assert next_message(Down)[1:] == (task.process, "killed")
    assert not task.process.is_alive()


def test_a_task_that_cannot_have_a_thread_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_work: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "run", refuse)
    before = len(bonds.processes)
    with pytest.raises(StartFailed, match="can't start"):
        Task.async_(int)
    assert len(bonds.processes) == before
    assert bonds.bonds_of(self_ref()._process).links == {}
    assert_nothing_comes(Down, Exit)


def test_one_that_has_ended_starts_no_tasks(agent: Any, gate: Any) -> None:
    outcome: list[Any] = []

    def work() -> None:
        gate.wait()
        try:
            Task.async_(outcome.append, "it ran")
        except BaseException as error:  # noqa: BLE001
            outcome.append(error)

    def ask() -> None:
        with contextlib.suppress(ProcessExited):
            inside(agent, work)

    thread = threading.Thread(target=ask)
    thread.start()
    gate.reached()
    exit(agent, "kill")
    gate.open()
    thread.join(PATIENCE_S)
    assert [type(one) for one in outcome] == [StartFailed]


# Tasks that nobody waits for.


def test_a_task_may_be_started_for_what_it_does(gate: Any) -> None:
    ref = Task.start(gate.wait)
    gate.reached()
    monitor(ref)
    gate.open()
    assert next_message(Down)[1:] == (ref, "normal")
    assert_nothing_comes(TaskReply, Exit)


def test_a_task_may_be_linked_and_not_waited_for(gate: Any) -> None:
    ref = Task.start_link(boom)
    ended = next_message(Exit)
    assert ended.process is ref
    assert isinstance(ended.reason, KeyError)
    other = Task.start_link(int)
    assert next_message(Exit) == (other, "normal")


def test_stopping_a_task_waits_for_its_function(gate: Any) -> None:
    ref = Task.start(gate.wait)
    gate.reached()
    stopped = ref.stop(block=False)
    assert ref.is_alive()
    gate.open()
    assert stopped.get(timeout=PATIENCE_S) is True


def test_a_call_to_a_task_is_answered_by_what_it_receives_or_not_at_all(gate: Any) -> None:
    ref = Task.start(gate.wait)
    with pytest.raises(CallTimeout):
        ref.call("hello", timeout=0.01)
    gate.open()
    with pytest.raises(ProcessExited):
        ref.call("hello", timeout=PATIENCE_S)


def test_linked_tasks_end_with_each_other(gate: Any) -> None:
    def work(partner: Any) -> None:
        link(partner)
        gate.wait()

    one = Task.start(gate.wait)
    other = Task.start(work, one)
    gate.reached(2)
    monitor(other)
    exit(one, "shutdown")
    assert next_message(Down)[1:] == (other, "shutdown")


def test_a_message_to_a_task_that_has_ended_is_lost() -> None:
    ref = Task.start(int)
    monitor(ref)
    next_message(Down)
    send(ref, "hello")
    ref.cast("hello")
