"""A file as a body: where it lies, what is said of it, and which failure to open it is which answer.

Owns:  `File`; the name that a client is told to save it under (RFC 6266, RFC 8187).
Knows: which fields are about the file and which are about the answer.
Never: opens anything: whoever answers does.
"""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

from tinybeam.errors import HTTPError
from tinybeam.http.fields import field_octets

CONTENT_TYPE_BYTES_MAX: Final = 120
# What whoever sends the file says of it.
_SAID_OF_FILES: Final = frozenset({"accept-ranges", "content-range", "etag", "last-modified"})
# What is about the file, and must not make a cache keep the refusal of a part or a condition.
_LASTING: Final = frozenset({"cache-control", "expires"})
# The attr-char of RFC 8187 section 3.2.1 beside letters and digits.
_PLAIN: Final = "!#$&+-.^_`|~"
# Those that change the direction of writing, and so can make one extension look like another.
_TURNS: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_MISSING: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV, errno.EINVAL})
_NO_FILE: Final = frozenset({errno.EISDIR, errno.ENODEV, errno.ENXIO})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})


class File(NamedTuple):
    """Which file a body is: `path` as given, beneath `root` where that is not None."""

    path: str
    root: str | None
    # Its end gives the content type, in place of the path's.
    name: str | None
    precompressed: bool

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str],
        root: str | os.PathLike[str] | None,
        name: str | None,
        *,
        precompressed: bool,
    ) -> File:
        """Checks what can be checked without a look. Raises TypeError for what is no path, ValueError for a NUL."""
        text = os.fsdecode(path)
        base = None if root is None else os.fsdecode(root)
        if "\0" in (text if base is None else base):
            raise ValueError("a path has no NUL in it")
        return cls(text, base, name, precompressed)

    @property
    def url_path(self) -> str:
        """The path as a part of a URL, which is what names a file beneath a root."""
        return "/" + quote(os.fsencode(self.path))

    def __str__(self) -> str:
        return self.path if self.root is None else os.path.join(self.root, self.path.lstrip("/"))


class FileFields(NamedTuple):
    """The fields of an answer with a file, by what they are about."""

    always: bytes
    lasting: bytes
    content_type: str | None


def file_fields(fields: Iterable[tuple[str, str]]) -> FileFields:
    """Sorts checked fields."""
    always: list[tuple[str, str]] = []
    lasting: list[tuple[str, str]] = []
    content_type = None
    for pair in fields:
        name = pair[0].lower()
        if name == "content-type":
            content_type = content_type or pair[1]
        else:
            (lasting if name in _LASTING else always).append(pair)
    return FileFields(field_octets(always), field_octets(lasting), content_type)


def check_file_field(name: str, value: str) -> None:
    """Raises ValueError for a field that is not the handler's to say of a file."""
    if name.lower() in _SAID_OF_FILES:
        raise ValueError(f"header {name}: this is said of the file by itself; leave it out")
    if name.lower() == "content-type" and not 0 < len(value) <= CONTENT_TYPE_BYTES_MAX:
        raise ValueError(f"a file's Content-Type has 1 to {CONTENT_TYPE_BYTES_MAX} octets, not {len(value)}")


def attachment(filename: str) -> str:
    r"""The value of Content-Disposition that has a client save the file, under this name.

    What no file name can have, a slash say, becomes "_". Raises ValueError for an empty name.

    >>> attachment("report.pdf")
    'attachment; filename="report.pdf"'
    >>> attachment("Übersicht 50%.pdf")
    'attachment; filename="Ubersicht 50_.pdf"; filename*=UTF-8\'\'%C3%9Cbersicht%2050%25.pdf'
    """
    if not isinstance(filename, str):
        raise TypeError(f"filename is a str, not {type(filename).__name__}")
    name = "".join("_" if _is_odd(letter) else letter for letter in filename)
    if not name.strip(" ._"):
        raise ValueError(f"filename {filename!r} names nothing")
    # Accents go from letters that have one; what is left of other letters would be a guess.
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    plain = "".join(letter if letter.isascii() and letter not in '"%' else "_" for letter in letters)
    if plain == name:
        return f'attachment; filename="{name}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_PLAIN)}"


def _is_odd(letter: str) -> bool:
    return letter in "/\\" or letter in _TURNS or unicodedata.category(letter) in ("Cc", "Cs")


def refusal_of(error: OSError) -> HTTPError | None:
    """What a client is told when a file cannot be opened; None when that is nobody's business but ours.

    >>> str(refusal_of(FileNotFoundError(2, "No such file or directory")))
    '404 there is no such file'
    """
    if error.errno in _MISSING or error.errno in _NO_FILE:
        return HTTPError(404, "there is no such file")
    if error.errno in _FORBIDDEN:
        return HTTPError(403, "this may not be read")
    if error.errno in _EXHAUSTED:
        return HTTPError(503, "this server has too many files open; try again later", headers={"Retry-After": "1"})
    return None


def is_missing(error: OSError) -> bool:
    """Whether there is nothing where the file should be."""
    return error.errno in _MISSING
