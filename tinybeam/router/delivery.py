"""Files in one piece, for where no engine sends them.

Owns:  the opening of a file, and the answer that has its octets in it.
Knows: RFC 9110 as far as a whole file goes: validators, and 304 for who has it.
Never: waits for a FIFO, or reads what is no file; ranges: the whole is always an answer.
"""

from __future__ import annotations

import errno
import mimetypes
import os
import stat
from email.utils import formatdate
from typing import Any, Final

from tinybeam.http import Response

_CONDITIONAL: Final = ("GET", "HEAD")


def whole_file(request: Any, response: Response) -> Response:
    """The same answer with its file read. Raises OSError, as opening it does: IsADirectoryError, and ENODEV for what
    else is no file."""
    file = response.from_file
    assert file is not None
    if file.root is not None and (not file.path or file.path.endswith("/")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), file.path)
    name = file.path if file.root is None else name_beneath(file.root, file.path, hidden=False)
    with open(name, "rb", opener=_open_quickly) as opened:
        what = os.fstat(opened.fileno())
        if not stat.S_ISREG(what.st_mode):
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
        said = list(response.headers)
        kind = next((value for key, value in said if key.lower() == "content-type"), None) or _type_of(
            file.name or name
        )
        said = [pair for pair in said if pair[0].lower() != "content-type"]
        if response.status != 200:
            return Response(opened.read(), response.status, said, kind)
        if file.precompressed:
            said.append(("Vary", "Accept-Encoding"))
        tag = f'"{what.st_mtime_ns:x}-{what.st_size:x}"'
        said += [("ETag", tag), ("Last-Modified", formatdate(what.st_mtime, usegmt=True))]
        if request.method in _CONDITIONAL and tag in request.headers.get("if-none-match", ""):
            return Response(None, 304, said)
        return Response(opened.read(), 200, said, kind)


def name_beneath(root: str, path: str, *, hidden: bool) -> str:
    """The name of a file in a directory, from a path with slashes.

    Raises FileNotFoundError for what leads out of it, or may mean another file to somebody else.
    """
    segments = path.split("/")
    odd = any(one in ("", ".", "..") for one in segments[:-1]) or segments[-1] in (".", "..")
    dotted = not hidden and any(one.startswith(".") for one in segments)
    base = os.path.realpath(root)
    name = base if "\0" in path else os.path.realpath(os.path.join(base, path))
    outside = name != base and not name.startswith(os.path.join(base, ""))
    if odd or dotted or outside or "\0" in path or "\\" in path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return name


def _open_quickly(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a FIFO must not hold us up


def _type_of(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
