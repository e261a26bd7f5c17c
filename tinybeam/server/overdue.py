"""Requests whose handlers overran: C has answered them 504; here it is found out where they are stuck.

Owns:  the search for the thread that runs such a request, and its Python stack.
Knows: the runners' turns, the pool's jobs, the loop's tasks, and that any of them may have finished a moment ago.
Never: stops a handler that is a `def`: Python has no way to do that, and its answer is refused when it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from tinybeam.http import Request
from tinybeam.router import Endpoint
from tinybeam.server.crash import report_overdue
from tinybeam.server.loop import EventLoop
from tinybeam.server.pool import BlockingPool
from tinybeam.server.runner import Runner
from tinybeam.server.stacks import coroutine_stack, thread_stack
from tinybeam.server.task_run import TaskRun

logger = logging.getLogger("tinybeam.crash")

STUCK: Final = "its own answer will be refused; it is at"
RETURNED: Final = "it has returned since"
CANCELLED: Final = "it was cancelled; it was at"
NOT_BEGUN: Final = "it will not be run: the event loop was held up"

# What runs where: the thread's ident, the request, and its endpoint where it has come to one.
Run = tuple[int | None, Request, Endpoint | None]


def report(overdue: Iterable[tuple[int, int]], runners: Iterable[Runner], pool: BlockingPool, loop: EventLoop) -> None:
    """Logs each of the overdue requests, which are pairs of a handle and an age in milliseconds; cancels tasks."""
    ages = dict(overdue)
    for endpoint, request, *_ in pool.withdraw(lambda job: job[1].handle in ages):
        state = f"it will not be run: all {pool.threads} threads for handlers that block were busy"
        report_overdue(request, endpoint, ages.pop(request.handle), "", state)
    for run in [run for handle, run in list(loop.runs.items()) if handle in ages]:
        state, stack = _state(run, loop)
        report_overdue(run.request, run.endpoint, ages.pop(run.request.handle), stack, state)
        loop.cancel(run)
    for ident, request, endpoint in _runs(runners, pool):
        age_ms = ages.pop(request.handle, None)
        if age_ms is not None:
            stack = thread_stack(ident)
            report_overdue(request, endpoint, age_ms, stack, STUCK if stack else RETURNED)
    for handle, age_ms in ages.items():
        # It waits behind another one of its batch, or has just returned.
        logger.error("request %016x is overdue after %.1f s; the client was told 504", handle, age_ms / 1000)


def _runs(runners: Iterable[Runner], pool: BlockingPool) -> list[Run]:
    found: list[Run] = []
    for runner in runners:
        turn = runner.turn
        if turn.request is not None:
            found.append((runner.ident, turn.request, turn.endpoint))
    for ident, (endpoint, request, *_) in list(pool.running.items()):
        found.append((ident, request, endpoint))
    return found


def _state(run: TaskRun, loop: EventLoop) -> tuple[str, str]:
    """What becomes of a task, and the stack that it is at."""
    if not run.begun:
        return NOT_BEGUN, ""
    if run.runs_now:
        return STUCK, loop.stack
    stack = coroutine_stack(run.coroutine)
    return (CANCELLED, stack) if stack else (RETURNED, "")
