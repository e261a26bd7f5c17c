"""The service as an RSGI application without a framework.

Owns:  the answers for granian's own interface.
Knows: RSGI 1.x, its HTTP part.
Never: a sleep on the event loop: the blocking call of `/slow` goes to the loop's default thread pool.
"""

import asyncio
import time
from typing import Any

_TEXT = [("content-type", "text/plain; charset=utf-8")]
_OCTETS = [("content-type", "application/octet-stream")]


async def app(scope: Any, protocol: Any) -> None:
    path: str = scope.path
    if path == "/":
        protocol.response_str(200, _TEXT, "yay")
    elif path.startswith("/users/") and path[7:].isdecimal():
        protocol.response_str(200, _TEXT, str(int(path[7:])))
    elif path == "/echo" and scope.method == "POST":
        protocol.response_bytes(200, _OCTETS, await protocol())
    elif path == "/slow":
        await asyncio.to_thread(time.sleep, 0.1)
        protocol.response_str(200, _TEXT, "slow")
    else:
        protocol.response_str(404, _TEXT, "Not Found")
