"""A body that comes in parts: what may be one, and what may give them.

Owns:  the octets of a part, what an encoder of them is, and the word that an answer cannot be given in one piece.
Knows: iterables and async iterables.
Never: iterates: whoever serves the response does.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Protocol

Source = Iterable[Any] | AsyncIterable[Any]


class Encoder(Protocol):
    """Makes of the octets of a body in parts what is sent. It is only ever in one thread at a time."""

    def part(self, octets: bytes) -> bytes:
        """What is sent of these, which are some; by it the client has all that there was so far."""

    def end(self) -> bytes:
        """What is sent after the last part. What it raises breaks the answer off."""


class InParts(Exception):  # noqa: N818 - it is no error
    """Raised in place of an answer whose body is not here, because it comes in parts or is a file: whoever asked has to
    go on with `response`."""

    def __init__(self, response: Any) -> None:
        super().__init__(response)
        self.response = response  # a Response with a source, or from a file


def part_octets(part: object) -> bytes:
    """The octets of one part of a body: str in UTF-8, bytes and what is like them. Raises TypeError for others."""
    if isinstance(part, bytes):
        return part
    if isinstance(part, str):
        return part.encode("utf-8")
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    raise TypeError(f"a part of a streamed body is str or bytes, not {type(part).__name__}")


def is_source(value: object) -> bool:
    """Whether a handler's result is streamed without being asked to: an iterator, or an async one.

    >>> is_source(part for part in ()), is_source([1, 2])
    (True, False)
    """
    return hasattr(value, "__next__") or hasattr(value, "__anext__")
