"""Whether a route blocks: judged from its own handler's times, over several runs, and quickly forgiven.

Owns:  the evidence against one endpoint, and the verdict.
Knows: that one scheduling hiccup proves nothing, and that in the pool a quick run may still be timed as a slow one.
Never: costs a route that nobody suspects anything: it has no judge.

An endpoint goes through three states. Unknown: no judge; its runs are not timed. Watched: its scheduler was taken from
a runner once while it ran; its runs are timed on the runner. Pooled: it ran long again; its requests are dealt to the
blocking pool, and are timed there.
"""

from __future__ import annotations

from typing import Final

# Quick runs in a row after which a watched endpoint is left alone again.
ACQUITTED_AFTER: Final = 32
# Quick runs in a row after which a pooled endpoint may come back; doubled each time that it had to be pooled again, so
# that a route that blocks now and then is not sent to and fro.
FORGIVEN_AFTER: Final = 16
FORGIVEN_AFTER_MOST: Final = 1024
# Long runs, the first suspicion included, that prove the case.
STRIKES: Final = 2


class Judge:
    """The judge of one endpoint. `pooled` is the verdict so far; `settled` means that no judge is needed any more."""

    __slots__ = ("_forgiven_after", "_long_s", "_quick", "_strikes", "pooled", "settled")

    def __init__(self, long_s: float) -> None:
        self._long_s = long_s
        self._strikes = 0
        self._quick = 0
        self._forgiven_after = FORGIVEN_AFTER
        self.pooled = False
        self.settled = False

    def on_takeover(self) -> None:
        """A runner lost its scheduler while it ran this endpoint."""
        self._strike()

    def on_run(self, elapsed_s: float) -> None:
        """A run took this long, by the wall clock."""
        if elapsed_s >= self._long_s:
            self._strike()
            return
        self._quick += 1
        if self.pooled and self._quick >= self._forgiven_after:
            self._forgive()
        elif not self.pooled and self._quick >= ACQUITTED_AFTER:
            self.settled = True

    def _strike(self) -> None:
        self._quick = 0
        self.settled = False
        self._strikes += 1
        if self._strikes >= STRIKES:
            self.pooled = True

    def _forgive(self) -> None:
        self.pooled = False
        self._quick = 0
        # On probation: the next long run is enough.
        self._strikes = STRIKES - 1
        self._forgiven_after = min(self._forgiven_after * 2, FORGIVEN_AFTER_MOST)
