"""A runner's place at the portable engine.

Owns:  the turn of a runner: its answers spent, and a batch for it, or the wait on stand-by.
Knows: the scheduler and the lobby; how long a batch may keep a runner busy.
Never: interprets a request.
"""

from __future__ import annotations

import time
from typing import Final

import msgspec

from tinybeam import contract
from tinybeam.config import Config
from tinybeam.portable import news
from tinybeam.portable.batch import Batch
from tinybeam.portable.entrance import Entrance
from tinybeam.portable.lobby import Lobby, Place
from tinybeam.portable.scheduler import Scheduler

_encode: Final = msgspec.msgpack.Encoder().encode
_POLL_FAILED: Final = "the poll failed"


class Pace:
    """How many requests a batch may hold, so that running them takes about half a tick of the watchdog."""

    def __init__(self, config: Config) -> None:
        self._most = config.batch_requests_max
        self._half_tick_ns = config.takeover_ms * 500_000
        self._request_ns = 0
        self._handed = 0
        self._left_ns = 0

    def on_poll(self, phase: int) -> int:
        """A runner has come back to its poll: the most that its next batch may hold."""
        if self._handed and phase != contract.PHASE_MIXED:
            each = (time.monotonic_ns() - self._left_ns) // self._handed
            self._request_ns = (self._request_ns * 7 + each) // 8 if self._request_ns else each
        self._handed = 0
        if not self._request_ns:
            return self._most
        return max(1, min(self._most, self._half_tick_ns // self._request_ns))

    def on_handed(self, requests: int) -> None:
        """It leaves with so many."""
        self._handed = requests
        self._left_ns = time.monotonic_ns()


class Port:
    """A place of one runner: its number, what its last poll gave, and the octet that says it has begun its batch."""

    def __init__(self, engine: object, entrance: Entrance, scheduler: Scheduler, lobby: Lobby, pace: Pace) -> None:
        """`engine` may not go while somebody has a place at it."""
        self.engine = engine
        self._entrance = entrance
        self._scheduler = scheduler
        self._lobby = lobby
        self._pace = pace
        self._place: Place = lobby.open()
        self.number = self._place.number
        self.phase = memoryview(self._place.phase)
        self.view = memoryview(b"")
        self._news: list[tuple[int, int]] = []

    def poll(self, answers: bytes) -> int:
        """Spends the answers and waits for work. Returns flags << 48 | runner << 32 | length of the batch in `view`.

        Raises NativeError.
        """
        self._entrance.check(_POLL_FAILED)
        self.view = memoryview(b"")
        place = self._place
        if not self._lobby.take(place):
            code = self._scheduler.post(answers) if answers else contract.OK
            if code == contract.ETERM:
                contract.checked(code, _POLL_FAILED)
            return self._lobby.wait(place)
        place.handles = []
        batch = Batch(self._pace.on_poll(place.phase[0]))
        try:
            self._scheduler.reception.spend(answers)
            flags = self._scheduler.poll(batch)
            self._news = news.take(self._scheduler.room)
            octets = batch.close()
        finally:
            place.handles = batch.handles
            self._pace.on_handed(len(batch))
            self._lobby.release(place)
        self.view = memoryview(octets)
        return flags << 48 | len(octets)

    def news(self) -> list[tuple[int, int]]:
        """What the last poll had to tell, where it said POLL_NEWS: the handles of streams, with a NEWS_..."""
        return self._news

    def respond(self, answers: bytes) -> None:
        """Spends the handles of these answers at once. Those that are refused had an answer, or nobody to read it."""
        if answers and self._entrance.code == contract.OK:
            self._scheduler.post(answers)

    def forfeit(self) -> None:
        """Answers 500 to what is still open of the last batch."""
        handles, self._place.handles = self._place.handles, []
        self.respond(_encode([(handle, 500, b"", None) for handle in handles]))

    def close(self) -> None:
        """Gives the place up."""
        if self._entrance.code == contract.OK:
            self._lobby.close(self._place)

    def shrink(self) -> None:
        """Lets go of the last batch, which was decoded."""
        self.view = memoryview(b"")
