"""Timers: who is to be looked at when, and who is due.

Owns:  the heap of entries, and which of them still count.
Knows: that moving a timer leaves its old entry behind, which is skipped when it comes up, or swept out with others.
Never: reads the clock, or acts on what is due.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar

NEVER: Final = 1 << 62
_SWEEP_LEAST: Final = 256


class Timed(Protocol):
    """What can have a timer: one, and where it stands is written on it."""

    timer_ms: int


T = TypeVar("T", bound=Timed)


class Timers(Generic[T]):
    """Timers of things of one kind, in milliseconds of the room's clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._order = itertools.count()
        self._stale = 0

    def set(self, item: T, at_ms: int) -> None:
        """Sets the item's timer, wherever it stood before."""
        self.clear(item)
        item.timer_ms = at_ms
        heapq.heappush(self._heap, (at_ms, next(self._order), item))

    def set_no_later(self, item: T, at_ms: int, now_ms: int) -> None:
        """The same, but leaves it where it is as long as that is early enough: who is asked too early looks again."""
        if item.timer_ms > at_ms + (at_ms - now_ms) // 8:
            self.set(item, at_ms)

    def clear(self, item: T) -> None:
        """Takes the item's timer away, if it has one."""
        if item.timer_ms == NEVER:
            return
        item.timer_ms = NEVER
        self._stale += 1
        if self._stale > max(_SWEEP_LEAST, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].timer_ms == entry[0]]
            heapq.heapify(self._heap)
            self._stale = 0

    @property
    def due_ms(self) -> int:
        """When to look next: never later than the first timer."""
        return self._heap[0][0] if self._heap else NEVER

    def take(self, now_ms: int) -> Iterator[T]:
        """Those that are due; they have no timer any more. Ones that are set meanwhile are not among them."""
        due: list[T] = []
        while self._heap and self._heap[0][0] <= now_ms:
            at_ms, _, item = heapq.heappop(self._heap)
            if item.timer_ms != at_ms:
                self._stale -= 1
                continue
            item.timer_ms = NEVER
            due.append(item)
        return iter(due)
