"""The part of a client that is the same with a socket and without one: the making of a request.

Owns: the methods that tests call, and what they add to a request: target, content type, content length.
Knows: the form of a request target (RFC 9112 §3.2) and of a header field (RFC 9110 §5).
Never: sends anything; that is `exchange`, in the two kinds of client.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack
from urllib.parse import quote, urlencode

import msgspec

from tinybeam.http import is_token
from tinybeam.testing.reply import Reply

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]
Query = Mapping[str, object] | Iterable[tuple[str, object]]
Fields = list[tuple[str, str]]

# RFC 3986 §3.3 and §3.4: what a path and a query may hold as it is. "%" is here because a caller may have encoded.
_TARGET_SAFE = "/?%:@!$&'()*+,;=-._~"
_PERCENT_ALONE = re.compile("%(?![0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(r"(https?://[^/?#]*)?(.*)", re.IGNORECASE | re.DOTALL)
_VALUE = re.compile("[\t\x20-\x7e\x80-\xff]*")


class Extras(TypedDict, total=False):
    """What every method takes besides the path."""

    headers: Pairs
    body: str | bytes | None
    json: Any
    query: Query | None


class Client(ABC):
    """Makes requests. Not to be shared between threads; use one client for each."""

    host: str
    """The value of Host where a request names none."""

    @abstractmethod
    def exchange(self, method: str, target: str, fields: Fields, body: bytes) -> Reply:
        """Sends a request that is ready, and returns what came back."""

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Pairs = (),
        body: str | bytes | None = None,
        json: Any = msgspec.UNSET,
        query: Query | None = None,
    ) -> Reply:
        """Makes a request; redirects are not followed, cookies not kept.

        `method` is upper-cased. `path` may hold a query, and characters that a target cannot hold are percent-encoded.
        `query` is added to it; a value that is a list makes several parameters. A `body` that is a str goes as UTF-8
        text/plain, `json` as application/json, unless `headers` has a Content-Type; bytes go without one. Raises
        ValueError for what no HTTP message can say, and TypeError for both a body and json.
        """
        fields = _checked(headers)
        names = {name.lower() for name, _ in fields}
        content_type, octets = _encode(body, json)
        if content_type and "content-type" not in names:
            fields.append(("Content-Type", content_type))
        method = method.upper()
        if not is_token(method):
            raise ValueError(f"{method!r} is no method: it must be a token (RFC 9110 §9.1)")
        if octets is None and method in ("POST", "PUT", "PATCH"):
            octets = b""
        if octets is not None and "content-length" not in names:
            fields.append(("Content-Length", str(len(octets))))
        if "host" not in names:
            fields.insert(0, ("Host", self.host))
        return self.exchange(method, make_target(method, path, query), fields, octets or b"")

    def get(self, path: str, **extras: Unpack[Extras]) -> Reply:
        """`request("GET", path, ...)`; so it is for the methods below."""
        return self.request("GET", path, **extras)

    def head(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("HEAD", path, **extras)

    def post(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("POST", path, **extras)

    def put(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("PUT", path, **extras)

    def patch(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("PATCH", path, **extras)

    def delete(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("DELETE", path, **extras)

    def options(self, path: str, **extras: Unpack[Extras]) -> Reply:
        return self.request("OPTIONS", path, **extras)


def make_target(method: str, path: str, query: Query | None = None) -> str:
    """The request target (RFC 9112 §3.2) of a path and a query. Raises ValueError when the path is none.

    >>> make_target("GET", "/naïve path?a=1", {"tag": ["x", "y"]})
    '/na%C3%AFve%20path?a=1&tag=x&tag=y'
    """
    if method == "CONNECT" or (method == "OPTIONS" and path == "*"):
        return path
    matched = _ABSOLUTE.fullmatch(path)
    prefix, rest = (matched[1] or "", matched[2]) if matched else ("", path)
    if not prefix and not rest.startswith("/"):
        raise ValueError(f"the path {path!r} must begin with a slash")
    target = prefix + quote(_PERCENT_ALONE.sub("%25", rest), safe=_TARGET_SAFE)
    more = urlencode(query, doseq=True) if query else ""  # type: ignore[arg-type]
    if not more:
        return target
    return f"{target}{'&' if '?' in target else '?'}{more}"


def _checked(headers: Pairs) -> Fields:
    """The header fields as pairs. Raises ValueError for a name or a value that would break its line."""
    fields = list(headers.items() if isinstance(headers, Mapping) else headers)
    for name, value in fields:
        if not is_token(name):
            raise ValueError(f"header {name!r}: a name must be a token (RFC 9110 §5.1)")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"header {name}: {value!r} has characters that no value may have (RFC 9110 §5.5)")
    return fields


def _encode(body: str | bytes | None, json: Any) -> tuple[str, bytes | None]:
    """The content type, if the body implies one, and the octets, None when there is no body at all."""
    if json is not msgspec.UNSET:
        if body is not None:
            raise TypeError("give body or json, not both")
        return "application/json", msgspec.json.encode(json)
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return "", body
