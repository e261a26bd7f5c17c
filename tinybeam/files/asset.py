"""A file as its clients see it: its length, its validators, and the fields that every answer with it has.

Owns:  what an ETag is made of, and the order of the fields.
Knows: RFC 9110 section 8.8, and which fields a 304 and a 206 of many parts leave out (15.4.5, 15.3.7.2).
Never: opens or reads anything; it is made from what stat said.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from tinybeam.files.date import write_date
from tinybeam.files.mime import type_of


class Asset(NamedTuple):
    """`lasting` are the fields of a 304, `many` with them those of a 206 of many parts, `kind` the content type."""

    length: int
    etag: str
    modified: int
    kind: str
    lasting: str
    many: str

    @property
    def kind_field(self) -> str:
        """Content-Type, as a line."""
        return f"Content-Type: {self.kind}\r\n"


def describe(
    stat: os.stat_result,
    name: str,
    now: int,
    *,
    kind: str | None = None,
    coding: str | None = None,
    negotiated: bool = False,
) -> Asset:
    """Of a file before it was coded the name: its end gives the type, where none is given. `negotiated`: another client
    might get another coding.

    The ETag is the time of the last modification in nanoseconds, the length, and the coding. The time alone would miss
    a second change in the same tick of the kernel's clock; the octets' own hash would cost a read of all of them; the
    inode would differ from machine to machine behind one name.
    """
    suffix = "" if coding is None else f"-{coding}"
    etag = f'"{stat.st_mtime_ns & 0xFFFFFFFFFFFFFFFF:x}-{stat.st_size:x}{suffix}"'
    modified = min(stat.st_mtime_ns // 1_000_000_000, now)
    vary = "Vary: Accept-Encoding\r\n" if negotiated else ""
    lasting = f"{vary}ETag: {etag}\r\nLast-Modified: {write_date(modified)}\r\n"
    coded = "" if coding is None else f"Content-Encoding: {coding}\r\n"
    many = f"{lasting}Accept-Ranges: bytes\r\n{coded}"
    return Asset(stat.st_size, etag, modified, kind or type_of(name), lasting, many)
