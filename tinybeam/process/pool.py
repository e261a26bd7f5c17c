"""The pool: threads for functions that may block, one for each, made when they are needed.

Owns:  its threads, and the functions that wait for one when there are as many as may be.
Knows: that to wake a thread is cheaper than to make one, and that the last one to rest is the warmest.
Never: keeps a thread, or wakes up, when there is nothing to do; lets a function wait while a thread rests.

What waits in here would hold up the crew, and a server even more, since those run one process after the other.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

logger = logging.getLogger("tinybeam.process")

THREADS_MAX: Final = 1024
# For how long a thread that has nothing to do stays.
IDLE_S: Final = 2.0

Work = Callable[[], None]


class Hand:
    """A thread of the pool."""

    __slots__ = ("wakeup", "work")

    def __init__(self, work: Work) -> None:
        self.work: Work | None = work
        self.wakeup = threading.Lock()
        self.wakeup.acquire()


class Pool:
    """`run` is all that others call."""

    def __init__(
        self, threads_max: int = THREADS_MAX, idle_s: float = IDLE_S, thread_name: str = "tinybeam-task"
    ) -> None:
        self._name = thread_name
        self._threads_max = threads_max
        self._idle_s = idle_s
        self.begin_anew()

    def begin_anew(self) -> None:
        """Has no threads; also in the child of a fork, where those that there were are gone."""
        self._lock = threading.Lock()
        self._resting: list[Hand] = []
        self._waiting: deque[Work] = deque()
        self._threads = 0

    @property
    def busy(self) -> int:
        """How many threads are inside a function."""
        with self._lock:
            return self._threads - len(self._resting)

    def run(self, work: Work) -> None:
        """Has a function run in a thread for itself: at once, or as soon as there is one. It must not raise.

        Raises RuntimeError when there is no thread, and none can be made.
        """
        with self._lock:
            if self._resting:
                hand = self._resting.pop()
                hand.work = work
                hand.wakeup.release()
            elif self._threads < self._threads_max:
                self._begin(work)
            else:
                if not self._waiting:
                    logger.warning("%d threads of %s run, as many as may; others wait", self._threads, self._name)
                self._waiting.append(work)

    def _begin(self, work: Work) -> None:
        """Makes a thread. The lock is held."""
        try:
            threading.Thread(target=self._live, args=(Hand(work),), name=self._name, daemon=True).start()
        except RuntimeError as error:
            if not self._threads:
                raise
            logger.warning("cannot start another thread of %s: %s; what it is for waits", self._name, error)
            self._waiting.append(work)
        else:
            self._threads += 1

    def _live(self, hand: Hand) -> None:
        """The life of a thread."""
        while True:
            work, hand.work = hand.work, None
            if work is not None:
                with contextlib.suppress(BaseException):
                    work()
            del work  # so that nothing of it is kept while the thread rests
            with self._lock:
                if self._waiting:
                    hand.work = self._waiting.popleft()
                    continue
                self._resting.append(hand)
            if not hand.wakeup.acquire(timeout=self._idle_s) and self._retires(hand):
                return

    def _retires(self, hand: Hand) -> bool:
        """Whether a thread that has rested for long goes; not when it was given something in just this moment."""
        with self._lock:
            if hand.wakeup.acquire(blocking=False):
                return False
            self._resting.remove(hand)
            self._threads -= 1
            return True


pool = Pool()
