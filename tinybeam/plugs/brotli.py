"""The content coding br (RFC 7932), where there is a library for it.

Owns:  the choice of the library, and what it is asked.
Knows: `brotli`, and `brotlicffi`, which has the same functions for Pythons that are not CPython.
Never: the highest levels by itself: those are for files that are compressed once.
"""

from __future__ import annotations

from typing import Any, Final

from tinybeam.plugs.coding import Coding, Work
from tinybeam.plugs.library import found

_LEVELS: Final = range(12)
_LEVEL: Final = 4
_WINDOW: Final = 18


def of_library(library: Any) -> Coding:
    """By one of the two."""

    def whole(octets: bytes, level: int) -> bytes:
        result: bytes = library.compress(octets, quality=level)
        return result

    def begin(level: int, small: bool) -> Work:
        made = library.Compressor(quality=level, lgwin=_WINDOW)
        return lambda octets: made.process(octets) + made.flush(), made.finish

    # Its tables alone take more than half a megabyte at any level that is of use for short parts.
    return Coding("br", _LEVELS, _LEVEL, whole, begin, is_small=False)


def brotli() -> Coding | None:
    """The coding; None where there is no library."""
    library = found("brotli", "brotlicffi")
    return None if library is None else of_library(library)
