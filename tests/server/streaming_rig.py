"""What tests of streams at the border share: how one is begun, and the reading of its news and what is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tinybeam import contract
from tinybeam.http import KIND_STREAM, KIND_TEXT, LENGTH_UNKNOWN

if TYPE_CHECKING:
    from tests.server.conftest import Rig

encode = msgspec.msgpack.encode


def get(path: str = "/", version: str = "1.1", method: str = "GET") -> bytes:
    return f"{method} {path} HTTP/{version}\r\nHost: t\r\n\r\n".encode()


def handles(rig: Rig, octets: bytes, count: int = 1) -> list[int]:
    """The handles of these requests."""
    rig.client.sendall(octets)
    found: list[int] = []
    while len(found) < count:
        found += [request.handle for request in rig.requests()]
    return found


def begin(rig: Rig, handle: int, length: int = LENGTH_UNKNOWN, status: int = 200, fields: bytes = b"") -> int:
    return rig.engine.respond(encode([(handle, KIND_STREAM, status, fields, length)]))


def news(rig: Rig, answers: bytes = b"") -> list[tuple[int, int]]:
    """What one poll has to tell."""
    rig.engine.wake()
    status = rig.port.poll(answers)
    return rig.port.news() if status >> 48 & contract.POLL_NEWS else []


def news_of(rig: Rig, what: int) -> list[int]:
    """The handles of the next news, which are all of this kind."""
    while not (found := news(rig)):
        pass
    assert {one for _, one in found} == {what}
    return [handle for handle, _ in found]


def read(rig: Rig, end: bytes) -> bytes:
    """What the client is sent until this."""
    octets = b""
    while not octets.endswith(end):
        more = rig.client.recv(1)
        assert more, f"the engine closed after {octets!r}"
        octets += more
    return octets


def rest(rig: Rig) -> bytes:
    octets = b""
    while more := rig.client.recv(65536):
        octets += more
    return octets


def is_served(rig: Rig) -> bool:
    """Whether the connection goes on, and nothing is left of what was before."""
    [handle] = handles(rig, get("/next"))
    rig.flush(encode([(handle, KIND_TEXT, "next")]))
    status, body = rig.reply()
    return (status, body, rig.engine.stats()["handles_open"]) == (200, b"next", 0)
