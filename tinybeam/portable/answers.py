"""The answers that Python hands over, read.

Owns:  the validation of a list of answer terms (native/include/tinybeam.h).
Knows: MessagePack through msgspec.
Never: takes a handle, or lets a field out that is not fit for the wire: its answer becomes a 500.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec

from tinybeam import contract
from tinybeam.errors import NativeError
from tinybeam.files import Cargo, Parcel
from tinybeam.http import (
    KIND_BYTES,
    KIND_CONTINUE,
    KIND_END,
    KIND_HINTS,
    KIND_HTML,
    KIND_JSON,
    KIND_LAST,
    KIND_PART,
    KIND_STREAM,
    KIND_TEXT,
    LENGTH_UNKNOWN,
)

_KINDS: Final = {
    KIND_TEXT: b"Content-Type: text/plain; charset=utf-8\r\n",
    KIND_JSON: b"Content-Type: application/json\r\n",
    KIND_BYTES: b"Content-Type: application/octet-stream\r\n",
    KIND_HTML: b"Content-Type: text/html; charset=utf-8\r\n",
}
# Every line is "name: value" and ends in CRLF, and there is no CR, LF or NUL elsewhere.
_FIELDS: Final = re.compile(rb"(?:[^:\r\n\x00]++:[^\r\n\x00]*+\r\n)*+")
_HANDLE_MOST: Final = (1 << 64) - 1
_decode: Final = msgspec.msgpack.Decoder(list[list[Any]]).decode


class Reply(NamedTuple):
    """An answer. With `wants_body` it is none yet: the body of an offered request, up to `body_bytes_max`. With
    `in_parts` it is the beginning of one, whose body will have `length` octets where that is known. With a `cargo` the
    body is that; to a HEAD `length` alone tells of it."""

    status: int
    fields: bytes = b""
    body: bytes = b""
    wants_body: bool = False
    body_bytes_max: int = 0
    in_parts: bool = False
    length: int | None = None
    cargo: Cargo | None = None

    @property
    def body_bytes(self) -> int:
        """How long the body is, whether or not it is sent."""
        return len(self.body) if self.length is None else self.length


class Part(NamedTuple):
    """What goes to a stream, or ahead of an answer: `kind` is one of KIND_PART to KIND_LAST."""

    handle: int
    kind: int
    octets: bytes


_SPOILT: Final = Reply(500)


def plain_reply(status: int, text: str = "") -> Reply:
    """An answer of our own: a line of text."""
    return Reply(status, _KINDS[KIND_TEXT], text.encode())


def as_reply(parcel: Parcel) -> Reply:
    """The answer that a file has come to."""
    return Reply(parcel.status, parcel.fields, parcel.content, length=parcel.length, cargo=parcel.cargo)


def fields_are_fit(fields: bytes) -> bool:
    """Whether these field lines may go on the wire."""
    return _FIELDS.fullmatch(fields) is not None


def part_of(handle: int, kind: int, octets: bytes) -> Part | None:
    """A part; None when there is no such kind of one."""
    if not KIND_PART <= kind <= KIND_LAST:
        return None
    fit = kind not in (KIND_END, KIND_HINTS) or fields_are_fit(octets)
    return Part(handle, kind, octets if fit else b"")


def read_answers(octets: bytes) -> list[Part | tuple[int, Reply]]:
    """Parts, and pairs of a handle and its answer. Raises NativeError with ETERM when they are no terms: then none
    counts."""
    try:
        return [_read(term) for term in _decode(octets)]
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise NativeError(f"the answers are not well-formed terms: {error}", contract.ETERM) from error


def _read(term: list[Any]) -> Part | tuple[int, Reply]:
    if len(term) == 5:
        return _read_beginning(*term)
    if len(term) == 3:
        handle, kind, body = term
        fields: Any = None
    else:
        handle, kind, fields, body = term
    if not (_is_whole(handle) and _is_whole(kind)):
        raise ValueError("a handle or a status is no number")
    if len(term) == 4:
        octets = _octets(fields)
        fit = (200 <= kind <= 599 or kind == 101) and fields_are_fit(octets)
        return handle, Reply(kind, octets, _octets(body)) if fit else _SPOILT
    if kind == KIND_CONTINUE:
        if not _is_whole(body):
            raise ValueError("the length of a body is no number")
        return handle, Reply(100, wants_body=True, body_bytes_max=body)
    content_type = _KINDS.get(kind)
    if content_type is not None:
        return handle, Reply(200, content_type, _octets(body))
    return part_of(handle, kind, _octets(body)) or (handle, _SPOILT)


def _read_beginning(handle: Any, kind: Any, status: Any, fields: Any, length: Any) -> tuple[int, Reply]:
    """Of an answer whose body comes in parts."""
    if not (_is_whole(handle) and kind == KIND_STREAM and _is_whole(status) and _is_whole(length)):
        raise ValueError("no beginning of an answer")
    octets = _octets(fields)
    if not (200 <= status <= 599 and fields_are_fit(octets)):
        return handle, _SPOILT
    return handle, Reply(status, octets, in_parts=True, length=None if length == LENGTH_UNKNOWN else length)


def _is_whole(value: object) -> bool:
    return type(value) is int and 0 <= value <= _HANDLE_MOST


def _octets(value: object) -> bytes:
    """A body or fields: bin, str or nil."""
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    if not isinstance(value, str):
        raise ValueError("a body or fields are no octets")
    return value.encode()
