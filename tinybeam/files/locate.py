"""From the path of a request to an open file beneath a directory.

Owns:  the reading of a path as a name, and the ways in which files are opened.
Knows: RFC 3986 section 2.1; that a directory may change while it is looked at.
Never: leaves the directory, waits for a FIFO, or opens anything but a regular file for long.

A symbolic link is followed when it is relative and stays in the directory. Where the system cannot open a name in an
open directory (Windows), whatever a name comes to is looked at before it is opened.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

NAME_BYTES_MAX: Final = 4095
_COMPONENT_BYTES_MAX: Final = 255
_LINKS_MAX: Final = 40

# A FIFO without a writer would hold the open; a terminal would become ours.
_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_ENTER_FLAGS: Final = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_STEPWISE: Final = bool(_NOFOLLOW) and {os.open, os.readlink} <= os.supports_dir_fd
# What separates names must stand for itself, and nothing decoded may be a separator, here or elsewhere.
_COMPONENT: Final = re.compile(rb"(?:%(?!00|2[fF]|5[cC])[0-9A-Fa-f]{2}|[^%/\\\x00])*")


class Opened(NamedTuple):
    """A regular file; the descriptor is whoever's who has opened it."""

    fd: int
    stat: os.stat_result
    name: bytes


class Named(NamedTuple):
    """A name beneath a directory, and whether its path ended with a slash."""

    name: bytes
    slash: bool


def read_name(path: bytes, *, hidden: bool) -> Named | None:
    """The name that a path means: the part of it behind a prefix, still percent-encoded, "" or "/...". None when it can
    name nothing: what may mean another file to somebody else is not found.

    >>> read_name(b"/a%20b/c.css", hidden=False), read_name(b"/%2e%2e/secret", hidden=True)
    (Named(name=b'a b/c.css', slash=False), None)
    """
    if not path:
        return Named(b"", slash=False)
    first, *components = path.split(b"/")
    if first:
        return None
    slash = components[-1] == b""
    names = []
    for component in components[:-1] if slash else components:
        name = unquote_to_bytes(component)
        odd = _COMPONENT.fullmatch(component) is None or not name or len(name) > _COMPONENT_BYTES_MAX
        if odd or name in (b".", b"..") or (name.startswith(b".") and not hidden):
            return None
        names.append(name)
    joined = b"/".join(names)
    return Named(joined, slash) if len(joined) <= NAME_BYTES_MAX else None


class Root:
    """A directory that files are opened beneath; None: a name is a path of the program's own, and every link is
    followed. Raises OSError when it is none. Close it, or leave it open as long as there is somebody to serve."""

    def __init__(self, directory: str | None) -> None:
        self._fd: int | None = None
        self._path = directory
        if directory is not None and _STEPWISE:
            # It may be a link itself: that is followed once, now.
            self._fd = os.open(directory, _ENTER_FLAGS)
        elif directory is not None:
            os.scandir(directory).close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Gives the descriptor back, if there is one."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def open(self, name: bytes) -> Opened:
        """Opens a file. Raises OSError as opening it does: IsADirectoryError, and ENODEV for what else is no file."""
        fd = self._open(name)
        try:
            what = os.fstat(fd)
            if not stat.S_ISREG(what.st_mode):
                code = errno.EISDIR if stat.S_ISDIR(what.st_mode) else errno.ENODEV
                raise OSError(code, os.strerror(code), os.fsdecode(name))
        except BaseException:
            os.close(fd)
            raise
        return Opened(fd, what, name)

    def _open(self, name: bytes) -> int:
        if self._path is None:
            return os.open(name, _FLAGS)
        if self._fd is not None:
            return _open_stepwise(self._fd, name or b".")
        found = resolved(self._path, os.fsdecode(name))
        if os.path.isdir(found):  # which Windows says by another name
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), found)
        return os.open(found, _FLAGS)


def _open_stepwise(root: int, name: bytes) -> int:
    """One component after the other, each in the directory that was opened before it."""
    directories = [root]
    todo = name.split(b"/")[::-1]
    links = 0
    try:
        while True:
            component = todo.pop() or b"."
            if component == b".." and len(directories) == 1:
                raise OSError(errno.EXDEV, "a link leads out of the directory", os.fsdecode(name))
            if component == b"..":
                os.close(directories.pop())
            if component in (b".", b".."):
                if todo:
                    continue
                component = b"."
            target = _link_in(directories[-1], component)
            if target is not None:
                links += 1
                if target.startswith(b"/") or links > _LINKS_MAX:
                    code = errno.EXDEV if target.startswith(b"/") else errno.ELOOP
                    raise OSError(code, os.strerror(code), os.fsdecode(name))
                todo += target.split(b"/")[::-1]
                continue
            # Whoever has made a link of it since is refused: ELOOP, or ENOTDIR.
            fd = os.open(component, (_ENTER_FLAGS if todo else _FLAGS) | _NOFOLLOW, dir_fd=directories[-1])
            if not todo:
                return fd
            directories.append(fd)
    finally:
        for directory in directories[1:]:
            os.close(directory)


def _link_in(directory: int, name: bytes) -> bytes | None:
    """Where a link leads; None for what is none, or is not there."""
    if name == b".":
        return None
    with contextlib.suppress(OSError):
        return os.readlink(name, dir_fd=directory)
    return None


def resolved(root: str, name: str) -> str:
    """The path of what a name comes to beneath a directory, every link followed. Raises OSError for what is outside."""
    if os.name == "nt" and ":" in name:  # a drive, or a stream of a file: another spelling of it
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    base = os.path.realpath(root)
    found = os.path.realpath(os.path.join(base, name))
    if found != base and not found.startswith(os.path.join(base, "")):
        raise OSError(errno.EXDEV, "a link leads out of the directory", name)
    return found
