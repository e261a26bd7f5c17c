"""Compression of answers, as a plug.

Owns:  which answers are compressed, and what their header fields say of it.
Knows: RFC 9110 sections 8.4 (Content-Encoding), 8.8.3 (ETag), 12.5.3 and 12.5.5 (Vary), and RFC 9111's no-transform.
Never: an answer that is coded already, or that is a part of something: ranges are of the body as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

from tinybeam.errors import ConfigError
from tinybeam.http import Request, Response, choose_coding, has_body
from tinybeam.plugs.brotli import brotli
from tinybeam.plugs.coding import GZIP, Coding, PartsEncoder
from tinybeam.plugs.media_types import TYPES, MediaTypes
from tinybeam.plugs.zstd import zstd

# In the order in which we like them.
CODINGS: Final = MappingProxyType({one.name: one for one in (zstd(), brotli(), GZIP) if one is not None})
_KNOWN: Final = ("zstd", "br", "gzip")
_NO_LEVELS: Final[Mapping[str, int]] = MappingProxyType({})
# They say something of the octets that are sent, which only who has made them can say.
_DIGESTS: Final = frozenset({"content-digest", "content-md5", "digest", "repr-digest"})
_EVENT_STREAM: Final = "text/event-stream"


def compress(
    *,
    body_bytes_min: int = 1024,
    types: Iterable[str] = TYPES,
    codings: Iterable[str] = tuple(CODINGS),
    levels: Mapping[str, int] = _NO_LEVELS,
) -> Callable[[Request], Request]:
    """A plug that compresses answers for clients that accept it: `Router(through=[compress()])`.

    Put it first, so that it sees answers last. gzip is always there; zstd and br are where their libraries are:
    `pip install tinybeam[compress]`.

    - `body_bytes_min`: smaller bodies are left as they are. What comes in parts has no size, and is compressed part by
      part: each one is sent at once, events too.
    - `types`: the media types to be compressed, `*` in them standing for any characters. Those that are compressed
      already (images, video, zip, ...) only where they are named in full.
    - `codings`: those to be used, what is liked best first; it decides where the client likes several as much.
    - `levels`: how hard to try, by coding: {"gzip": 1 to 9, "br": 0 to 11, "zstd": 1 to 19}.

    Answers of 204, 206 and 304 are left alone, and those with Content-Encoding, a digest, or `Cache-Control:
    no-transform`, by which a handler can say so of one answer. A strong ETag becomes a weak one, Accept-Ranges goes,
    and Vary names Accept-Encoding, also where this client takes no coding.

    What an attacker can put into a page beside a secret, as often as he likes, tells him the secret by the page's
    length (BREACH): do not compress such pages.

    Raises ConfigError for options that cannot work, and a coding that has no library here.
    """
    if type(body_bytes_min) is not int or body_bytes_min < 0:
        raise ConfigError(f"compress: body_bytes_min is {body_bytes_min!r}; it must be a whole number, 0 or more")
    chosen = _checked_codings(codings)
    for name, level in levels.items():
        if name not in _KNOWN:
            raise ConfigError(f"compress: levels names {name!r}; there are {', '.join(_KNOWN)}")
        coding = chosen.get(name)
        if coding is not None and (type(level) is not int or level not in coding.levels):
            raise ConfigError(
                f"compress: the level of {name} is {level!r}; it goes from {coding.levels[0]} to {coding.levels[-1]}"
            )
    leveled = {name: one._replace(level=levels.get(name, one.level)) for name, one in chosen.items()}
    return Compress(body_bytes_min, MediaTypes(types), leveled)


def _checked_codings(names: Iterable[str]) -> dict[str, Coding]:
    listed = [names] if isinstance(names, str) else list(names)
    for name in listed:
        if name not in _KNOWN:
            raise ConfigError(f"compress: there is no coding {name!r}; there are {', '.join(_KNOWN)}")
        if name not in CODINGS:
            raise ConfigError(f"compress: {name} has no library here; pip install tinybeam[compress]")
    if not listed:
        raise ConfigError("compress: codings is empty; name one, or leave the plug out")
    return {name: CODINGS[name] for name in listed}


class Compress:
    """The plug; `compress` makes it."""

    def __init__(self, body_bytes_min: int, types: MediaTypes, codings: Mapping[str, Coding]) -> None:
        self._body_bytes_min = body_bytes_min
        self._types = types
        self._codings = codings
        self._offered = tuple(codings)
        self._offered_small = tuple(name for name, coding in codings.items() if coding.is_small)

    def __call__(self, request: Request) -> Request:
        """Sees to it that the answer will be looked at."""
        request.before_send(partial(self._compressed, request))
        return request

    def _compressed(self, request: Request, response: Response) -> Response:
        if not self._is_compressible(response):
            return response
        _add_vary(response)
        lasting = response.source is not None and (response.header("Content-Type") or "").startswith(_EVENT_STREAM)
        name, required = choose_coding(
            request.headers.get("accept-encoding"), self._offered_small if lasting else self._offered
        )
        length = len(response.body) if response.source is None else response.length
        if name is None or (length is not None and length < self._body_bytes_min and not required):
            return response
        coding = self._codings[name]
        if response.source is not None:
            response.encoder = PartsEncoder(coding.begin(coding.level, lasting), response.length)
            response.length = None
        else:
            octets = coding.whole(response.body, coding.level)
            if len(octets) >= len(response.body) and not required:
                return response
            response.replace_body(octets)
        _mark(response, name)
        return response

    def _is_compressible(self, response: Response) -> bool:
        """Whether any client would be sent this compressed, were it large enough."""
        if not has_body(response.status) or response.status == 206:
            return False
        if response.source is None and not response.body:
            return False
        fields = {name.lower(): value for name, value in response.headers}
        if "content-encoding" in fields or "content-range" in fields or not _DIGESTS.isdisjoint(fields):
            return False
        if "cache-control" in fields and "no-transform" in (response.header("Cache-Control") or "").lower():
            return False
        return fields.get("content-type", "") in self._types


def _add_vary(response: Response) -> None:
    value = response.header("Vary")
    names = [] if value is None else [name.strip(" \t").lower() for name in value.split(",")]
    if "*" not in names and "accept-encoding" not in names:
        response.set_header("Vary", f"{value}, Accept-Encoding" if value else "Accept-Encoding")


def _mark(response: Response, coding: str) -> None:
    response.add_header("Content-Encoding", coding)
    response.remove_header("Accept-Ranges")
    tag = response.header("ETag")
    if tag is not None and not tag.startswith("W/"):
        response.set_header("ETag", f"W/{tag}")
