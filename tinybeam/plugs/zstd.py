"""The content coding zstd (RFC 8878), where this Python has a library for it.

Owns:  the choice of the library, and what its two kinds are asked.
Knows: `compression.zstd` of Python 3.14, `backports.zstd`, which is the same for earlier ones, and `zstandard`.
Never: a window beyond 8 MiB, which clients need not take (RFC 9659).
"""

from __future__ import annotations

from typing import Any, Final

from tinybeam.plugs.coding import Coding, Work
from tinybeam.plugs.library import found

_LEVELS: Final = range(1, 20)  # those above take larger windows
_LEVEL: Final = 3
# The window and the two tables: some 600 KiB for a body, some 160 for one that may go on for hours.
_LARGE: Final = {"window_log": 17, "hash_log": 16, "chain_log": 15}
_SMALL: Final = {"window_log": 15, "hash_log": 13, "chain_log": 12}


def of_python(library: Any) -> Coding:
    """By `compression.zstd`, or its backport."""
    parameter = library.CompressionParameter

    def begin(level: int, small: bool) -> Work:
        options = {getattr(parameter, name): value for name, value in (_SMALL if small else _LARGE).items()}
        made = library.ZstdCompressor(options={parameter.compression_level: level, **options})
        flush = made.FLUSH_BLOCK
        return lambda octets: made.compress(octets, flush), made.flush

    return Coding("zstd", _LEVELS, _LEVEL, lambda octets, level: library.compress(octets, level), begin)


def of_zstandard(library: Any) -> Coding:
    """By the package `zstandard`."""

    def begin(level: int, small: bool) -> Work:
        sizes = _SMALL if small else _LARGE
        parameters = library.ZstdCompressionParameters.from_level(level, **sizes)
        made = library.ZstdCompressor(compression_params=parameters).compressobj()
        flush = library.COMPRESSOBJ_FLUSH_BLOCK
        return lambda octets: made.compress(octets) + made.flush(flush), made.flush

    def whole(octets: bytes, level: int) -> bytes:
        result: bytes = library.ZstdCompressor(level=level).compress(octets)
        return result

    return Coding("zstd", _LEVELS, _LEVEL, whole, begin)


def zstd() -> Coding | None:
    """The coding by the first library that there is; None where there is none."""
    library = found("compression.zstd", "backports.zstd")
    if library is not None:
        return of_python(library)
    library = found("zstandard")
    return None if library is None else of_zstandard(library)
