"""Messages that are sent later.

Owns:  one thread and a heap of what is due when, on the monotonic clock.
Knows: that most timers are cancelled; those are passed over when their time comes, or swept out when they are many.
Never: keeps its thread when nothing is due; sends early.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from time import monotonic
from typing import Any

from tinybeam.process.messages import INFO
from tinybeam.process.names import whereis


class Timer:
    """What `send_after` gives, for `cancel_timer`."""

    __slots__ = ("due_s", "kind", "message", "to")

    def __init__(self, to: Any, kind: int, message: Any, due_s: float) -> None:
        # A ref, or the name of one; None once it has fired or was cancelled.
        self.to = to
        self.kind = kind
        self.message = message
        self.due_s = due_s


class Timers:
    """All timers. Any thread may start and cancel them."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Knows of no timer, and has no thread; also in the child of a fork, where the thread is gone."""
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._cancelled = 0
        self._running = False

    def start(self, to: Any, kind: int, message: Any, delay_ms: float) -> Timer:
        """Puts an entry in a mailbox after so many milliseconds."""
        timer = Timer(to, kind, message, monotonic() + max(0.0, delay_ms) / 1000)
        with self._changed:
            heapq.heappush(self._heap, (timer.due_s, next(self._numbers), timer))
            if not self._running:
                threading.Thread(target=self._run, name="tinybeam-timers", daemon=True).start()
                self._running = True
            elif self._heap[0][2] is timer:
                self._changed.notify()
        return timer

    def cancel(self, timer: Timer) -> float | None:
        """Takes a timer back. The milliseconds that were left; None when it had fired, or was cancelled."""
        with self._changed:
            if timer.to is None:
                return None
            timer.to = timer.message = None
            self._cancelled += 1
            if self._cancelled == len(self._heap) or (self._cancelled > 1000 and self._cancelled * 2 > len(self._heap)):
                self._heap = [one for one in self._heap if one[2].to is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0
                self._changed.notify()
        return max(0.0, timer.due_s - monotonic()) * 1000

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._heap or (left_s := self._heap[0][0] - monotonic()) > 0:
                    if not self._heap:
                        if not self._changed.wait(2.0) and not self._heap:
                            self._running = False
                            return
                    else:
                        self._changed.wait(left_s)
                timer = heapq.heappop(self._heap)[2]
                to, message, timer.to, timer.message = timer.to, timer.message, None, None
                if to is None:
                    self._cancelled -= 1
                    continue
            # A timeout's message is the timer itself: so its process knows whether it is still the one it waits for.
            _deliver(to, (timer.kind, message if timer.kind == INFO else timer, None))


def _deliver(to: Any, entry: Any) -> None:
    ref = to if hasattr(to, "_process") else whereis(to)
    process = None if ref is None else ref._process
    if process is not None:
        process._post(entry)


timers = Timers()


def send_after(to: Any, message: Any, delay_ms: float) -> Timer:
    """Sends a message to a process, by ref or name, after so many milliseconds (erlang:send_after/3)."""
    return timers.start(to, INFO, message, delay_ms)


def cancel_timer(timer: Timer) -> float | None:
    """Cancels it; the milliseconds that were left, or None when it has fired or was cancelled before."""
    return timers.cancel(timer)
