"""Coded forms of a file that lie beside it: name.br, name.zst and name.gz.

Owns:  the suffixes, and the order among those that a client likes equally.
Knows: that a form which is older than its file was made of another.
Never: codes anything.
"""

from __future__ import annotations

import contextlib
import os
from typing import Final, NamedTuple

from tinybeam.files.asked import Asked
from tinybeam.files.locate import NAME_BYTES_MAX, Opened, Root
from tinybeam.http import choose_coding

# The first is the smallest on disk.
_SUFFIXES: Final = {"br": b".br", "zstd": b".zst", "gzip": b".gz"}


class Choice(NamedTuple):
    """What is sent in place of a file, itself perhaps; `coding` is None then."""

    opened: Opened
    coding: str | None = None


def open_best(root: Root, base: Opened, asked: Asked) -> Choice:
    """Opens the form that the client would rather have than the file itself; then the file is closed. When none of them
    is acceptable it is the file: a client that cannot use it is no worse off than with a 406 (RFC 9110 12.4.1)."""
    lines = asked.lines("accept-encoding")
    names = tuple(_SUFFIXES)
    while lines and (coding := choose_coding(", ".join(lines), names).coding) is not None:
        coded = _open_current(root, base, _SUFFIXES[coding])
        if coded is not None:
            os.close(base.fd)
            return Choice(coded, coding)
        names = tuple(name for name in names if name != coding)
    return Choice(base)


def _open_current(root: Root, base: Opened, suffix: bytes) -> Opened | None:
    if len(base.name) + len(suffix) > NAME_BYTES_MAX:
        return None
    with contextlib.suppress(OSError):
        coded = root.open(base.name + suffix)
        if coded.stat.st_mtime_ns >= base.stat.st_mtime_ns:
            return coded
        os.close(coded.fd)
    return None
