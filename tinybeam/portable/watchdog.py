"""The watchdog: a thread that sees a runner which does not come back to its poll.

Owns:  the decision when to look, when to sleep, and when to go slower.
Knows: the lobby; that a look costs a wake-up, so there are none while the holder sleeps in its poll; that it needs the
       GIL to look, so a handler that never lets go of it is never seen.
Never: judges a route; that is done in the server, from evidence.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from tinybeam.portable.lobby import Lobby, State

logger = logging.getLogger("tinybeam.server")

# Looks at one and the same poll before it goes to sleep.
_QUIET_LOOKS: Final = 16
# How many times longer a tick grows while a blocked holder has no successor.
_SLOWEST: Final = 16


class Watchdog:
    """`serve` keeps the deadlines in place of a holder that is blocked and has no successor; `left_ms` says how long
    nothing is due."""

    def __init__(
        self,
        lobby: Lobby,
        takeover_ms: int,
        *,
        serve: Callable[[], None],
        left_ms: Callable[[], int],
        on_takeover: Callable[[], None],
    ) -> None:
        self._lobby = lobby
        self._tick_ms = takeover_ms
        self._serve = serve
        self._left_ms = left_ms
        self._on_takeover = on_takeover
        self._thread = threading.Thread(target=self._run, name="tinybeam-watchdog", daemon=True)

    def start(self) -> None:
        """Starts it. Raises RuntimeError when the operating system has no more threads."""
        self._thread.start()

    def join(self) -> None:
        """Returns when it has ended, which it does when the lobby closes."""
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        lobby = self._lobby
        seen, quiet, slowness = -1, 0, 1
        while not lobby.closing:
            with lobby.lock:
                if not lobby.closing:
                    lobby.changed.wait(self._next_ms(slowness) / 1000)
            if lobby.sequence != seen:
                seen, quiet, slowness = lobby.sequence, 0, 1
            elif lobby.state is State.POLLING:
                quiet += 1
                if quiet >= _QUIET_LOOKS:
                    self._sleep(seen)
                    quiet = 0
            elif lobby.give_on(seen):
                self._on_takeover()
                slowness = 1
            else:
                self._stand_in(seen)
                slowness = min(slowness * 2, _SLOWEST)

    def _next_ms(self, slowness: int) -> int:
        """How long the next tick is: slower ones still end when a deadline is met."""
        tick_ms = self._tick_ms * slowness
        return tick_ms if slowness == 1 else max(1, min(tick_ms, self._left_ms()))

    def _sleep(self, seen: int) -> None:
        """Sleeps until a holder leaves its poll."""
        lobby = self._lobby
        with lobby.lock:
            lobby.watchdog_asleep = lobby.sequence == seen
            while lobby.watchdog_asleep and not lobby.closing:
                lobby.changed.wait()

    def _stand_in(self, seen: int) -> None:
        """Keeps the deadlines; while it does, the holder cannot come back, for it needs the lobby's lock for that."""
        lobby = self._lobby
        if self._left_ms() > 0:
            return
        with lobby.lock:
            if lobby.sequence != seen or lobby.state is not State.RUNNING or lobby.closing:
                return
            try:
                self._serve()
            except Exception:
                logger.exception("the watchdog faulted")
