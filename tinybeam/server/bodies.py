"""The bodies of requests that are read while they come.

Owns:  which reader waits for which body, and what a reader is told of one that will never be whole.
Knows: the engine's calls for bodies, which any thread may make, and its news: that it is worth to look again.
Never: waits in the engine: a reader waits here, where it can be woken by whatever ends its request.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

from tinybeam import contract
from tinybeam.errors import ClientDisconnected, HTTPError
from tinybeam.http import Body
from tinybeam.process import this_thread
from tinybeam.server.engines import AnyPart

# What a reader is given at once, at most: with larger parts a fast client is not read faster.
PART_BYTES: Final = 64 * 1024
# The length of a body without a limit.
ENDLESS: Final = (1 << 64) - 1

_REFUSALS: Final = {
    400: "the body is malformed (RFC 9112 section 7)",
    408: "the body took too long to arrive (RFC 9110 section 15.5.9)",
    413: "the body is larger than this takes (RFC 9110 section 15.5.14)",
    431: "the trailer section is too large (RFC 9110 section 6.5)",
}


class Source(Protocol):
    """What bodies need of an engine."""

    def open_part(self, length: int) -> AnyPart: ...
    def open_body(self, handle: int, bytes_max: int) -> int: ...
    def take_body(self, handle: int, part: Any) -> int: ...
    def take_trailers(self, handle: int) -> bytes | None: ...


class Bodies:
    """Those of one engine."""

    def __init__(self, source: Source) -> None:
        self.source = source
        # By handle: how to wake who waits.
        self.waiting: dict[int, Callable[[], object]] = {}

    def open(self, handle: int, bytes_max: int) -> EngineBody | None:
        """The body of an offered request. None when its client has left, or it was answered meanwhile."""
        if self.source.open_body(handle, bytes_max) != contract.OK:
            return None
        return EngineBody(self, handle)

    def on_news(self, handle: int) -> None:
        """There is something to read, or the body has come to an end."""
        wake = self.waiting.get(handle)
        if wake is not None:
            wake()

    def close(self) -> None:
        """The engine has closed."""
        for wake in list(self.waiting.values()):
            wake()


class EngineBody(Body):
    """A body on its way. One reader at a time, in any thread."""

    __slots__ = ("_bodies", "_buffer", "_ended", "_handle", "_reading")

    def __init__(self, bodies: Bodies, handle: int) -> None:
        super().__init__(b"")
        self._bodies = bodies
        self._handle = handle
        self._buffer: AnyPart | None = None
        self._ended = False
        self._reading = threading.Lock()

    def _take(self) -> bytes:
        if this_thread().in_loop:
            return self._take_in_loop()
        came = threading.Lock()
        came.acquire()
        with _Reader(self, _release(came)):
            while (octets := self._look()) is None:
                runner = this_thread().runner
                if runner is not None:
                    runner.let_go()
                came.acquire()
        return octets

    def _take_in_loop(self) -> bytes:
        with _Reader(self, _nothing):
            octets = self._look()
        if octets is None:
            raise RuntimeError(
                "to wait for the body would hold up the event loop; write `async for part in request.stream()`, or "
                "read it in a thread: `await asyncio.to_thread(request.save, path)`"
            )
        return octets

    async def _take_async(self) -> bytes:
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        with _Reader(self, lambda: _call(loop, came.set)):
            while (octets := self._look()) is None:
                await came.wait()
                came.clear()
        return octets

    def _look(self) -> bytes | None:
        """What has come; b"" at the end, None for nothing yet."""
        if self._ended:
            return b""
        if self._buffer is None:
            self._buffer = self._bodies.source.open_part(PART_BYTES)
        code = self._bodies.source.take_body(self._handle, self._buffer)
        if code > 0:
            return bytes(self._buffer.view[:code])
        if code == contract.EWAIT:
            return None
        self._buffer = None
        if code == 0:
            self._ended = True
            return b""
        if contract.EBODY - 599 <= code <= contract.EBODY:
            status = contract.EBODY - code
            raise HTTPError(status, _REFUSALS.get(status, ""))
        if code == contract.EDISCONNECTED:
            raise ClientDisconnected("the client has left before its request was whole")
        raise ClientDisconnected("nobody waits for this request any more: it was answered, or the server has stopped")

    def trailers(self) -> bytes:
        """The trailer section. Raises RuntimeError before the end of the body, and when the request is over."""
        if not self._ended:
            raise RuntimeError("the trailers come after the body; read that to its end first")
        found = self._bodies.source.take_trailers(self._handle)
        if found is None:
            raise RuntimeError("the trailers went with the request; look at them before it is answered")
        return found


class _Reader:
    """Sees to it that there is one, and that it is woken."""

    __slots__ = ("_body", "_wake")

    def __init__(self, body: EngineBody, wake: Callable[[], object]) -> None:
        self._body = body
        self._wake = wake

    def __enter__(self) -> None:
        body = self._body
        if not body._reading.acquire(blocking=False):
            raise RuntimeError("this body is being read already, in another thread or task; let one read it")
        body._bodies.waiting[body._handle] = self._wake

    def __exit__(self, *_: object) -> None:
        body = self._body
        body._bodies.waiting.pop(body._handle, None)
        body._reading.release()


def _release(lock: Any) -> Callable[[], object]:
    def release() -> None:
        try:
            lock.release()
        except RuntimeError:  # it was woken before
            return

    return release


def _nothing() -> None:
    """Nobody waits."""


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # it is closed
        return
