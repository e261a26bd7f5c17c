"""Preconditions: whether what the client knows of a file is still so.

Owns:  the order in which the five fields count, and the reading of entity-tags.
Knows: RFC 9110 section 13; the file has an ETag, which is strong, and a date.
Never: takes a malformed field for a match: the file is sent once too often rather than too seldom.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tinybeam.files.asked import Asked
from tinybeam.files.date import read_date

_TAG: Final = re.compile(r'(W/)?("[^"]*")')
_BETWEEN: Final = re.compile(r"[, \t]*")


class Validators(NamedTuple):
    """What the file is now: its ETag with the quotes, and what Last-Modified says, which is never after now."""

    etag: str
    modified: int
    now: float


class Judged(NamedTuple):
    """The status: 200 to go on, 304 or 412; and whether a Range field counts."""

    status: int
    ranged: bool = False


def judge(asked: Asked, have: Validators) -> Judged:
    """Of a GET or HEAD, in the order of section 13.2.2."""
    if asked.lines("if-match"):
        if not _names(asked, "if-match", have.etag, strong=True):
            return Judged(412)
    elif (since := _date(asked, "if-unmodified-since", have.now)) is not None and have.modified > since:
        return Judged(412)
    if asked.lines("if-none-match"):
        if _names(asked, "if-none-match", have.etag, strong=False):
            return Judged(304)
    elif (since := _date(asked, "if-modified-since", have.now)) is not None and have.modified <= since:
        return Judged(304)
    # Only GET has ranges (section 14.2).
    return Judged(200, bool(not asked.head and asked.lines("range") and _is_of_this(asked, have)))


def _names(asked: Asked, name: str, etag: str, *, strong: bool) -> bool:
    """Whether the field names the file; "*" names every file that there is, and stands alone."""
    if asked.single(name) == "*":
        return True
    tags = (tag for line in asked.lines(name) for tag in _tags(line))
    return any(tag == etag and not (strong and weak) for weak, tag in tags)


def _tags(line: str) -> Iterator[tuple[bool, str]]:
    """The tags of a line, and whether each is weak. The first that is malformed ends it."""
    at, separated = 0, True
    while at < len(line):
        between = _BETWEEN.match(line, at)
        assert between is not None
        at, separated = between.end(), separated or "," in between[0]
        found = _TAG.match(line, at) if separated else None
        if found is None:
            return
        yield found[1] is not None, found[2]
        at, separated = found.end(), False


def _date(asked: Asked, name: str, now: float) -> int | None:
    """The date of a field; None when there is none, or more than one, or it is malformed: then it is ignored."""
    value = asked.single(name)
    return None if value is None else read_date(value, now)


def _is_of_this(asked: Asked, have: Validators) -> bool:
    """Whether If-Range holds: the client's part and ours are of the same octets (section 13.1.5)."""
    if not asked.lines("if-range"):
        return True
    value = asked.single("if-range") or ""
    found = _TAG.fullmatch(value)
    if found is not None:
        return found[1] is None and found[2] == have.etag
    # While its second lasts, a file can change and keep its date (section 8.8.2.2).
    return read_date(value, have.now) == have.modified and have.modified + 1 <= int(have.now)
