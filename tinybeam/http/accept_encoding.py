"""Which content coding a client gets: Accept-Encoding, read (RFC 9110 section 12.5.3).

Owns:  its grammar, and the choice.
Knows: that no coding at all, "identity", is acceptable unless it is refused.
Never: an error: what cannot be read of the field counts for nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

_ELEMENT: Final = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
_SAME: Final = {"x-gzip": "gzip"}  # section 8.4.1.3
_KEPT_LENGTH_MAX: Final = 200


class Choice(NamedTuple):
    """`coding` is the name of one, or None for none; `required` says that the client refuses what has none."""

    coding: str | None
    required: bool = False


def choose(accepted: str | None, offered: tuple[str, ...]) -> Choice:
    """What the client likes best of these; of those that it likes as much, the one that is offered first.

    A client that does not send the field gets no coding: many of them could not undo one.

    >>> choose("gzip, br;q=0.8", ("br", "gzip")), choose("gzip, br", ("br", "gzip"))
    (Choice(coding='gzip', required=False), Choice(coding='br', required=False))
    >>> choose("*;q=0.1, identity;q=0", ("gzip",)), choose("identity, gzip;q=0.5", ("gzip",))
    (Choice(coding='gzip', required=True), Choice(coding=None, required=False))
    """
    if accepted is None:
        return Choice(None)
    if len(accepted) > _KEPT_LENGTH_MAX:
        return _chosen(accepted, offered)
    return _kept(accepted, offered)


def _chosen(accepted: str, offered: tuple[str, ...]) -> Choice:
    weights = _weights(accepted)
    others = weights.get("*", 0.0)
    best, weight = None, 0.0
    for name in offered:
        own = weights.get(name, others)
        if own > weight:
            best, weight = name, own
    identity = weights.get("identity", weights.get("*"))
    if identity == 0.0:
        return Choice(best, required=best is not None)
    if identity is not None and identity > weight:
        return Choice(None)
    return Choice(best)


_kept = lru_cache(maxsize=256)(_chosen)


def _weights(accepted: str) -> dict[str, float]:
    """The weight of each name. The lowest of one that comes twice: it may be a refusal."""
    weights: dict[str, float] = {}
    for element in accepted.split(","):
        matched = _ELEMENT.fullmatch(element.strip(" \t"))
        if matched is not None:
            name = matched[1].lower()
            name = _SAME.get(name, name)
            weight = 1.0 if matched[2] is None else float(matched[2])
            weights[name] = min(weight, weights.get(name, 1.0))
    return weights
