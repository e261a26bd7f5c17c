"""The request target: one of four forms, which the method and the first octet tell apart.

Owns:  origin-form, absolute-form, authority-form and asterisk-form.
Knows: RFC 9112 section 3.2, RFC 3986 section 3.
Never: decodes, normalises or shortens a path: what the client wrote is what the router sees.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tinybeam.portable.authority import is_authority
from tinybeam.portable.refusal import Refused, Short

_PATH: Final = re.compile(rb"(?:[/A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*+")
_QUERY: Final = re.compile(rb"(?:[/?A-Za-z0-9\-._~!$&'()*+,;=:@\[\]{}|^`]|%[0-9A-Fa-f]{2})*+")
_AUTHORITY: Final = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+;=:\[\]%]*")
_SCHEME: Final = re.compile(rb"https?://", re.IGNORECASE)
_SCHEMES: Final = (b"http://", b"https://")
_HEX: Final = frozenset(b"0123456789ABCDEFabcdef")


class Target(NamedTuple):
    """`query` is None where there is no "?"; `prefix` is "http://authority" of an absolute-form, else empty."""

    path: bytes
    query: bytes | None
    prefix: bytes


def read_target(octets: bytes, at: int, stop: int, method: bytes) -> tuple[Target, int]:
    """The target that begins at `at`, and where the space behind it ends.

    Raises Refused, and Short when it is not whole before `stop`.
    """
    if at == stop:
        raise Short
    if method == b"CONNECT":
        end = _authority_end(octets, at, stop, port_required=True)
        return _plain(octets, at, end)
    if octets[at] == 0x2A:
        if method != b"OPTIONS":
            raise Refused(400, "the target '*' is only for OPTIONS (RFC 9112 §3.2.4)")
        return _plain(octets, at, _held(at + 1, stop))
    if octets[at] == 0x2F:
        path, query, end = _path_and_query(octets, at, stop)
        return Target(path, query, b""), end + 1
    return _absolute(octets, at, stop, method)


def _held(at: int, stop: int) -> int:
    if at >= stop:
        raise Short
    return at


def _plain(octets: bytes, at: int, end: int) -> tuple[Target, int]:
    if octets[end] != 0x20:
        raise Refused(400, "an octet that this target may not have (RFC 9112 §3.2)")
    return Target(octets[at:end], None, b""), end + 1


def _absolute(octets: bytes, at: int, stop: int, method: bytes) -> tuple[Target, int]:
    scheme = _SCHEME.match(octets, at, stop)
    if scheme is None:
        begun = octets[at : min(stop, at + 8)].lower()
        if len(begun) < 8 and any(one.startswith(begun) for one in _SCHEMES):
            raise Short
        raise Refused(400, "the target is neither a path nor an http URI (RFC 9112 §3.2)")
    end = _authority_end(octets, scheme.end(), stop, port_required=False)
    if octets[end] not in b"/? ":
        raise Refused(400, "an octet that no authority may have (RFC 3986 §3.2)")
    prefix = octets[at:end]
    path, query, end = _path_and_query(octets, end, stop)
    if not path:
        # RFC 9112 section 3.2.4: this is how a proxy is asked for the asterisk-form.
        path = b"*" if method == b"OPTIONS" and query is None else b"/"
    return Target(path, query, prefix), end + 1


def _authority_end(octets: bytes, at: int, stop: int, *, port_required: bool) -> int:
    """The first octet that cannot be of the authority that begins at `at`."""
    found = _AUTHORITY.match(octets, at, stop)
    assert found is not None
    end = _held(found.end(), stop)
    if octets[end] == 0x40:
        raise Refused(400, "user information in the target (RFC 9110 §4.2.4)")
    if not is_authority(found[0], port_required=port_required):
        raise Refused(400, "the target's host or port is not valid (RFC 9110 §4.2.1, RFC 9112 §3.2)")
    return end


def _path_and_query(octets: bytes, at: int, stop: int) -> tuple[bytes, bytes | None, int]:
    """Both, and where the space behind them stands."""
    end = _run(_PATH, octets, at, stop)
    path, query = octets[at:end], None
    if octets[end] == 0x3F:
        begin = end + 1
        end = _run(_QUERY, octets, begin, stop)
        query = octets[begin:end]
    if octets[end] != 0x20:
        why = "a fragment in the target (RFC 9112 §3.2)" if octets[end] == 0x23 else _NO_TARGET
        raise Refused(400, why)
    return path, query, end


_NO_TARGET: Final = "an octet that no target may have (RFC 9112 §3.2, RFC 3986 §3.3)"


def _run(pattern: re.Pattern[bytes], octets: bytes, at: int, stop: int) -> int:
    """Where a run of plain octets and whole percent-escapes ends."""
    found = pattern.match(octets, at, stop)
    assert found is not None
    end = _held(found.end(), stop)
    if octets[end] == 0x25:
        digits = octets[end + 1 : min(stop, end + 3)]
        if len(digits) < 2 and all(digit in _HEX for digit in digits):
            raise Short
        raise Refused(400, "'%' without two hex digits in the target (RFC 3986 §2.1)")
    return end
