"""The ASGI side of benchmarks/bodies.py: by hand, and with Starlette from a generator.

Owns:  the routes.
Knows: ASGI, Starlette.
Never: anything but what tinybeam's app does as well.
"""

from collections.abc import Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

CHUNK = b"x" * 16384
_FIELDS = [(b"content-type", b"application/octet-stream")]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """1 MiB in parts of 16 KiB, sent by hand."""
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": _FIELDS})
    for _ in range(64):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _mib(request: Request) -> StreamingResponse:
    def parts() -> Iterator[bytes]:
        for _ in range(64):
            yield CHUNK

    return StreamingResponse(parts(), media_type="application/octet-stream")


starlette = Starlette(routes=[Route("/mib", _mib)])
