"""The head of a request, read strictly: what h11 would let pass and the native engine does not is refused here.

Owns:  the request line, the field lines, and the limits around both.
Knows: RFC 9112 sections 2, 3 and 5; target.py and framing.py for the rest of the head.
Never: goes back: the first octet that is wrong decides, so a cut input and a whole one get the same verdict.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tinybeam.config import Config
from tinybeam.portable.framing import Framing
from tinybeam.portable.refusal import Refused, Short
from tinybeam.portable.target import Target, read_target

# RFC 9112 section 2.2 asks for at least one empty line to be ignored; who sends more than two is no client.
_EMPTY_LINES_MAX: Final = 2
# Longer than any registered method (RFC 9112 section 3: SHOULD be 501).
_METHOD_BYTES_MAX: Final = 32
_METHOD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]*+")
_VERSION: Final = re.compile(rb"HTTP/(\d)\.(\d)\r\n")
_VERSION_FORM: Final = b"HTTP/0.0\r\n"
_FIELD: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):([\t\x20-\x7e\x80-\xff]*+)\r\n")
_VALUE: Final = re.compile(rb"[\t\x20-\x7e\x80-\xff]*+")


class Head(NamedTuple):
    """A head that may be served. `octets` are its own, for h11; `end` is where it ended in what was given."""

    method: bytes
    target: Target
    http10: bool
    framing: Framing
    octets: bytes
    end: int

    @property
    def safe(self) -> bool:
        """Whether it may run beside others of its connection (RFC 9112 section 9.3.2)."""
        return self.method in (b"GET", b"HEAD", b"OPTIONS")


def read_head(octets: bytes, config: Config) -> Head | None:
    """The head that these octets begin with; None when it is not whole yet. Raises Refused."""
    try:
        at = _skip_empty_lines(octets)
    except Short:
        return None
    stop = min(len(octets), at + config.request_line_bytes_max + 2)
    try:
        method, target, minor, after = _read_line(octets, at, stop)
    except Short:
        if stop < len(octets):
            raise Refused(414, "the request line is too long (RFC 9112 §3)") from None
        return None
    stop = min(len(octets), after + config.header_bytes_max + 2)
    framing = Framing(http10=minor == 0)
    try:
        end = _read_fields(octets, after, stop, config.header_fields_max, framing)
    except Short:
        if stop < len(octets):
            raise Refused(431, "the header section is too large (RFC 9110 §5.4)") from None
        return None
    framing.judge()
    return Head(method, target, minor == 0, framing, octets[at:end], end)


def _skip_empty_lines(octets: bytes) -> int:
    at = 0
    while octets[at : at + 1] == b"\r":
        if at == 2 * _EMPTY_LINES_MAX:
            raise Refused(400, "too many empty lines before the request line (RFC 9112 §2.2)")
        if at + 1 == len(octets):
            raise Short
        if octets[at + 1] != 0x0A:
            raise Refused(400, "bare CR before the request line (RFC 9112 §2.2)")
        at += 2
    return at


def _read_line(octets: bytes, at: int, stop: int) -> tuple[bytes, Target, int, int]:
    """The method, the target, the minor version, and where the line ends."""
    found = _METHOD.match(octets, at, min(stop, at + _METHOD_BYTES_MAX + 1))
    assert found is not None
    method, end = found[0], found.end()
    if len(method) > _METHOD_BYTES_MAX:
        raise Refused(501, "a method longer than any that is implemented (RFC 9112 §3)")
    if end == stop:
        raise Short
    if octets[end] != 0x20 or not method:
        raise Refused(400, "the method is not a token and a space (RFC 9112 §3.1)")
    target, end = read_target(octets, end + 1, stop, method)
    version = _VERSION.match(octets, end, stop)
    if version is None:
        rest = octets[end : min(stop, end + len(_VERSION_FORM))]
        if re.sub(rb"\d", b"0", rest) == _VERSION_FORM[: len(rest)] and len(rest) < len(_VERSION_FORM):
            raise Short
        raise Refused(400, "the request line does not end with a version (RFC 9112 §2.3, §3)")
    if version[1] != b"1":
        raise Refused(505, "a major version other than 1 (RFC 9112 §2.3)")
    return method, target, int(version[2] != b"0"), version.end()


def _read_fields(octets: bytes, at: int, stop: int, fields_max: int, framing: Framing) -> int:
    """Notes every field line, and gives where the empty line behind them ends."""
    count = 0
    while at < stop and octets[at] != 0x0D:
        if count == fields_max:
            raise Refused(431, "too many fields (RFC 9110 §5.4)")
        found = _FIELD.match(octets, at, stop)
        if found is None:
            refuse_line(octets, at, stop)
            raise Short
        framing.note(found[1].lower(), found[2].strip(b" \t"))
        at = found.end()
        count += 1
    if stop - at < 2:
        raise Short
    if octets[at + 1] != 0x0A:
        raise Refused(400, "a line begins with a bare CR (RFC 9112 §2.2)")
    return at + 2


def refuse_line(octets: bytes, at: int, stop: int) -> None:
    """Raises Refused for the first octet that is wrong in a field line; returns when it is merely not whole."""
    name = _METHOD.match(octets, at, stop)
    assert name is not None
    end = name.end()
    if end == stop:
        return
    if octets[end] != 0x3A or end == at:
        raise Refused(400, _why_no_name(octets[end], empty=end == at))
    value = _VALUE.match(octets, end + 1, stop)
    assert value is not None
    end = value.end()
    if end == stop or (octets[end] == 0x0D and end + 1 == stop):
        return
    if octets[end] == 0x0D:
        raise Refused(400, "bare CR in a field line (RFC 9112 §2.2)")
    if octets[end] == 0x0A:
        raise Refused(400, "bare LF ends a line (RFC 9112 §2.2)")
    raise Refused(400, "control character in a field value (RFC 9110 §5.5)")


def _why_no_name(octet: int, *, empty: bool) -> str:
    if octet in b" \t":
        if empty:
            return "a field line begins with whitespace (RFC 9112 §2.2, §5.2)"
        return "whitespace between field name and colon (RFC 9112 §5.1)"
    if octet == 0x0A and empty:
        return "bare LF ends a line (RFC 9112 §2.2)"
    if octet in b"\r\n":
        return "a field line has no colon (RFC 9112 §5)"
    return "a field name is not a token (RFC 9110 §5.1)"
