"""Processes whose callbacks block: each is run in a thread of its own, so that it holds up nobody.

Owns:  the threads, and the case against each class: how often it has held up the ready queue lately.
Knows: that whoever drives the ready queue loses it to another thread when a process is inside a callback for too long,
       which costs everybody else the time until that is noticed.
Never: judges a class whose author has said `blocking = True` or `False`; runs a process that another thread is in.
"""

from __future__ import annotations

import logging
from collections import deque
from functools import partial
from time import monotonic
from typing import Any, Final

from tinybeam.process.here import local
from tinybeam.process.pool import Pool
from tinybeam.process.ready_queue import ready, run_turn

logger = logging.getLogger("tinybeam.process")

# So many hold-ups within so many seconds prove that a class blocks; fewer hurt nobody.
STRIKES: Final = 3
WITHIN_S: Final = 5.0
# A turn that is shorter is no blocking one, and after so many of these in a row the class may come back.
QUICK_S: Final = 0.001
FORGIVEN_AFTER: Final = 64


class Case:
    """What a class has shown of itself."""

    __slots__ = ("hold_ups_s", "quick")

    def __init__(self) -> None:
        self.hold_ups_s: deque[float] = deque(maxlen=STRIKES)
        self.quick = 0


class BlockingQueue:
    """Takes the place of the ready queue for the processes of classes that block."""

    def __init__(self) -> None:
        self.pool = Pool(thread_name="tinybeam-process-blocking")

    def push(self, process: Any) -> None:
        """Runs what waits for a process, in a thread for itself. Any thread."""
        try:
            self.pool.run(partial(_run, process))
        except RuntimeError:  # no thread is left: it has to take its turn with the others
            ready.push(process)


blockers = BlockingQueue()


def on_hold_up(process: Any) -> None:
    """Whoever drives the ready queue has lost it while it was inside this process."""
    cls = type(process)
    if cls.blocking is not None:  # its author knows
        return
    case = vars(cls).get("_case")
    if case is None:
        case = cls._case = Case()
    now_s = monotonic()
    case.hold_ups_s.append(now_s)
    if len(case.hold_ups_s) == STRIKES and now_s - case.hold_ups_s[0] <= WITHIN_S and cls._queue is not blockers:
        case.quick = 0
        cls._queue = blockers
        logger.info("%s blocks: its processes are run in threads of their own for now", cls.__qualname__)


def _run(process: Any) -> None:
    started_s = monotonic()
    run_turn(process, local.here)
    cls = type(process)
    case = vars(cls).get("_case")
    if case is None:
        return
    if monotonic() - started_s >= QUICK_S:
        case.quick = 0
        return
    case.quick += 1
    if case.quick >= FORGIVEN_AFTER and cls._queue is blockers:
        case.hold_ups_s.clear()
        cls._queue = ready


ready.on_hold_up = on_hold_up
