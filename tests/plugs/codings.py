"""Every coding by every library that is here, and the way back.

Owns: the list that tests are parametrized by.
Knows: that a library which is not installed is skipped, with its name.
Never: a coding's own decoder where another one can be had.
"""

from __future__ import annotations

import zlib
from importlib.util import find_spec
from typing import Any

import pytest

from tinybeam.plugs.brotli import of_library
from tinybeam.plugs.coding import GZIP, Coding
from tinybeam.plugs.library import found
from tinybeam.plugs.zstd import of_python, of_zstandard

MAKERS = {
    "zlib": lambda _library: GZIP,
    "compression.zstd": of_python,
    "backports.zstd": of_python,
    "zstandard": of_zstandard,
    "brotli": of_library,
    "brotlicffi": of_library,
}


def is_there(name: str) -> bool:
    package, _, _ = name.rpartition(".")
    return (not package or find_spec(package) is not None) and find_spec(name) is not None


LIBRARIES = [
    pytest.param(name, marks=pytest.mark.skipif(not is_there(name), reason=f"{name} is not installed"))
    for name in MAKERS
]


def coding_of(name: str) -> Coding:
    return MAKERS[name](found(name))


class Decoder:
    """Decodes octets as they come; `over` says that the coding is complete."""

    def __init__(self, coding: str) -> None:
        self.coding = coding
        self._decoder: Any
        if coding == "gzip":
            self._decoder = zlib.decompressobj(31)
        elif coding == "br":
            self._decoder = found("brotli", "brotlicffi").Decompressor()
        else:
            library = found("compression.zstd", "backports.zstd")
            self._decoder = (
                library.ZstdDecompressor() if library else found("zstandard").ZstdDecompressor().decompressobj()
            )

    def decode(self, octets: bytes) -> bytes:
        decoder = self._decoder
        assert not self.over or not octets, "there is more after the end"
        result: bytes = decoder.process(octets) if self.coding == "br" else decoder.decompress(octets)
        while self.coding == "br" and (more := decoder.process(b"")):  # it gives so much at a time
            result += more
        assert not getattr(decoder, "unused_data", b"")
        return result

    @property
    def over(self) -> bool:
        return bool(self._decoder.is_finished() if self.coding == "br" else self._decoder.eof)


def decoded(octets: bytes, coding: str) -> bytes:
    decoder = Decoder(coding)
    result = decoder.decode(octets)
    assert decoder.over
    return result
