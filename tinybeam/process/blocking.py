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

# So many hold-ups within so many seconds prove that a class blocks, unless the queue has run so many turns meanwhile:
# any code is interrupted by the operating system now and then. Fewer hurt nobody.
STRIKES: Final = 3
WITHIN_S: Final = 5.0
TURNS: Final = 300
# A turn that is shorter is no blocking one, and after so many of these in a row the class may come back.
QUICK_S: Final = 0.001
FORGIVEN_AFTER: Final = 64


class Case:
    """What a class has shown of itself."""

    __slots__ = ("_hold_ups", "quick")

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        # When, and how many turns the queue had run by then.
        self._hold_ups: deque[tuple[float, int]] = deque(maxlen=STRIKES)
        self.quick = 0

    def is_proved_by(self, now_s: float, turns: int) -> bool:
        """Whether one more hold-up is one too many."""
        self.quick = 0
        self._hold_ups.append((now_s, turns))
        first_s, first_turns = self._hold_ups[0]
        return len(self._hold_ups) == STRIKES and now_s - first_s <= WITHIN_S and turns - first_turns <= TURNS


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
    if case.is_proved_by(monotonic(), ready.turns) and cls._queue is not blockers:
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
        case.clear()
        cls._queue = ready


ready.on_hold_up = on_hold_up
