"""A request as a process: for as long as its handler runs, it can be sent messages, monitored, listed and killed.

Owns:  the process of the request that a thread is answering, made when somebody first asks for it.
Knows: that a killed request's client is answered at once, and that the handler's own answer is refused then.
Never: costs a request anything that nobody asked for: a thread only keeps room for one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from tinybeam.http import Request
from tinybeam.process import Visitor, this_thread
from tinybeam.router import Endpoint
from tinybeam.server.crash import unavailable

logger = logging.getLogger("tinybeam.server")

Respond = Callable[[Any], object]


class RunningRequest(NamedTuple):
    """A request whose handler runs now. `ref` is its process: monitor it, link to it, or `exit(ref, "kill")` it."""

    id: str
    method: str
    path: str
    route: str
    ref: Any


class Room:
    """What a thread that runs requests has of the process of the one that it runs."""

    __slots__ = ("_lock", "_request", "process")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: Request | None = None
        self.process: Visitor | None = None

    def enter(self, request: Request, respond: Respond) -> Visitor:
        """The process of this request, which the thread runs. Any thread."""
        with self._lock:
            if self.process is not None and self._request is not request:
                self.process.leave()  # somebody asked for it when it was over
                self.process = None
            if self.process is None:
                self._request = request
                self.process = Visitor.enter(f"{request.method} {request.path}", _killer(request, respond))
            return self.process

    def expire(self, request: Request) -> None:
        """Somebody asked for the process of a request that was over by then. Any thread."""
        with self._lock:
            if self._request is not request:
                return
            process, self.process, self._request = self.process, None, None
        if process is not None:
            process.leave()

    def leave(self) -> None:
        """The request's handler has returned, or has raised. For the thread."""
        with self._lock:
            process, self.process, self._request = self.process, None, None
        if process is not None:
            thread = this_thread()
            if thread.process is process:
                thread.process = None
            process.leave()


class PooledRun:
    """What lends a thread of the pool to one request."""

    __slots__ = ("_ended", "_request", "_respond", "room")

    def __init__(self, request: Request, respond: Respond) -> None:
        self._ended = False
        self._request = request
        self._respond = respond
        self.room = Room()

    def begin(self) -> None:
        """The thread begins with it."""
        this_thread().runner = self

    def end(self) -> None:
        """The handler has returned, or has raised."""
        this_thread().runner = None
        self._ended = True
        self.room.leave()

    def let_go(self) -> None:
        """Nobody waits for a thread of the pool."""

    def visitor(self) -> Visitor | None:
        """The request's process; any thread. None when the request is over."""
        process = self.room.enter(self._request, self._respond)
        if self._ended:
            self.room.expire(self._request)
            return None
        return process


def _killer(request: Request, respond: Respond) -> Callable[[object], None]:
    def answer(reason: object) -> None:
        logger.warning("request %s was ended by another process: %r; the client was told 503", request.id, reason)
        respond(unavailable(request, "the request was ended; try again later"))

    return answer


def listed(request: Request, endpoint: Endpoint | None, process: Visitor) -> RunningRequest:
    """A row of the list of running requests."""
    route = "" if endpoint is None else str(endpoint.route)
    return RunningRequest(request.id, request.method, request.path, route, process.actor_ref)
