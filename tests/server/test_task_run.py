"""A request in the event loop: it is a process for as long as it is not over."""

from __future__ import annotations

from typing import Any

from tinybeam import Request, Router
from tinybeam.process import bonds, exit
from tinybeam.server.task_run import TaskRun


async def handler(request: Request) -> str:
    return "yay"


def make_run(told: list[Any]) -> TaskRun:
    router = Router()
    router.get("/")(handler)
    endpoint = router.compile().endpoints[0]
    return TaskRun(endpoint, Request(7, "GET", "/"), (), lambda run, answer: told.append((run, answer[1])))


def test_it_is_one_process_until_it_is_over() -> None:
    run = make_run([])
    process = run.visitor()
    assert process is not None
    assert run.visitor() is process
    assert process.label == "GET /"
    run.end()
    assert process not in bonds.processes


def test_who_asks_when_it_is_over_makes_no_process() -> None:
    before = set(bonds.processes)
    run = make_run([])
    run.end()
    assert run.visitor() is None
    assert set(bonds.processes) == before


def test_whoever_runs_it_is_told_when_it_is_killed() -> None:
    told: list[Any] = []
    run = make_run(told)
    process = run.visitor()
    assert process is not None
    exit(process.actor_ref, "kill")
    assert told == [(run, 503)]
    run.end()


def test_it_does_not_run_before_there_is_a_coroutine_nor_while_that_waits() -> None:
    run = make_run([])
    assert not run.runs_now
    run.coroutine = handler(run.request)  # type: ignore[assignment]
    assert not run.runs_now
    run.coroutine.close()
    run.end()
