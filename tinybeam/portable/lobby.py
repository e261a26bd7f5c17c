"""Who holds the scheduler, and who waits to.

Owns:  the holder, what it does, and the line of runners on stand-by.
Knows: that the holder may be blocked in a handler: then its scheduler is given to the one that parked last.
Never: touches what the holder holds; lets the last one on stand-by go.
"""

from __future__ import annotations

import enum
import threading
from typing import Final

from tinybeam import contract
from tinybeam.errors import NativeError

RUNNERS_MAX: Final = 2048


class State(enum.Enum):
    """What the holder of the scheduler does."""

    RUNNING = enum.auto()  # it runs handlers, or decodes
    POLLING = enum.auto()


class Place:
    """A runner's place."""

    __slots__ = ("condition", "given", "handles", "number", "phase", "source")

    def __init__(self, number: int, lock: threading.RLock) -> None:
        self.number = number
        self.phase = bytearray(1)
        # Those of its last batch.
        self.handles: list[int] = []
        self.condition = threading.Condition(lock)
        # Whether it was given the scheduler, and by whom.
        self.given = False
        self.source = contract.NOBODY


class Lobby:
    """The runners of one engine. All of it may be called from any thread; `changed` is notified for the watchdog."""

    def __init__(self, standby_idle_ms: int) -> None:
        self._idle_s = standby_idle_ms / 1000
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        # A turn of the holder, and a change of it, each count one on.
        self.sequence = 0
        self.holder = contract.NOBODY
        self.state = State.RUNNING
        self.closing = False
        # Whether the watchdog sleeps until a holder leaves its poll.
        self.watchdog_asleep = False
        self._places: dict[int, Place] = {}
        self._parked: list[Place] = []

    @property
    def runners(self) -> int:
        return len(self._places)

    @property
    def standbys(self) -> int:
        return len(self._parked)

    def open(self) -> Place:
        """Registers a runner; the first one holds the scheduler. Raises NativeError when there are too many."""
        with self.lock:
            number = next((one for one in range(RUNNERS_MAX) if one not in self._places), None)
            if number is None:
                contract.checked(contract.ELIMIT, "no place for another runner")
                raise AssertionError
            place = self._places[number] = Place(number, self.lock)
            self._claim(place)
            return place

    def close(self, place: Place) -> None:
        """The runner leaves; if it held the scheduler, another one gets it, or the next one that opens or polls."""
        with self.lock:
            if self._places.pop(place.number, None) is None:
                return
            if self.holder == place.number and not self._hand_over():
                self.sequence += 1
                self.holder = contract.NOBODY

    def take(self, place: Place) -> bool:
        """Before a poll: whether this runner holds the scheduler. Then it is polling from now on."""
        with self.lock:
            if self.holder == contract.NOBODY:
                self._claim(place)
            if self.closing:
                raise NativeError("the poll failed: the engine is closed", contract.ESHUTDOWN)
            if self.holder != place.number:
                return False
            self.state = State.POLLING
            return True

    def release(self, place: Place) -> None:
        """After a poll."""
        with self.lock:
            place.phase[0] = contract.PHASE_WAITING
            self.sequence += 1
            self.state = State.RUNNING
            if self.watchdog_asleep or self.closing:
                self.watchdog_asleep = False
                self.changed.notify_all()

    def wait(self, place: Place) -> int:
        """Waits on stand-by; returns the flags of the poll and the runner that was blocked, as a poll does.

        Raises NativeError with ESHUTDOWN when the engine closes.
        """
        with self.lock:
            # It runs no handler any more: when it is given the scheduler, it must not be taken for blocked at once.
            place.phase[0] = contract.PHASE_WAITING
            # The holder may have left since this runner looked, and then nobody would wake it.
            place.given = self._claim(place)
            place.source = contract.NOBODY
            if not place.given:
                self._parked.append(place)
            while not (place.given or self.closing):
                # One is always on stand-by; others leave when they have had nothing to do for a while.
                timeout = None if len(self._parked) <= 1 else self._idle_s
                if not place.condition.wait(timeout) and not place.given and len(self._parked) > 1:
                    self._parked.remove(place)
                    return contract.POLL_RETIRE << 48
            if not place.given:
                self._parked.remove(place)
                raise NativeError("the poll failed: the engine is closed", contract.ESHUTDOWN)
            place.given = False
            flags = contract.POLL_RESUME | (0 if self._parked else contract.POLL_SPARE)
            return flags << 48 | place.source << 32

    def give_on(self, seen: int) -> bool:
        """The holder has not polled since the sequence was `seen`: if it runs handlers, it is blocked, and another one
        gets the scheduler. True when one did."""
        with self.lock:
            place = self._places.get(self.holder)
            blocked = self.sequence == seen and self.state is State.RUNNING and place is not None and place.phase[0]
            return bool(blocked) and self._hand_over()

    def shut(self) -> None:
        """Wakes everybody: the engine closes."""
        with self.lock:
            self.closing = True
            for place in self._parked:
                place.condition.notify()
            self.changed.notify_all()

    def wait_until_left(self) -> None:
        """Returns when nobody polls any more."""
        with self.lock:
            while self.state is State.POLLING:
                self.changed.wait()

    def _claim(self, place: Place) -> bool:
        """Gives the scheduler to this runner if nobody holds it."""
        if self.holder != contract.NOBODY or place.number not in self._places:
            return False
        self.sequence += 1
        self.holder = place.number
        return True

    def _hand_over(self) -> bool:
        """Gives the scheduler to the one on stand-by that parked last."""
        if not self._parked:
            return False
        place = self._parked.pop()
        place.given = True
        place.source = self.holder
        self.sequence += 1
        self.holder = place.number
        place.condition.notify()
        return True
