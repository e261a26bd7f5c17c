"""The service as an ASGI application without a framework.

Owns:  the answers for uvicorn.
Knows: ASGI 3, its HTTP part.
Never: a sleep on the event loop: the blocking call of `/slow` goes to the loop's default thread pool.
"""

import asyncio
import time
from typing import Any

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_OCTETS = (b"content-type", b"application/octet-stream")


async def _read_body(receive: Any) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


async def app(scope: Any, receive: Any, send: Any) -> None:
    path: str = scope["path"]
    status, kind = 200, _TEXT
    if path == "/":
        body = b"yay"
    elif path.startswith("/users/") and path[7:].isdecimal():
        body = str(int(path[7:])).encode()
    elif path == "/echo" and scope["method"] == "POST":
        body, kind = await _read_body(receive), _OCTETS
    elif path == "/slow":
        await asyncio.to_thread(time.sleep, 0.1)
        body = b"slow"
    else:
        status, body = 404, b"Not Found"
    head = [kind, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
