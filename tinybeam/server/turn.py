"""A turn: the requests of one batch that are still to run, and the answers that are not flushed yet.

Owns:  what another runner has to be handed when this one blocks.
Knows: that two threads may draw from it, the one that blocked and the one that took over.
Never: gives a request to two of them, or an answer to two flushes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tinybeam.http import Answer, Continue, Request


class Turn:
    """`requests` is drawn from by iteration; `answers` is appended to by the one runner whose turn this is.

    A list iterator gives each element to one thread only as long as there is a GIL.
    """

    __slots__ = ("_lock", "answers", "endpoint", "offers", "request", "requests")

    def __init__(self, requests: Iterable[Request] = (), answers: list[Answer | Continue] | None = None) -> None:
        self.requests: Iterator[Request] = iter(requests)
        self.answers: list[Answer | Continue] = [] if answers is None else answers
        # Whether some of the requests may be offered, and must not be run as they are.
        self.offers = False
        # What was begun last; its answer may have been given.
        self.request: Request | None = None
        # What runs now: when the runner blocks, its successor sees here which endpoint it is.
        self.endpoint: Any = None
        self._lock = threading.Lock()

    def take_answers(self) -> list[Answer | Continue]:
        """All answers so far; they are the caller's now. The runner may go on appending meanwhile."""
        with self._lock:
            taken = self.answers[:]
            del self.answers[: len(taken)]
        return taken
