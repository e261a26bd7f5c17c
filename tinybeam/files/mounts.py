"""Mounts: directories of which the files are served beneath a prefix.

Owns:  the prefixes and the options of each, and the way from a request to its answer.
Knows: which failure is which status.
Never: sends; asks a handler.
"""

from __future__ import annotations

import os
import re
from typing import Final

from tinybeam.errors import HTTPError
from tinybeam.files.asked import Asked
from tinybeam.files.locate import Opened, Root, read_name
from tinybeam.files.parcel import Parcel, pack
from tinybeam.files.siblings import Choice, open_best
from tinybeam.http import FileFields, refusal_of

# Of native/include/tinybeam.h: TB_STATIC_...
STATIC_HIDDEN: Final = 1
STATIC_PRECOMPRESSED: Final = 2
STATIC_PASS: Final = 4
STATIC_FIELD_BYTES_MAX: Final = 1024
_PLAIN: Final = b"Content-Type: text/plain; charset=utf-8\r\n"
# With an empty component "//host" would become a Location elsewhere.
_PREFIX: Final = re.compile(rb"(?:/[^/]+)*")


class Mount:
    """One of them."""

    __slots__ = ("_fields", "_flags", "_index", "_root", "prefix")

    def __init__(self, prefix: bytes, directory: str, index: str | None, fields: bytes, flags: int) -> None:
        """Raises OSError when there is no such directory."""
        self.prefix = prefix
        self._root = Root(directory)
        self._index = None if index is None else os.fsencode(index)
        self._fields = FileFields(b"", fields, None)
        self._flags = flags

    def close(self) -> None:
        """Lets go of the directory."""
        self._root.close()

    def answer(self, path: bytes, query: bytes | None, asked: Asked) -> Parcel | None:
        """To a GET or HEAD of a path beneath the prefix; None for what is left to the routes."""
        try:
            opened = self._open(path)
            return _redirect(path, query) if opened is None else self._pack(opened, asked)
        except OSError as error:
            told = refusal_of(error)
            if self._flags & STATIC_PASS and told is not None and told.status == 404:
                return None
            return _refuse(told)

    def _open(self, path: bytes) -> Opened | None:
        """None for a directory whose path lacks the slash at its end."""
        named = read_name(path[len(self.prefix) :], hidden=bool(self._flags & STATIC_HIDDEN))
        if named is None or (named.slash and self._index is None):
            raise FileNotFoundError(2, os.strerror(2), os.fsdecode(path))
        name = named.name
        if named.slash:
            assert self._index is not None
            name = b"/".join(filter(None, (name, self._index)))
        try:
            return self._root.open(name)
        except IsADirectoryError:
            if named.slash or self._index is None:
                raise
            return None

    def _pack(self, opened: Opened, asked: Asked) -> Parcel:
        negotiated = bool(self._flags & STATIC_PRECOMPRESSED)
        choice = open_best(self._root, opened, asked) if negotiated else Choice(opened)
        return pack(choice, os.fsdecode(opened.name), asked, self._fields, negotiated=negotiated)


class Mounts:
    """All of an engine's."""

    def __init__(self) -> None:
        # The longest prefix first.
        self._mounts: list[Mount] = []

    def add(self, prefix: str, directory: str, index: str | None, fields: bytes, flags: int) -> bool:
        """False for a prefix that is none, or is there already, and for too many fields, which the caller has found fit
        to be sent. Raises OSError when there is no such directory."""
        octets = prefix.encode()
        odd = _PREFIX.fullmatch(octets) is None or any(mount.prefix == octets for mount in self._mounts)
        if odd or len(fields) > STATIC_FIELD_BYTES_MAX:
            return False
        self._mounts.append(Mount(octets, directory, index, fields, flags))
        self._mounts.sort(key=lambda mount: len(mount.prefix), reverse=True)
        return True

    def find(self, path: bytes) -> Mount | None:
        """The one with the longest prefix of this path, which is compared as sent."""
        for mount in self._mounts:
            if path.startswith(mount.prefix) and path[len(mount.prefix) :][:1] in (b"", b"/"):
                return mount
        return None

    def close(self) -> None:
        """Lets go of every directory."""
        for mount in self._mounts:
            mount.close()


def _redirect(path: bytes, query: bytes | None) -> Parcel:
    rest = b"" if query is None else b"?" + query
    return Parcel(301, b"Location: %b/%b\r\n" % (path, rest), 0)


def _refuse(told: HTTPError | None) -> Parcel:
    """The status says all."""
    if told is None:
        return Parcel(500, b"", 0)
    text = f"{told.message}\n".encode()
    return Parcel(told.status, _PLAIN, len(text), text)
