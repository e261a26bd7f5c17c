"""A request's body, read from its beginning to its end, in parts or as a file.

Owns:  what was read and not used yet, and the file that a body is saved to until it is whole.
Knows: that a part may have to be waited for; that a disk may be full.
Never: leaves half of a body under the name that the whole was to have.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Any, Final

from tinybeam.errors import HTTPError

logger = logging.getLogger("tinybeam.server")

# Of a body that is asked for as a file, so much is held in memory.
SPOOL_BYTES: Final = 256 * 1024
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Body:
    """A body that is all there. Those that still come give `_take`, `_take_async` and `trailers` another meaning."""

    __slots__ = ("_at", "_rest")

    def __init__(self, content: bytes) -> None:
        # What was taken, and from where on it was not read.
        self._rest = content
        self._at = 0

    def _take(self) -> bytes:
        """The next octets that have come, waiting for some; none at the end."""
        return b""

    async def _take_async(self) -> bytes:
        """The same without holding up the event loop."""
        return b""

    def trailers(self) -> bytes:
        """What came after it, as `Request.trailers_raw`; here that has come with the request.

        Raises RuntimeError before the end of a body that still comes.
        """
        return b"\n"

    def _left(self) -> bytes:
        rest, at = self._rest, self._at
        self._rest, self._at = b"", 0
        return rest[at:] if at else rest

    def part(self) -> bytes:
        """The next part; b"" at the end."""
        return self._left() or self._take()

    async def part_async(self) -> bytes:
        """The same without holding up the event loop."""
        return self._left() or await self._take_async()

    def read(self, most: int = -1) -> bytes:
        """So many octets, or all for a negative number; fewer only at the end."""
        if most < 0:
            return b"".join(iter(self.part, b""))
        found = []
        while most > 0:
            if self._at >= len(self._rest):
                self._rest, self._at = self._take(), 0
                if not self._rest:
                    break
            piece = self._rest[self._at : self._at + most]
            self._at += len(piece)
            most -= len(piece)
            found.append(piece)
        return b"".join(found)

    def save(self, path: str | os.PathLike[str]) -> int:
        """Writes what is left to a file beside that of this name, which it then replaces; gives its length."""
        name = os.fspath(path)
        folder, last = os.path.split(name)
        beside = os.path.join(folder, f".{last}.{secrets.token_hex(8)}")
        with open(beside, "xb", buffering=0) as file, _removed_on_failure(beside):
            length = self._write_to(file, name)
            os.replace(beside, name)
        return length

    def file(self) -> IO[bytes]:
        """What is left as a temporary file, at its beginning; a short one stays in memory."""
        file: Any = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - it is the caller's
        try:
            self._write_to(file, "a temporary file")
        except BaseException:
            with contextlib.suppress(OSError):  # what could not be written is written once more by its close
                file.close()
            raise
        file.seek(0)
        return file  # type: ignore[no-any-return]

    def _write_to(self, file: Any, name: str) -> int:
        length = 0
        for part in iter(self.part, b""):
            try:
                _write(file, part)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                logger.error(
                    "an upload to %s was given up after %d octets: %s; its client is told 507", name, length, error
                )
                raise HTTPError(507, "there is no room left for this") from error
            length += len(part)
        return length


def _write(file: Any, octets: bytes) -> None:
    """Writes all of them: a file without a buffer may take fewer."""
    written = file.write(octets)
    while written is not None and written < len(octets):
        octets = octets[written:]
        written = file.write(octets)


@contextlib.contextmanager
def _removed_on_failure(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.unlink(path)
        raise


class BodyParts:
    """Iterates over a body, with `for` or with `async for`: each part is bytes, as many as have come."""

    __slots__ = ("_body",)

    def __init__(self, body: Body) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        part = self._body.part()
        if not part:
            raise StopIteration
        return part

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        part = await self._body.part_async()
        if not part:
            raise StopAsyncIteration
        return part
