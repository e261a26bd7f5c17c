"""One request whose handler is a task of the event loop.

Owns:  what is known of it from when it is dealt until it is over, and the process that it is if somebody asks for one.
Knows: that its handler runs in the loop's thread, in turns with others, and that any thread may want to look at it.
Never: an answer of its own to a request that was cancelled: whoever cancels it has told the client, or has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from tinybeam.http import Answer, Request
from tinybeam.process import Visitor
from tinybeam.router import Endpoint
from tinybeam.server.request_process import Room


class TaskRun:
    """Made by the loop. `on_killed` is given the answer for the client when another process ends this one."""

    __slots__ = (
        *("_on_killed", "begun", "cancelled", "coroutine", "endpoint", "over"),
        *("process", "request", "room", "started_s", "task", "values"),
    )

    def __init__(
        self,
        endpoint: Endpoint,
        request: Request,
        values: tuple[Any, ...],
        on_killed: Callable[[TaskRun, Answer], None],
    ) -> None:
        self.endpoint = endpoint
        self.request = request
        self.values = values
        self._on_killed = on_killed
        self.started_s = time.perf_counter()
        self.coroutine: Coroutine[Any, Any, None] | None = None
        self.task: Any = None
        self.begun = False
        self.cancelled = False
        self.over = False
        self.process: Any = None
        self.room = Room()

    @property
    def runs_now(self) -> bool:
        """Whether the loop's thread is inside of it. Any thread."""
        coroutine = self.coroutine
        return coroutine is not None and bool(getattr(coroutine, "cr_running", False))

    def end(self) -> None:
        """The handler has returned, or has raised, or will never do either."""
        self.over = True
        self.process = None
        self.room.leave()

    # What a process' code asks of the thread that it runs in.

    def let_go(self) -> None:
        """Nobody can take the loop from its thread; the watch will notice."""

    def visitor(self) -> Visitor | None:
        """The request's process; any thread. None when the request is over."""
        process = self.room.enter(self.request, self._answer_killed)
        if self.over:
            self.room.expire(self.request)
            return None
        return process

    def _answer_killed(self, answer: Answer) -> None:
        self._on_killed(self, answer)
