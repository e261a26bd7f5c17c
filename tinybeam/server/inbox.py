"""The server actor's inbox: the native scheduler, and beside it the few messages that come from actors.

Owns:  the envelopes that other actors have put and the server has not handled.
Knows: how to wake the runner that waits in C.
Never: holds requests: those come in batches, by the poll itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Inbox:
    """What pykka asks of an inbox (put, get, empty), in front of the engine's poll."""

    def __init__(self) -> None:
        self._envelopes: deque[Any] = deque()
        self._handling = threading.Lock()
        # Until there is an engine to wake, messages only queue.
        self.wake: Callable[[], None] = lambda: None

    def put(self, envelope: Any, /) -> None:
        """Adds a message and wakes whoever polls."""
        self._envelopes.append(envelope)
        self.wake()

    def get(self) -> Any:
        """The oldest message. Raises IndexError when there is none: this inbox is never waited for here, but in C."""
        return self._envelopes.popleft()

    def empty(self) -> bool:
        """Whether no message waits."""
        return not self._envelopes

    def drain(self, handle: Callable[[Any], None]) -> None:
        """Handles all messages, one at a time and in order, whichever runner calls; a second caller leaves at once."""
        while self._envelopes:
            if not self._handling.acquire(blocking=False):
                return  # the one who handles looks again before it leaves
            try:
                while self._envelopes:
                    handle(self._envelopes.popleft())
            finally:
                self._handling.release()
