"""The header fields that a handler may send: checked once, then written as octets.

Owns:  which names and values may go out, and their form on the border ("Name: value" CR LF per field).
Knows: RFC 9110 section 5 (names are tokens, values have no control characters), and which fields the engine writes.
Never: a field that lets a value end its own line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Pairs = Mapping[str, str] | Iterable[tuple[str, str]]

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile("[\t\x20-\x7e\x80-\xff]*")
_ENGINES_OWN = frozenset({"connection", "content-length", "date", "keep-alive", "transfer-encoding"})


def is_token(text: str) -> bool:
    """Whether the text is a token (RFC 9110 section 5.6.2): what a method or a field name is made of.

    >>> is_token("GET"), is_token("two words"), is_token("")
    (True, False, False)
    """
    return _TOKEN.fullmatch(text) is not None


def is_value(text: str) -> bool:
    """Whether the text may be a field's value (RFC 9110 section 5.5): Latin-1 without control characters but tab."""
    return _VALUE.fullmatch(text) is not None


def checked_field(name: str, value: str) -> tuple[str, str]:
    """The pair with spaces trimmed off its value; the case of the name is kept.

    Raises ValueError, naming the field, for a name that is not a token, a value with control characters or beyond
    Latin-1, and for a field that the engine writes itself; TypeError for anything but two strings.
    """
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"header {name!r}: the name and the value must be str, not {value!r}")
    if not is_token(name):
        raise ValueError(f"header {name!r}: a header name must be a token, such as X-Request-Id (RFC 9110 section 5.1)")
    if name.lower() in _ENGINES_OWN:
        raise ValueError(f"header {name}: the engine writes this field itself; leave it out")
    if not is_value(value):
        raise ValueError(
            f"header {name}: {value!r} has control characters (such as CR, LF or NUL) or characters beyond Latin-1; "
            "encode it first (RFC 9110 section 5.5)"
        )
    return name, value.strip(" \t")


def checked_fields(headers: Pairs, body_bytes: int) -> list[tuple[str, str]]:
    """All pairs, checked. A Content-Length equal to `body_bytes` is dropped: the engine says it too."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    checked = []
    for name, value in pairs:
        if isinstance(name, str) and name.lower() == "content-length" and str(value) == str(body_bytes):
            continue
        checked.append(checked_field(name, value))
    return checked


def field_octets_of(headers: Pairs) -> bytes:
    """The octets of headers that are checked here. Raises what `checked_field` raises."""
    return field_octets(checked_fields(headers, -1))


def field_octets(pairs: Iterable[tuple[str, str]]) -> bytes:
    r"""Checked pairs in the form that the engine takes.

    >>> field_octets([("Allow", "GET"), ("X-Id", "7")])
    b'Allow: GET\r\nX-Id: 7\r\n'
    """
    return "".join([f"{name}: {value}\r\n" for name, value in pairs]).encode("latin-1")
