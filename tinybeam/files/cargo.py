"""A file on its way to a client.

Owns:  the open file, and how far its segments have gone.
Knows: that a file may change or shrink while it is sent.
Never: gives the end of a file that is not the one whose beginning was given; knows of a socket.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from tinybeam.files.delivery import Segment
from tinybeam.files.ranges import Span

# What is read at once at most.
_READ_BYTES: Final = 256 * 1024


class ChangedError(OSError):
    """The file is not what it was when its length was told."""


class Reading:
    """The octets of an answer, in parts; the descriptor stays the caller's."""

    __slots__ = ("_done", "_fd", "_segments", "_stat")

    def __init__(self, fd: int, stat: os.stat_result, segments: Sequence[Segment]) -> None:
        self._fd = fd
        self._stat = stat
        self._segments = list(segments)
        self._done = 0

    def take(self) -> bytes:
        """The next octets; none at the end. Raises ChangedError, and OSError for a disk that fails."""
        if not self._segments:
            return b""
        segment = self._segments[0]
        octets = segment if isinstance(segment, bytes) else self._read(segment)
        self._done += len(octets)
        if isinstance(segment, bytes) or self._done == segment.octets:
            del self._segments[0]
            self._done = 0
        if not self._segments and not is_whole(os.fstat(self._fd), self._stat):
            raise ChangedError("the file was changed while it was sent")
        return octets

    def _read(self, span: Span) -> bytes:
        octets = _read_at(self._fd, min(span.octets - self._done, _READ_BYTES), span.first + self._done)
        if not octets:
            raise ChangedError("the file became shorter while it was sent")
        return octets


class Cargo(Reading):
    """The same, with the descriptor."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()  # of one that was never taken

    def close(self) -> None:
        """Gives the descriptor back; once is enough."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def is_whole(now: os.stat_result, then: os.stat_result) -> bool:
    """Whether this is one file with the same content, as far as its inode, length and both times tell. It may have been
    replaced or removed in its directory meanwhile: one name less, and that has changed the other time."""
    same = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) == (
        then.st_dev,
        then.st_ino,
        then.st_size,
        then.st_mtime_ns,
    )
    return same and (now.st_nlink < then.st_nlink or now.st_ctime_ns == then.st_ctime_ns)


if hasattr(os, "pread"):
    _read_at = os.pread
else:

    def _read_at(fd: int, length: int, offset: int, /) -> bytes:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, length)
