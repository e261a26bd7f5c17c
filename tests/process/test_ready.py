"""The ready queue: turns, budgets, and who is passed over."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tinybeam.process.here import local
from tinybeam.process.ready_queue import BUDGET, IDLE, NOTED, QUEUED, ReadyQueue, run_turn


class Runner:
    taken = False


class Turned:
    """What the queue knows of a process; it notes its turns."""

    def __init__(self, turns: list[Any], name: str = "") -> None:
        self.turns = turns
        self.name = name
        self._queued = QUEUED
        self._lock = threading.Lock()
        self._held = False
        self._bonds = None
        self.left = 0

    def _turn(self, budget: int) -> None:
        assert budget == BUDGET
        assert local.here.process is self
        self.turns.append((self.name, self._queued))

    def _leave(self) -> None:
        self.left += 1
        self._lock.release()


def test_turns_come_in_the_order_of_the_queue() -> None:
    queue, turns = ReadyQueue(), []
    for name in "abc":
        queue.push(Turned(turns, name))
    queue.run(Runner())
    assert turns == [("a", IDLE), ("b", IDLE), ("c", IDLE)]
    assert queue.turns == 3
    assert not queue.processes


def test_a_runner_that_was_taken_over_runs_nothing_more() -> None:
    queue, turns, runner = ReadyQueue(), [], Runner()

    class Taking(Turned):
        def _turn(self, budget: int) -> None:
            super()._turn(budget)
            runner.taken = True

    queue.push(Taking(turns, "a"))
    queue.push(Turned(turns, "b"))
    queue.run(runner)
    assert turns == [("a", IDLE)]
    assert len(queue.processes) == 1


def test_a_run_ends_when_its_time_is_over() -> None:
    queue, turns = ReadyQueue(), []
    for name in "ab":
        queue.push(Turned(turns, name))
    queue.run(Runner(), until_s=time.monotonic())
    assert turns == [("a", IDLE)]


def test_a_process_that_is_run_elsewhere_is_passed_over_and_told_so() -> None:
    turns: list[Any] = []
    one = Turned(turns)
    one._lock.acquire()
    run_turn(one, local.here)
    assert turns == []
    assert one._queued == NOTED
    assert one.left == 0


def test_what_a_turn_raises_leaves_the_thread_as_it_was() -> None:
    class Faulty(Turned):
        def _turn(self, budget: int) -> None:
            raise RuntimeError

    outer, depth = local.here.process, local.here.depth
    with pytest.raises(RuntimeError):
        run_turn(Faulty([]), local.here)
    assert local.here.process is outer
    assert local.here.depth == depth


def test_a_sleeping_driver_is_woken_and_one_that_is_awake_is_not() -> None:
    queue = ReadyQueue()
    woken: list[int] = []

    class Driver:
        def wake(self) -> None:
            woken.append(1)
            queue.asleep = False

        def take_up(self) -> None:
            pass

        def stand_down(self) -> None:
            pass

    queue.adopt(Driver())
    woken.clear()
    queue.asleep = True
    for _ in range(3):
        queue.push(Turned([]))
    assert woken == [1]
