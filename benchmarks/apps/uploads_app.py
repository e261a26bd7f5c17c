"""Tinybeam's side of benchmarks/uploads.py: bodies that are read while they come.

Owns:  the routes.
Knows: where files may be put, from the environment.
Never: keeps what it has read.
"""

import os
from typing import Any

from tinybeam import Router

router = Router()


@router.post("/stream", stream=True, body_bytes_max=None)
def stream(request: Any) -> str:
    """Reads part by part."""
    return str(sum(len(part) for part in request.stream()))


@router.post("/async", stream=True, body_bytes_max=None)
async def async_stream(request: Any) -> str:
    """The same in the event loop."""
    total = 0
    async for part in request.stream():
        total += len(part)
    return str(total)


@router.post("/save", stream=True, body_bytes_max=None)
def save(request: Any) -> str:
    """Saves it, and removes it again."""
    path = os.path.join(os.environ["BENCH_FILES"], "upload")
    length = request.save(path)
    os.unlink(path)
    return str(length)


@router.post("/spool", stream=True, body_bytes_max=None)
def spool(request: Any) -> str:
    """Has it as a temporary file."""
    with request.file() as file:
        return str(file.seek(0, os.SEEK_END))
