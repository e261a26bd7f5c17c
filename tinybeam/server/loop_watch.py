"""A watch over the event loop: whoever holds it up is named, for there is no other to go on with it.

Owns:  the thread that looks, and the routes that were told about.
Knows: that a loop which is in the same turn as before, for long, is inside somebody's code; that a machine which is
       busy with other things looks the same, but lets the watch come late as well.
Never: wakes up while no request runs in the loop; names a route twice.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping
from typing import Final, Protocol

from tinybeam.server.task_run import TaskRun

logger = logging.getLogger("tinybeam.server")

HELD_UP_S: Final = 0.1
SAMPLE_S: Final = 0.05
_HELD_UP: Final = (
    "%s has held up the event loop for %g s, and every other async handler with it; write `def`, which may block, "
    "or `await asyncio.to_thread(...)`; it is at\n%s"
)


class Watched(Protocol):
    """What the watch has to know of a loop."""

    @property
    def runs(self) -> Mapping[int, TaskRun]: ...
    @property
    def turn(self) -> int | None: ...
    @property
    def stack(self) -> str: ...


class LoopWatch:
    """`wake` it when a request was dealt to the loop; it goes to sleep by itself."""

    def __init__(self, loop: Watched) -> None:
        self._loop = loop
        self._wakeup = threading.Lock()
        self._wakeup.acquire()
        self._asleep = False
        self._closed = False
        self._told: set[object] = set()

    def start(self) -> None:
        """Starts the thread. Raises RuntimeError when the operating system has no more."""
        threading.Thread(target=self._live, name="tinybeam-loop-watch", daemon=True).start()

    def wake(self) -> None:
        """There is something to look at. Any thread."""
        if self._asleep:
            self._asleep = False
            self._release()

    def close(self) -> None:
        """Ends the thread."""
        self._closed = True
        self._release()

    def _release(self) -> None:
        try:
            self._wakeup.release()
        except RuntimeError:  # it was released already
            return

    def _live(self) -> None:
        turn, since_s, now_s = None, 0.0, 0.0
        while not self._closed:
            self._asleep = True
            if self._loop.runs:
                self._asleep = False
                self._wakeup.acquire(timeout=SAMPLE_S)
            else:
                self._wakeup.acquire()
                turn = None
            looked_s, now_s = now_s, time.monotonic()
            seen = self._loop.turn
            if seen is None or seen != turn or now_s - looked_s > HELD_UP_S:
                turn, since_s = seen, now_s
            elif now_s - since_s >= HELD_UP_S:
                self._tell()

    def _tell(self) -> None:
        run = next((run for run in list(self._loop.runs.values()) if run.runs_now), None)
        culprit = None if run is None else run.endpoint
        if culprit not in self._told and (stack := self._loop.stack):
            self._told.add(culprit)
            who = "a task or a callback" if culprit is None else str(culprit.route)
            with contextlib.suppress(BaseException):  # a log that raises must not end the watch
                logger.warning(_HELD_UP, who, HELD_UP_S, stack)
