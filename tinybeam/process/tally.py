"""What has happened to processes so far, in numbers: for whoever watches a system.

Owns:  the counts of this OS process.
Knows: nothing but numbers.
Never: costs a message anything that goes its usual way: only what is out of the ordinary is counted.
"""

from __future__ import annotations

import threading


class Tally:
    """A count that any thread may add to, and none of whose additions is lost."""

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Counts one more."""
        with self._lock:
            self.count += 1


dead_letters = Tally()
"""Messages that were lost because their process had ended."""
crashes = Tally()
"""Processes that ended because their code raised."""
restarts = Tally()
"""Children that supervisors started again, or tried to."""
abandoned = Tally()
"""Threads that were inside a child when it was killed: Python cannot stop them."""
