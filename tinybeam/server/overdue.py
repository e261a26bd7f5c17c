"""Requests whose handlers overran: C has answered them 504; here it is found out where they are stuck.

Owns:  the search for the thread that runs such a request, and its Python stack.
Knows: the runners' turns, the pool's jobs, and that either may have finished a moment ago.
Never: stops a handler: Python has no way to do that, and its answer is refused when it comes.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Final

from tinybeam.http import Request
from tinybeam.router import Endpoint
from tinybeam.server.crash import report_overdue
from tinybeam.server.pool import BlockingPool
from tinybeam.server.runner import Runner

logger = logging.getLogger("tinybeam.crash")

_DRIVERS: Final = (os.path.dirname(__file__), threading.__file__)

STUCK: Final = "its own answer will be refused; it is at"
RETURNED: Final = "it has returned since"

# What runs where: the thread's ident, the request, and its endpoint where it has come to one.
Run = tuple[int | None, Request, Endpoint | None]


def report(overdue: Iterable[tuple[int, int]], runners: Iterable[Runner], pool: BlockingPool) -> None:
    """Logs each of the overdue requests, which are pairs of a handle and an age in milliseconds."""
    ages = dict(overdue)
    for endpoint, request, *_ in pool.withdraw(lambda job: job[1].handle in ages):
        state = f"it will not be run: all {pool.threads} threads for handlers that block were busy"
        report_overdue(request, endpoint, ages.pop(request.handle), "", state)
    for ident, request, endpoint in _runs(runners, pool):
        age_ms = ages.pop(request.handle, None)
        if age_ms is not None:
            stack = _stack(ident)
            report_overdue(request, endpoint, age_ms, stack, STUCK if stack else RETURNED)
    for handle, age_ms in ages.items():
        # It waits behind another one of its batch, or has just returned.
        logger.error("request %x is overdue after %.1f s; the client was told 504", handle, age_ms / 1000)


def _runs(runners: Iterable[Runner], pool: BlockingPool) -> list[Run]:
    found: list[Run] = []
    for runner in runners:
        turn = runner.turn
        if turn.request is not None:
            found.append((runner.ident, turn.request, turn.endpoint))
    for ident, (endpoint, request, *_) in list(pool.running.items()):
        found.append((ident, request, endpoint))
    return found


def _stack(ident: int | None) -> str:
    """The stack of a thread, from where it left what drives it; "" when it has not, or has come back."""
    frame = sys._current_frames().get(ident or 0)
    if frame is None:
        return ""
    entries = traceback.extract_stack(frame)
    while entries and entries[0].filename.startswith(_DRIVERS):
        del entries[0]
    return "".join(traceback.format_list(entries)).rstrip()
