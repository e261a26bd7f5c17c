"""Waiting for tasks: how long, who may, many at once, and shutting them down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.process.agents import assert_nothing_comes, boom, inside, next_message
from tinybeam.process import (
    CallTimeout,
    Down,
    Exit,
    ProcessExited,
    bonds,
    exit,
    here,
    monitor,
    receive,
    self_ref,
)
from tinybeam.process.agent import Agent
from tinybeam.process.outcomes import Done, Exited
from tinybeam.process.pool import pool
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskReply

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


# Time.


def test_what_does_not_come_in_time_does_not_come_at_all(gate: Any) -> None:
    task = Task.async_(gate.wait)
    monitor(task.process)
    with pytest.raises(CallTimeout, match="gave no answer within 0.01 s"):
        Task.await_(task, 0.01)
    gate.open()
    # The task was not ended: it comes to its end by itself, and its value goes nowhere.
    assert next_message(Down)[1:] == (task.process, "normal")
    assert_nothing_comes(TaskReply, Down)


def test_yield_may_be_asked_again(gate: Any) -> None:
    task = Task.async_(gate.wait)
    assert Task.yield_(task, 0) is None
    assert Task.yield_(task, 0.01) is None
    gate.open()
    assert Task.yield_(task, PATIENCE_S) == Done(None)


def test_yield_tells_of_a_failure() -> None:
    task = Task.async_(boom)
    outcome = Task.yield_(task, PATIENCE_S)
    assert isinstance(outcome, Exited)
    assert isinstance(outcome.reason, KeyError)
    next_message(Exit)


def test_answers_and_given_up_monitors_never_cross() -> None:
    # Each answer comes at the moment in which its owner gives up.
    for _ in range(2000):
        task = Task.async_(int)
        try:
            assert Task.await_(task, 0) == 0
        except CallTimeout:
            monitor(task.process)
            next_message(Down)
        assert_nothing_comes(TaskReply, Down)


# Who may wait.


def test_only_the_owner_waits(agent: Any) -> None:
    task = Task.async_(int)
    for function in (Task.await_, Task.yield_, Task.shutdown):
        with pytest.raises(ProcessExited) as raised:
            inside(Agent.start(dict), function, task)
        assert isinstance(raised.value.reason, ValueError)
        assert "is waited for by the process that started it" in str(raised.value.reason)
    assert Task.await_(task) == 0


def test_a_task_is_waited_for_once(gate: Any) -> None:
    done, late, looked_at = Task.async_(int), Task.async_(gate.wait), Task.async_(int)
    Task.await_(done)
    with pytest.raises(CallTimeout):
        Task.await_(late, 0)
    assert Task.yield_(looked_at, PATIENCE_S) == Done(0)
    for task in (done, late, looked_at):
        with pytest.raises(ValueError, match="a task is waited for once"):
            Task.await_(task)
        with pytest.raises(ValueError, match="a task is waited for once"):
            Task.yield_(task)


# Many.


def test_many_are_waited_for_in_their_order(gates: Any) -> None:
    first, second = gates(), gates()
    tasks = [Task.async_(lambda: first.wait() or 1), Task.async_(lambda: second.wait() or 2), Task.async_(lambda: 3)]
    second.open()
    assert Task.yield_(Task.async_(second.wait), PATIENCE_S) == Done(None)
    first.open()
    assert Task.await_many(tasks, PATIENCE_S) == [1, 2, 3]
    assert Task.await_many([]) == []
    again = Task.async_(int)
    assert Task.await_many([again, again]) == [0, 0]


def test_after_the_first_failure_none_of_many_is_waited_for(gate: Any) -> None:
    slow, failing = Task.async_(gate.wait), Task.async_(boom)
    with pytest.raises(ProcessExited):
        Task.await_many([slow, failing], PATIENCE_S)
    next_message(Exit)
    gate.open()
    monitor(slow.process)
    next_message(Down)
    assert_nothing_comes(TaskReply, Down)


def test_one_of_many_that_is_late_is_named(gate: Any) -> None:
    with pytest.raises(CallTimeout, match="<task Gate.wait of"):
        Task.await_many([Task.async_(int), Task.async_(gate.wait)], 0.05)


def test_yield_many_tells_what_has_come(gate: Any) -> None:
    slow, failing, done = Task.async_(gate.wait), Task.async_(boom), Task.async_(int)
    monitors = [monitor(task.process) for task in (failing, done)]
    for one in monitors:
        receive(PATIENCE_S, want=lambda message, one=one: type(message) is Down and message.monitor is one)
    outcomes = dict(Task.yield_many([slow, failing, done], 0))
    assert list(outcomes) == [slow, failing, done]
    assert outcomes[slow] is None
    assert isinstance(outcomes[failing], Exited)
    assert outcomes[done] == Done(0)
    gate.open()
    assert Task.yield_many([slow], PATIENCE_S) == [(slow, Done(None))]
    next_message(Exit)


def test_many_tasks_leave_nothing_behind(until: Any) -> None:
    before = len(bonds.processes)
    for _ in range(10):
        assert Task.await_many([Task.async_(abs, -number) for number in range(100)], PATIENCE_S) == list(range(100))
    until(lambda: len(bonds.processes) == before)
    until(lambda: pool.busy == 0)
    ties = bonds.bonds_of(self_ref()._process)
    assert (ties.links, ties.monitors, ties.on_end) == ({}, {}, [])
    assert_nothing_comes(TaskReply, Down, Exit)


# Shutdown.


@pytest.mark.parametrize("timeout", [PATIENCE_S, None, "brutal_kill"])
def test_a_task_is_shut_down_though_its_function_waits(gate: Any, timeout: Any) -> None:
    task = Task.async_(gate.wait)
    gate.reached()
    assert Task.shutdown(task, timeout) is None
    assert not task.process.is_alive()
    assert_nothing_comes(TaskReply, Down, Exit)


def test_what_had_come_of_a_task_is_told_by_its_shutdown() -> None:
    done, failing = Task.async_(int), Task.async_(boom)
    for one in [monitor(task.process) for task in (done, failing)]:
        receive(PATIENCE_S, want=lambda message, one=one: type(message) is Down and message.monitor is one)
    assert Task.shutdown(done) == Done(0)
    outcome = Task.shutdown(failing)
    assert isinstance(outcome, Exited)
    assert isinstance(outcome.reason, KeyError)
    next_message(Exit)


def test_a_task_that_was_given_up_is_shut_down(gate: Any) -> None:
    task = Task.async_(gate.wait)
    with pytest.raises(CallTimeout):
        Task.await_(task, 0)
    assert Task.shutdown(task) is None
    assert Task.shutdown(task) == Exited("noproc")


def test_of_a_task_whose_message_was_taken_nothing_is_left_to_shut_down() -> None:
    task = Task.async_(int)
    next_message(TaskReply)
    monitor(task.process)
    next_message(Down)
    assert Task.shutdown(task) == Exited("noproc")


def trap_and(wait: Callable[[], Any], told: Any) -> Any:
    here.current().trap_exit = True
    told.send(("trapping",))
    return wait()


def test_a_task_that_traps_exits_ends_by_itself() -> None:
    task = Task.async_(trap_and, lambda: receive(PATIENCE_S), self_ref())
    next_message(tuple)
    assert Task.shutdown(task, PATIENCE_S) == Done(Exit(self_ref(), "shutdown"))


def test_a_task_that_traps_exits_and_does_not_end_is_killed(gate: Any) -> None:
    task = Task.async_(trap_and, gate.wait, self_ref())
    gate.reached()
    assert Task.shutdown(task, 0.01) is None
    assert not task.process.is_alive()
    next_message(tuple)


def test_a_thread_that_waits_in_a_killed_task_comes_out() -> None:
    owner = self_ref()

    def work() -> None:
        owner.send(("waiting", threading.current_thread()))
        try:
            receive()
        finally:
            owner.send(("out", threading.current_thread()))

    for reason in ("kill", "shutdown", KeyError("boom")):
        task = Task.async_(work)
        what, thread = next_message(tuple)
        assert what == "waiting"
        exit(task.process, reason)
        assert next_message(tuple) == ("out", thread)
        assert isinstance(Task.yield_(task), Exited)
        next_message(Exit)
