"""Media types that are worth compressing.

Owns:  the list of those, the patterns that it is written in, and the list of those that are compressed already.
Knows: the grammar of a media type (RFC 9110 section 8.3.1) and its structured suffixes (RFC 6839).
Never: a look at the body.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from tinybeam.errors import ConfigError

# "*" stands for any characters; octets of no known kind may be anything, and are not among them.
TYPES: Final = (
    "text/*",
    "*/*+json",
    "*/*+xml",
    "*/*+yaml",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/ndjson",
    "application/rtf",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/collection",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/vnd.microsoft.icon",
    "image/x-icon",
)

# What no pattern means; a type that is named in full is taken at its word.
_COMPRESSED: Final = re.compile(
    r"(?:audio|video)/.*"
    r"|image/(?!svg\+xml$|bmp$|x-icon$|vnd\.microsoft\.icon$).*"
    r"|font/woff2?"
    r"|[^/]*/.*\+(?:zip|gzip|zstd)"
    r"|application/(?:font-woff2?|gzip|java-archive|pdf|vnd\.(?:rar|openxmlformats-officedocument\..*)|x-7z-compressed"
    r"|x-bzip2?|x-gzip|x-rar-compressed|x-xz|zip|zstd)"
)
_PATTERN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]+/[!#$%&'*+\-.^_`|~0-9a-z]+")


class MediaTypes:
    """Those that some patterns mean. Raises ConfigError for what is no pattern.

    >>> types = MediaTypes(("text/*", "image/*"))
    >>> [one in types for one in ("text/html; charset=utf-8", "image/svg+xml", "image/png", "")]
    [True, True, False, False]
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        if isinstance(patterns, str):
            raise ConfigError(f"types= takes a list of media types, such as [{patterns!r}]")
        named, meant = set(), []
        for pattern in patterns:
            text = pattern.lower() if isinstance(pattern, str) else ""
            if not _PATTERN.fullmatch(text):
                raise ConfigError(f"types=: {pattern!r} is no media type, such as 'text/html' or 'text/*'")
            if "*" in text:
                meant.append(".*".join(re.escape(piece) for piece in text.split("*")))
            else:
                named.add(text)
        self._named = frozenset(named)
        self._meant = re.compile("|".join(meant)) if meant else None
        # By the whole value of the field, of which a program has few.
        self._look = lru_cache(maxsize=64)(self._contains)

    def __contains__(self, content_type: str) -> bool:
        return self._look(content_type)

    def _contains(self, content_type: str) -> bool:
        kind = content_type.partition(";")[0].strip(" \t").lower()
        if kind in self._named:
            return True
        if self._meant is None or _COMPRESSED.fullmatch(kind):
            return False
        return self._meant.fullmatch(kind) is not None
