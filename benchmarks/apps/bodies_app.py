"""Tinybeam's side of benchmarks/bodies.py: a body that comes in parts, events, and files.

Owns:  the routes.
Knows: where the files are, from the environment.
Never: anything but what the other servers' apps do as well.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tinybeam import Response, Router
from tinybeam.process import Wait

CHUNK = b"x" * 16384
FILES = Path(os.environ["BENCH_FILES"])

router = Router()
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


@router.get("/events")
def events(request: Any) -> Response:
    """One event a second, for ever."""

    def ticks() -> Iterator[Any]:
        while True:
            yield "tick"
            yield Wait(1.0)

    return Response.events(ticks())
