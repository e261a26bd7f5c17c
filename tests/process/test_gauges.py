"""The numbers that tell of processes: what there is, and what has gone wrong."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.process.supervised import Start, children_of, crash, started, told, worker
from tinybeam.process import DynamicSupervisor, GenServer, ReadyQueue, Task, exit, gauges, process_stats, suspend
from tinybeam.process.tally import Tally

PATIENCE_S = 30


def risen(before: dict[str, int]) -> dict[str, int]:
    """What has changed since, but for threads, which come and go by themselves."""
    now = process_stats()
    return {name: now[name] - before[name] for name in now if now[name] != before[name] and "threads" not in name}


def test_processes_are_counted_while_they_live() -> None:
    before = process_stats()
    many = [GenServer.start() for _ in range(10)]
    assert risen(before) == {"processes": 10}
    for one in many:
        one.stop()
    assert risen(before) == {}


def test_messages_to_who_has_ended_are_dead_letters() -> None:
    one = GenServer.start()
    suspend(one)
    one.cast("waits")
    before = process_stats()
    exit(one, "kill")
    one.cast("too late")
    one.send("too late")
    assert risen(before) == {"processes": -1, "dead_letters": 3}


def test_crashes_and_restarts_are_counted(start: Start) -> None:
    supervisor = start([worker("a")])
    assert told() == started("a")
    before = process_stats()
    crash(children_of(supervisor)["a"])
    assert told(2) == [("ended", "a"), ("started", "a")]
    assert risen(before) == {"process_crashes": 1, "process_restarts": 1}
    dynamic = DynamicSupervisor.start_link()
    crash(DynamicSupervisor.start_child(dynamic, worker("b")))
    assert told(3) == [("started", "b"), ("ended", "b"), ("started", "b")]
    assert risen(before) == {"processes": 2, "process_crashes": 2, "process_restarts": 2}
    dynamic.stop()
    told()


def test_threads_are_counted_while_they_are_inside_somebody(gate: Any, gates: Any, until: Any) -> None:
    class Blocking(GenServer):
        blocking = True

        def handle_cast(self, message: Any, state: Any) -> Any:
            message.wait()
            return state

    before, second = process_stats(), gates()
    one, task = Blocking.start(), Task.async_(second.wait)
    one.cast(gate)
    gate.reached()
    second.reached()
    found = process_stats()
    for name in ("process_threads_blocking", "task_threads"):
        assert found[name] >= 1
    gate.open()
    second.open()
    Task.await_(task)
    one.stop()
    until(lambda: process_stats()["task_threads"] == before["task_threads"])


def test_who_waits_for_a_turn_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = ReadyQueue()
    monkeypatch.setattr(gauges, "ready", queue)
    queue.push("one")
    queue.push("another")
    assert process_stats()["processes_ready"] == 2


def test_no_addition_of_a_tally_is_lost(threads: Any) -> None:
    tally = Tally()
    begin = threading.Barrier(4)

    def add() -> None:
        begin.wait(PATIENCE_S)
        for _ in range(5000):
            tally.add()

    for thread in [threads(add) for _ in range(4)]:
        thread.join(PATIENCE_S)
    assert tally.count == 20_000
