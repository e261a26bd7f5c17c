"""Static files: directories that are served beneath a prefix, by the engine.

Owns:  what a mount may be, and the handler that serves its files where plugs come first, or there is no engine.
Knows: what an engine's `add_static` takes.
Never: a request that the engine could answer: GET and HEAD beneath a mount without plugs do not reach a handler.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

from tinybeam.errors import ConfigError, HTTPError
from tinybeam.files import (
    STATIC_FIELD_BYTES_MAX,
    STATIC_HIDDEN,
    STATIC_PASS,
    STATIC_PRECOMPRESSED,
    Root,
    read_name,
    resolved,
)
from tinybeam.http import Response, check_file_field, field_octets_of, is_missing
from tinybeam.router.plug import Plug

IMMUTABLE: Final = "public, max-age=31536000, immutable"

_PREFIX: Final = re.compile(r"(/[A-Za-z0-9\-._~!$&'()*+,;=:@]+)*")

Missing = Literal["404", "next"]


class Mount(NamedTuple):
    """A mount in the engine's terms; `prefix` is "" or "/a/b"."""

    prefix: str
    directory: str
    index_name: str | None
    fields: bytes
    flags: int

    @property
    def passes(self) -> bool:
        """Whether what is not found goes on to the router."""
        return bool(self.flags & STATIC_PASS)

    def covers(self, path: str) -> bool:
        """Whether a path is beneath it.

        >>> Mount("/assets", "/srv", None, b"", 0).covers("/assets/a.css")
        True
        """
        return path == self.prefix or path.startswith(self.prefix + "/")


class Mounting(NamedTuple):
    """A mount as it was declared. Beneath plugs it is not the engine's, which knows of none."""

    mount: Mount
    place: str
    plugs: tuple[Plug, ...] = ()


def mount_of(
    prefix: str,
    directory: str | os.PathLike[str],
    place: str,
    *,
    index: str | None,
    cache_control: str | None,
    immutable: bool,
    precompressed: bool,
    hidden: bool,
    headers: Mapping[str, str],
    missing: Missing,
) -> Mount:
    """Checks what was given. Raises ConfigError with the place."""
    prefix = "" if prefix == "/" else prefix
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"{place}: the prefix {prefix!r} must be / or like /assets, without a slash at its end")
    found = os.path.abspath(directory)
    if not os.path.isdir(found):
        raise ConfigError(f"{place}: there is no directory {found}")
    if index is not None and (not index or "/" in index or "\0" in index or index in (".", "..")):
        raise ConfigError(f"{place}: index {index!r} must be the plain name of a file, such as index.html, or None")
    if immutable and cache_control is not None:
        raise ConfigError(f"{place}: immutable says what cache_control would say; give one of them")
    if missing not in ("404", "next"):
        raise ConfigError(f"{place}: missing is {missing!r}; it must be '404' or 'next'")
    if not prefix and missing == "404":
        raise ConfigError(f"{place}: at / no other route would ever be asked; add missing='next'")
    control = IMMUTABLE if immutable else cache_control
    try:
        fields = field_octets_of({**headers, **({} if control is None else {"Cache-Control": control})})
        for name, value in headers.items():
            check_file_field(name, value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{place}: {error}") from None
    if len(fields) > STATIC_FIELD_BYTES_MAX:
        raise ConfigError(f"{place}: the headers have {len(fields)} octets; {STATIC_FIELD_BYTES_MAX} are allowed")
    flags = (
        (STATIC_HIDDEN if hidden else 0)
        | (STATIC_PRECOMPRESSED if precompressed else 0)
        | (STATIC_PASS if missing == "next" else 0)
    )
    return Mount(prefix, found, index, fields, flags)


def file_handler(mount: Mount) -> Callable[..., Response]:
    """A handler for `{path:path}` beneath the mount, for where plugs come first, or no engine serves."""
    lines = mount.fields.decode("latin-1").split("\r\n")[:-1]
    fields = {key: value for key, _, value in (line.partition(": ") for line in lines)}
    hidden = bool(mount.flags & STATIC_HIDDEN)
    precompressed = bool(mount.flags & STATIC_PRECOMPRESSED)

    def static_file(request: Any, path: str = "") -> Response:
        named = read_name(request.path_raw[len(mount.prefix) :].encode("latin-1"), hidden=hidden)
        if named is None or (named.slash and mount.index_name is None):
            raise HTTPError(404, "there is no such file")
        name = os.fsdecode(named.name)
        if named.slash:
            name = os.path.join(name, mount.index_name or "")
        try:
            _look(mount.directory, name)
        except IsADirectoryError:
            if not named.slash and mount.index_name is not None:
                return Response.redirect(_with_slash(request), 301)
            raise HTTPError(404, "there is no such file") from None
        if hidden:
            name = resolved(mount.directory, name)
            return Response.file(name, headers=fields, precompressed=precompressed)
        return Response.file(name, root=mount.directory, headers=fields, precompressed=precompressed)

    return static_file


def _look(directory: str, name: str) -> None:
    """Raises HTTPError for what is not there, so that plugs see it as an answer, and IsADirectoryError. All else is
    told when the file is opened to be sent."""
    root = Root(directory)
    try:
        os.close(root.open(os.fsencode(name)).fd)
    except IsADirectoryError:
        raise
    except OSError as error:
        if is_missing(error):
            raise HTTPError(404, "there is no such file") from None
    finally:
        root.close()


def _with_slash(request: Any) -> str:
    return f"{request.path_raw}/" + ("" if request.query_raw is None else f"?{request.query_raw}")
