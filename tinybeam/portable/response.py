"""The head of a response.

Owns:  the status line and the fields that no application writes: Server, Date, Connection, and those of the framing.
Knows: the standard library's reason phrases; RFC 9110 section 15 where that is newer.
Never: looks at a body, or decides whether the connection goes on.
"""

from __future__ import annotations

import email.utils
import time
from http import HTTPStatus
from typing import Final

_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Content Too Large",
    414: "URI Too Long",
    416: "Range Not Satisfiable",
    422: "Unprocessable Content",
}
CLOSE: Final = b"Connection: close\r\n"
KEEP_ALIVE: Final = b"Connection: keep-alive\r\n"
# What HTTP/1.1 does where nothing is said.
PERSIST: Final = b""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS: Final = b"HTTP/1.1 103 Early Hints\r\n"

# How the end of a body that comes in parts is told, where its length is not known.
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
UNTIL_CLOSE: Final = b""


class Clock:
    """The Date field, written once a second."""

    def __init__(self) -> None:
        self._second = -1
        self.date = b""

    def tick(self) -> None:
        """Looks at the time of day."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.date = email.utils.formatdate(second, usegmt=True).encode("ascii")


def has_body(status: int) -> bool:
    """Whether octets may follow the head of such an answer."""
    return status >= 200 and status not in (204, 205, 304)


def length_field(status: int, body_bytes: int) -> bytes:
    """The field that tells the length. `body_bytes` is what a GET would be sent, also where no body is."""
    # RFC 9110 section 8.6: no Content-Length in a 204; a 205 says 0, and a 304 need not repeat the length.
    if has_body(status) or status == 205:
        return b"Content-Length: %d\r\n" % (0 if status == 205 else body_bytes)
    return b""


def write_head(clock: Clock, status: int, fields: bytes, framing: bytes, connection: bytes) -> bytes:
    """The head, empty line included."""
    phrase = _PHRASES.get(status, "").encode("ascii")
    return b"HTTP/1.1 %d %b\r\nServer: tinybeam\r\nDate: %b\r\n%b%b%b\r\n" % (
        status,
        phrase,
        clock.date,
        fields,
        framing,
        connection,
    )
