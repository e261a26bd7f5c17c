"""What tests of streams share: an app with one, the reading of what comes of it, and the leaving."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx

from tests.conftest import PLAINLY
from tinybeam import Response, Router

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Until

PATIENCE_S = 30
PART = b"x" * 10_000


def app_of(make: Callable[[Any], Any], **options: Any) -> Router:
    """An app with one route, which streams what `make(request)` gives."""
    router = Router()

    @router.get("/", **options)
    def stream(request: Any) -> Any:
        source = make(request)
        return source if isinstance(source, Response) else Response.stream(source)

    router.get("/quick", do="quick")
    return router


def chunks(octets: bytes) -> list[bytes]:
    """The chunks of a body, the last, empty one among them; what is cut off is left out."""
    found = []
    while b"\r\n" in octets:
        size, _, octets = octets.partition(b"\r\n")
        found.append(octets[: int(size, 16)])
        octets = octets[int(size, 16) + 2 :]
    return found


def read_until(conn: RawConn, mark: bytes) -> bytes:
    octets = b""
    while mark not in octets:
        more = conn.sock.recv(65536)
        assert more, f"the server closed after {octets!r}"
        octets += more
    return octets


def come_to_rest(made: list[int], until: Until) -> int:
    """Waits until a source makes nothing more; so many it has made."""

    def at_rest() -> bool:
        before = len(made)
        threading.Event().wait(0.05)
        return len(made) == before

    until(at_rest)
    return len(made)


def leave(conn: RawConn, way: str) -> None:
    if way == "a reset":
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def answers(url: str) -> bool:
    return httpx.get(url + "/quick", **PLAINLY).text == "quick"
