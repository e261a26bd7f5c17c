"""Two readings of the same octets, held against each other.

Owns:  what counts as the same reading, and which row of the table a difference belongs to.
Knows: that a refusal ends a reading, so what comes behind it does not count.
Never: forgives a difference in what both have accepted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from disagreements import H11, TABLE, WE, Row
from readings import Message, Reading


def difference(ours: Reading, theirs: Reading) -> tuple[str, str] | None:
    """None when both readings are the same; else who refuses and what it says, or ("", what differs)."""
    both = min(len(ours.requests), len(theirs.requests))
    for own, other in zip(ours.requests, theirs.requests, strict=False):
        if _normal(own) != _normal(other):
            return "", f"the same request is read as {own} and as {other}"
    ours_refused = ours.end == "refused" and len(ours.requests) == both
    theirs_refused = theirs.end == "refused" and len(theirs.requests) == both
    if ours_refused and theirs_refused:
        return None
    if ours_refused:
        return WE, ours.why
    if theirs_refused:
        return H11, theirs.why
    if len(ours.requests) == len(theirs.requests) and ours.end == theirs.end:
        return None
    shorter = theirs if len(theirs.requests) == both else ours
    if shorter is theirs and theirs.end == "close" and theirs.requests and theirs.requests[-1].version == b"1.0":
        return None  # h11 keeps no connection of HTTP/1.0
    return "", f"it ends as {ours.end} after {len(ours.requests)} and as {theirs.end} after {len(theirs.requests)}"


def row_of(who: str, why: str, table: Sequence[Row] = TABLE) -> Row | None:
    """The row that explains a difference."""
    return next((row for row in table if row.who == who and why.startswith(row.why)), None)


def _normal(message: Message) -> Message:
    """As h11 tells it, but for what the two are known to tell differently."""
    fields = [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in message.fields]
    version = b"1.0" if message.version == b"1.0" else b"1.1"
    return dataclasses.replace(message, fields=fields, version=version)
