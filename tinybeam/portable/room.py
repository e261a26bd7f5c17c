"""What the connections of a scheduler share.

Owns:  the clock of a turn, the counters, and the lists: who waits for a turn, who was answered, of whom there is news.
Knows: every noun that a connection works with.
Never: decides anything, or is touched by a thread that does not hold the scheduler, but for what says so.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections import deque
from typing import Final

from tinybeam.config import Config
from tinybeam.contract import COUNTERS
from tinybeam.files import Mounts
from tinybeam.portable.answers import Reply
from tinybeam.portable.batch import CLOSED, Batch
from tinybeam.portable.handles import HandleTable
from tinybeam.portable.response import Clock
from tinybeam.portable.state import ConnectionState, Exchange, Inflow
from tinybeam.portable.timers import NEVER, Timers

_OVERDUE_MAX: Final = 1024


class Room:
    """Made once an engine."""

    def __init__(self, config: Config, body_offer_bytes: int) -> None:
        self.config = config
        # None: no body has to be offered for its length.
        self.body_offer_bytes = body_offer_bytes or None
        self.selector = selectors.DefaultSelector()
        self.clock = Clock()
        self.handles = HandleTable(config.handles_max)
        self.batch: Batch = CLOSED
        self.constants: dict[bytes, Reply] = {}
        self.mounts = Mounts()
        self.connections: set[ConnectionState] = set()
        self.connection_timers: Timers[ConnectionState] = Timers()
        self.exchange_timers: Timers[Exchange] = Timers()
        # Any thread may take from it.
        self.overdue: deque[tuple[int, int]] = deque(maxlen=_OVERDUE_MAX)
        self.draining = False
        self.now_ms = 0
        self.waiting: deque[ConnectionState] = deque()
        # Those of which there is something to tell.
        self.news: deque[Exchange] = deque()
        self.touched: list[ConnectionState] = []
        # Held while anything is done with an inflow; and those that readers want more of, from any thread.
        self.inflow_lock = threading.Lock()
        self.wanted: deque[Inflow] = deque()
        # Held while a descriptor comes or goes, and by a thread that forks.
        self.descriptors_lock = threading.RLock()
        # Under that lock: there may be copies of descriptors that came before a fork.
        self.forked = False
        # Any thread may read it; `count_refusal` is how others than the holder write to it.
        self.stats = dict.fromkeys(COUNTERS, 0)
        self._stats_lock = threading.Lock()
        self.flags_lock = threading.RLock()
        self.advance()

    def advance(self) -> None:
        """Lets the room's time go on."""
        self.now_ms = self.clock_ms()
        self.clock.tick()

    @staticmethod
    def clock_ms() -> int:
        """The time as it is; `now_ms` is that of the turn."""
        return time.monotonic_ns() // 1_000_000

    @property
    def due_ms(self) -> int:
        """When a timer comes up next; any thread."""
        return min(self.connection_timers.due_ms, self.exchange_timers.due_ms, NEVER)

    def count_refusal(self, counter: str) -> None:
        """Counts an answer that was refused or late; any thread."""
        with self._stats_lock:
            self.stats[counter] += 1

    def wait(self, connection: ConnectionState) -> None:
        """Puts a connection in the line of those that go on when there is room in a batch."""
        if not connection.waiting:
            connection.waiting = True
            self.waiting.append(connection)

    def touch(self, connection: ConnectionState) -> None:
        """Remembers that a connection was answered and has to be settled."""
        if not connection.touched:
            connection.touched = True
            self.touched.append(connection)

    def settle_touched(self) -> None:
        """Brings every connection that was answered to rest."""
        while self.touched:
            connection = self.touched.pop()
            connection.touched = False
            if connection.may_resume:
                # Behind those that wait already: to pipeline is no way to be first.
                self.wait(connection)
            connection.settle()

    def resume_waiting(self) -> None:
        """Lets those that wait go on, in turns, as long as there is room in the batch."""
        for _ in range(len(self.waiting)):
            if not self.batch.open:
                return
            connection = self.waiting.popleft()
            connection.waiting = False
            connection.settle(readable=True)  # which may put it back
