"""The pause before a child is started again, which doubles for as long as the child keeps failing.

Owns:  how long the next pause of one child is.
Knows: that a child which ran for longer than the longest pause has recovered (Pekko's BackoffSupervisor).
Never: waits; looks at a clock.
"""

from __future__ import annotations

from typing import Any


class Backoff:
    """The pauses of one child, in milliseconds.

    >>> backoff = Backoff(100, 500)
    >>> [backoff.next_ms(now_s=0.0) for _ in range(4)]
    [100, 200, 400, 500]
    >>> backoff.on_start(now_s=10.0)
    >>> backoff.next_ms(now_s=10.6)
    100
    """

    __slots__ = ("_first_ms", "_longest_ms", "_next_ms", "_started_s", "timer")

    def __init__(self, first_ms: int, longest_ms: int) -> None:
        self._first_ms = self._next_ms = first_ms
        self._longest_ms = longest_ms
        self._started_s: float | None = None
        # The end of the pause that there is now.
        self.timer: Any = None

    def on_start(self, now_s: float) -> None:
        """The child has been started."""
        self._started_s = now_s

    def next_ms(self, now_s: float) -> int:
        """How long to wait now that the child has ended, or could not be started."""
        started_s, self._started_s = self._started_s, None
        if started_s is not None and (now_s - started_s) * 1000 > self._longest_ms:
            self._next_ms = self._first_ms
        pause_ms = self._next_ms
        self._next_ms = min(2 * pause_ms, self._longest_ms)
        return pause_ms
