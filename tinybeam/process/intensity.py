"""The intensity of restarts: how many within how many seconds are too many.

Owns:  the times of the restarts of one supervisor.
Knows: OTP's window: a restart counts for `max_seconds` after it, on the monotonic clock.
Never: keeps more times than it needs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic


class Intensity:
    """Says when it has been too much.

    >>> now = 0.0
    >>> intensity = Intensity(1, 5, clock=lambda: now)
    >>> intensity.allows_another()
    True
    >>> now = 5.0
    >>> intensity.allows_another()
    False
    >>> now = 10.1
    >>> intensity.allows_another()
    True
    """

    __slots__ = ("_clock", "_times_s", "max_restarts", "max_seconds")

    def __init__(self, max_restarts: int, max_seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self.max_restarts = max_restarts
        self.max_seconds = max_seconds
        self._clock = clock
        self._times_s: deque[float] = deque()

    def allows_another(self) -> bool:
        """Counts one more restart. False when more than `max_restarts` fall within the last `max_seconds`."""
        now_s = self._clock()
        times_s = self._times_s
        times_s.append(now_s)
        while now_s - times_s[0] > self.max_seconds:
            times_s.popleft()
        return len(times_s) <= self.max_restarts

    def __str__(self) -> str:
        return f"restart {len(self._times_s)} of at most {self.max_restarts} in {self.max_seconds:g} s"
