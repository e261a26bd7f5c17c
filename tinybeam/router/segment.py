"""The kinds of path parameter: what text of a segment each takes, and the value it makes of it.

Owns:  the converters and their precedence.
Knows: a segment is already percent-decoded, and never None.
Never: an error for text that does not fit: the route does not match, that is all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

_NEGATIVE = re.compile(r"-[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,19}(?:\.[0-9]{1,40})?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Convert = Callable[[str], Any]


def to_str(segment: str) -> str | None:
    """One segment that is not empty."""
    return segment or None


def to_int(segment: str) -> int | None:
    """A decimal number of at most 19 ASCII digits, "-" before it or not; leading zeros are taken.

    >>> to_int("42"), to_int("-007"), to_int("+1"), to_int("4_2"), to_int("٤٢"), to_int("9" * 20)
    (42, -7, None, None, None, None)
    """
    # At most 19, because more would make int() slow for a client's pleasure, and no database has such a key.
    if segment.isdecimal() and len(segment) <= 19 and segment.isascii():
        return int(segment)
    return int(segment) if _NEGATIVE.fullmatch(segment) else None


def to_float(segment: str) -> float | None:
    """A finite decimal without an exponent: at most 19 digits, and 40 behind the point.

    >>> to_float("2.50"), to_float("-3"), to_float("1e5"), to_float("nan"), to_float(".5")
    (2.5, -3.0, None, None, None)
    """
    return float(segment) if _FLOAT.fullmatch(segment) else None


def to_uuid(segment: str) -> UUID | None:
    """A UUID in its 8-4-4-4-12 form (RFC 9562 section 4), in either case."""
    return UUID(segment) if _UUID.fullmatch(segment) else None


# In order of precedence: what takes less comes first. No two kinds are equal, so no two routes can tie.
CONVERTERS: dict[str, Convert] = {"uuid": to_uuid, "int": to_int, "float": to_float, "str": to_str}

# The kind that takes all that is left of the path; it has no converter, because it takes more than a segment.
PATH = "path"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a pattern: a literal, whose kind is "", or a parameter, whose text is its name."""

    text: str
    kind: str = ""
