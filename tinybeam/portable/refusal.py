"""A refusal: why octets are not taken, and the status that says so.

Owns:  the exception that a reader of octets raises, and the fields that go with some statuses.
Knows: RFC 9110 sections 10.2.1 and 10.2.3 (Allow, Retry-After).
Never: reaches a handler or the server; whoever reads a connection catches it.
"""

from __future__ import annotations

from typing import Final

_TEXT: Final = b"Content-Type: text/plain; charset=utf-8\r\n"
_FIELDS: Final = {
    405: _TEXT + b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n",
    503: _TEXT + b"Retry-After: 1\r\n",
}


class Refused(Exception):  # noqa: N818 - a verdict, not an error of ours
    """What came is answered with this status, and the connection ends."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    @property
    def fields(self) -> bytes:
        """The header fields of its answer."""
        return _FIELDS.get(self.status, _TEXT)

    @property
    def body(self) -> bytes:
        """The text of its answer: one line."""
        return f"{self.reason}\n".encode()


class Short(Exception):  # noqa: N818 - no error at all
    """What came is right as far as it goes; more has to come."""
