"""Tinybeam's side of benchmarks/bodies.py, downloads.py and event_streams.py: bodies that come in parts, events, files.

Owns:  the routes.
Knows: where the files are, from the environment.
Never: anything but what the other servers' apps do as well, where there are others.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from tinybeam import Response, Router
from tinybeam.process import GenServer, PubSub, Wait, send_after

CHUNK = b"x" * 16384
FILES = Path(os.environ["BENCH_FILES"])
LARGE_CHUNK = b"x" * 65536


class Clock(GenServer):
    """Tells all who have subscribed what second it is."""

    def init(self) -> Any:
        """See GenServer."""
        send_after(self.actor_ref, "tick", 1000)
        return 0

    def handle_info(self, message: Any, second: int) -> Any:
        """See GenServer."""
        send_after(self.actor_ref, "tick", 1000)
        PubSub.broadcast("news", "seconds", second)
        return second + 1


router = Router()
router.children([PubSub.child_spec(name="news"), Clock.child_spec()])
router.static("/files", os.environ["BENCH_FILES"])


@router.get("/handled/{name}")
def handled(request: Any, name: str) -> Response:
    """A file of a handler, with the checks of a name that comes from a client."""
    return Response.file(name, root=os.environ["BENCH_FILES"])


@router.get("/path/{name}")
def path(request: Any, name: str) -> Path:
    """A file of a handler that knows which it is."""
    return FILES / name


@router.get("/mib")
def mib(request: Any) -> Response:
    """1 MiB in parts of 16 KiB, from a generator."""

    def parts() -> Iterator[bytes]:
        for _ in range(64):
            yield CHUNK

    return Response.stream(parts())


@router.get("/large/{mib:int}")
def large(request: Any, mib: int) -> Response:
    """So many MiB in parts of 64 KiB, from a generator."""
    return Response.stream(LARGE_CHUNK for _ in range(mib * 16))


@router.get("/events/wait")
def waiting(request: Any) -> Response:
    """One event a second, for ever, by the clock of each stream."""

    def ticks() -> Iterator[Any]:
        while True:
            yield Wait(1.0)
            yield "tick"

    return Response.events(ticks())


@router.get("/events/pubsub")
def subscribed(request: Any) -> Response:
    """One event a second, for ever, as it is told."""

    def ticks() -> Iterator[Any]:
        PubSub.subscribe("news", "seconds")
        while True:
            yield (yield Wait())

    return Response.events(ticks())


@router.get("/events/async")
def asynchronous(request: Any) -> Response:
    """One event a second, for ever, from the event loop."""

    async def ticks() -> AsyncIterator[Any]:
        while True:
            await asyncio.sleep(1.0)
            yield "tick"

    return Response.events(ticks())
