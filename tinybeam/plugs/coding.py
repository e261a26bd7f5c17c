"""Content codings: the ways to make a body smaller that clients know how to undo (RFC 9110 section 8.4.1).

Owns:  what a coding is to the rest of this room, gzip, and the encoder of a body in parts.
Knows: zlib; that a flush after each part lets the client have all of it.
Never: which coding a client gets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, NamedTuple

# What makes of octets those that are sent of a part, and what gives those that follow the last part.
Work = tuple[Callable[[bytes], bytes], Callable[[], bytes]]


class Coding(NamedTuple):
    """A content coding. `whole(octets, level)` codes a body at once; `begin(level, small)` one that comes in parts,
    `small` where it may go on for hours, and memory matters more than how small the parts become."""

    name: str
    levels: range
    level: int
    whole: Callable[[bytes, int], bytes]
    begin: Callable[[int, bool], Work]
    # Whether it gets along with little memory.
    is_small: bool = True


class PartsEncoder:
    """The encoder of one body in parts. `length` is what its source is to give, None where nobody knows.

    Raises ValueError when it gives something else: the engine cannot see that any more.
    """

    __slots__ = ("_end", "_length", "_part", "_seen")

    def __init__(self, work: Work, length: int | None) -> None:
        self._part, self._end = work
        self._length = length
        self._seen = 0

    def part(self, octets: bytes) -> bytes:
        """What is sent of these."""
        self._seen += len(octets)
        if self._length is not None and self._seen > self._length:
            raise ValueError(f"the source has given {self._seen} octets, and was to give {self._length}")
        return self._part(octets)

    def end(self) -> bytes:
        """What is sent after the last part."""
        if self._length is not None and self._seen < self._length:
            raise ValueError(f"the source has given {self._seen} octets, and was to give {self._length}")
        return self._end()


_GZIP: Final = 16  # added to the window's size: gzip's own head and check value


def _gzip_whole(octets: bytes, level: int) -> bytes:
    return zlib.compress(octets, level, _GZIP + 15)


def _gzip_begin(level: int, small: bool) -> Work:
    window, memory = (14, 6) if small else (15, 8)  # some 100 KiB, and 260
    made = zlib.compressobj(level, zlib.DEFLATED, _GZIP + window, memory)

    def part(octets: bytes) -> bytes:
        return made.compress(octets) + made.flush(zlib.Z_SYNC_FLUSH)

    return part, made.flush


GZIP: Final = Coding("gzip", range(1, 10), 6, _gzip_whole, _gzip_begin)
