"""The Range field against a length: which octets are meant.

Owns:  the grammar of bytes ranges, and the bound on how many parts an answer has.
Knows: RFC 9110 sections 14.1.2 and 14.2, and that many small or overlapping ranges are an attack or a mistake.
Never: gives an octet twice, or one that the file has not.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

PARTS_MAX: Final = 16

_UNIT: Final = "bytes="
_SPEC: Final = re.compile(r"([0-9]*)-([0-9]*)")
# A number with more digits than this has is this one: it is larger than any length, and not worth being made.
_NUMBER_MAX: Final = (1 << 64) - 1
_DIGITS_MAX: Final = 20


class Span(NamedTuple):
    """Octets of a file: never none."""

    first: int
    octets: int


def read_ranges(value: str, length: int) -> list[Span] | None:
    """What is to be sent of a file of this length; nothing when the file has none of it (416), and None when the field
    is to be ignored: it is malformed, of another unit, or names more than PARTS_MAX ranges.

    Ranges that overlap or touch become one, in the place of the first of them: what is sent is never more than the
    file.

    >>> read_ranges("bytes=0-1,-2", 10), read_ranges("bytes=10-", 10), read_ranges("lines=1", 10)
    ([Span(first=0, octets=2), Span(first=8, octets=2)], [], None)
    """
    # An empty file has no range that Content-Range could name (section 14.4).
    if length == 0 or value[: len(_UNIT)].lower() != _UNIT:
        return None
    # A list may have empty elements (section 5.6.1).
    specs = [spec for one in value[len(_UNIT) :].split(",") if (spec := one.strip(" \t"))]
    if not 0 < len(specs) <= PARTS_MAX:
        return None
    spans: list[Span] = []
    for spec in specs:
        found = _SPEC.fullmatch(spec)
        span = None if found is None else _span_of(found[1], found[2], length)
        if span is None:
            return None
        if span.octets:
            spans.append(span)
    return _joined(spans)


def _span_of(first: str, last: str, length: int) -> Span | None:
    """One range, cut to the length; empty when no octet of the file is in it, None when it is malformed."""
    if not first:
        octets = min(_number(last), length)
        return Span(length - octets, octets) if last else None
    begin = _number(first)
    end = _number(last) if last else length - 1
    if last and end < begin:
        return None
    return Span(begin, min(end, length - 1) - begin + 1) if begin < length else Span(0, 0)


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return _NUMBER_MAX if len(significant) > _DIGITS_MAX else min(int(significant or "0"), _NUMBER_MAX)


def _joined(spans: list[Span]) -> list[Span]:
    """Each takes in those after it that it touches, until none does."""
    left = list(spans)
    joined = []
    while left:
        span = left.pop(0)
        while (index := next((i for i, other in enumerate(left) if _touch(span, other)), None)) is not None:
            other = left.pop(index)
            first = min(span.first, other.first)
            span = Span(first, max(span.first + span.octets, other.first + other.octets) - first)
        joined.append(span)
    return joined


def _touch(left: Span, right: Span) -> bool:
    return left.first <= right.first + right.octets and right.first <= left.first + left.octets
