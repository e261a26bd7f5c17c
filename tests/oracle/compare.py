"""Two readings of the same octets, held against each other.

Owns:  what counts as the same reading, which of the two refuses, and whether the other one ever would.
Knows: that a refusal ends a reading, so what comes behind it does not count.
Never: forgives a difference in what both have accepted, but for what the table says is told differently.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from disagreements import H11, NOBODY, TABLE, WE, Row
from readings import Message, Pieces, Reading, read_by_h11

# What may come next, where h11 waits: enough to end a line and its section, or a body.
_ENDINGS = (
    b"\r\n\r\n",
    b"\n\r\n",
    b"\r\nHost: a\r\n\r\n",
    b"\nHost: a\r\n\r\n",
    b": a\r\nHost: a\r\n\r\n",
    b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"0\r\n\r\n",
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """`who` refuses and says `why`, or nobody does; `begin` is where the message begins that is read in two ways.

    `later` is whether the other one refuses it too, as soon as there is a whole line or section to look at.
    """

    who: str
    why: str
    begin: int = 0
    later: bool = False


def difference(ours: Reading, theirs: Reading, later: Callable[[], bool]) -> Difference | None:
    """None when both readings are the same. `later` is asked only if we refuse what h11 may still be waiting for."""
    both = min(len(ours.requests), len(theirs.requests))
    for own, other in zip(ours.requests, theirs.requests, strict=False):
        if not same(own, other):
            return Difference(NOBODY, f"the same request is read as {own} and as {other}")
    if _closes(ours, both) or _closes(theirs, both):
        return _difference_of_closing(ours, theirs, both)
    begin = ours.stops[both - 1] if both else 0
    ours_refused = ours.end == "refused" and len(ours.requests) == both
    theirs_refused = theirs.end == "refused" and len(theirs.requests) == both
    if ours_refused and theirs_refused:
        return None
    if ours_refused:
        waits = len(theirs.requests) == both and (theirs.cut_off is None or ours.cut_off is not None)
        return Difference(WE, ours.why, begin, waits and later())
    if theirs_refused:
        return Difference(H11, theirs.why, begin)
    if len(ours.requests) != len(theirs.requests):
        return Difference(NOBODY, f"requests: {len(ours.requests)} and {len(theirs.requests)}", begin)
    if ours.cut_off is None or theirs.cut_off is None:
        agreed = ours.cut_off is theirs.cut_off
    else:
        agreed = same(ours.cut_off, theirs.cut_off, whole=False)
    return None if agreed else Difference(NOBODY, f"cut off: {ours.cut_off} and {theirs.cut_off}", begin)


def refuses_later(pieces: Pieces) -> bool:
    """Whether h11, which waits for more, refuses the connection however it goes on."""
    reached = _reach(read_by_h11(pieces))
    endings = (read_by_h11([*pieces, ending]) for ending in _ENDINGS)
    return all(reading.end == "refused" and _reach(reading) == reached for reading in endings)


def row_of(found: Difference, octets: bytes, table: Sequence[Row] = TABLE) -> Row | None:
    """The row that explains a difference: the same side says the same thing, and the octets show it."""
    rest = octets[found.begin :]
    return next(
        (
            row
            for row in table
            if (row.who, row.later) == (found.who, found.later)
            and found.why.startswith(row.why)
            and row.shows.search(rest)
        ),
        None,
    )


def same(own: Message, other: Message, *, whole: bool = True) -> bool:
    """Whether both tell the same request; its trailers are compared only when it is whole."""
    return normal(own, whole=whole) == normal(other, whole=whole)


def normal(message: Message, *, whole: bool = True) -> Message:
    """Without what the two tell differently and mean the same by (disagreements.SAME_MEANING)."""
    fields = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in message.fields]
    version = b"1.0" if message.version == b"1.0" else b"1.1"
    has_body = any(name == b"transfer-encoding" or (name == b"content-length" and int(value)) for name, value in fields)
    return dataclasses.replace(
        message,
        fields=fields,
        version=version,
        continues=message.continues and has_body,
        trailers=message.trailers if whole else [],
    )


def _reach(reading: Reading) -> tuple[int, int]:
    """How many messages were read, and how much of the body of another one; -1 where its head was not."""
    return len(reading.requests), -1 if reading.cut_off is None else len(reading.cut_off.body)


def _closes(reading: Reading, after: int) -> bool:
    """Whether the connection ends by agreement after so many requests."""
    return reading.end == "close" and len(reading.requests) == after


def told_differently(ours: Reading, theirs: Reading) -> set[str]:
    """The keys of SAME_MEANING that two readings, which are the same, need to be so."""
    told = {"close"} if ours.end != theirs.end and theirs.end == "close" else set()
    for own, other in zip(ours.requests, theirs.requests, strict=False):
        told |= {name for name in ("version", "fields", "continues") if getattr(own, name) != getattr(other, name)}
    return told


def _difference_of_closing(ours: Reading, theirs: Reading, both: int) -> Difference | None:
    if ours.end == theirs.end and len(ours.requests) == len(theirs.requests):
        return None
    if _closes(theirs, both) and not _closes(ours, both) and theirs.requests[-1].version == b"1.0":
        return None  # One of SAME_MEANING: h11 keeps no connection of HTTP/1.0.
    return Difference(NOBODY, f"it ends as {ours.end} after {len(ours.requests)}, {theirs.end} after {both}")
