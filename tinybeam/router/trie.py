"""The tree of segments that finds a route, at a cost that depends on the path and not on how many routes there are.

Owns:  the nodes, and the walk with its precedence and its backtracking.
Knows: literals come before parameters, and parameters in the order of `CONVERTERS`, then the rest of the path.
Never: percent-decoding; it is given decoded segments.
"""

from __future__ import annotations

from typing import Any

from tinybeam.router.call import Guard
from tinybeam.router.route import Endpoint
from tinybeam.router.segment import CONVERTERS, PATH, Convert, Segment

# What answers, and the values of its path's parameters in the order of the path.
Match = tuple[Endpoint, tuple[Any, ...]]


class Node:
    """What may follow one prefix of patterns. A node is reached by one way only, so a walk visits it at most once."""

    __slots__ = ("branches", "candidates", "depth", "endpoint", "forks", "literals", "rest", "sole")

    def __init__(self, depth: int = 0) -> None:
        # How many segments lead here, which is the index of the segment to look at.
        self.depth = depth
        self.literals: dict[str, Node] = {}
        # By kind, in order of precedence.
        self.branches: dict[str, tuple[Convert, Node]] = {}
        # Where the path may go on in any way; a leaf.
        self.rest: Node | None = None
        # The one branch, where nothing else than it and literals can follow.
        self.sole: tuple[Convert, Node] | None = None
        # Whether a segment that is one of the literals could be something else as well.
        self.forks = False
        # The routes that end here, in the order to be tried; only the last may be without a guard.
        self.candidates: list[tuple[Endpoint, Guard | None]] = []
        # The first of them, if it has no guard.
        self.endpoint: Endpoint | None = None

    def child(self, segment: Segment) -> Node:
        """The node behind this segment, made where there is none yet."""
        if not segment.kind:
            return self.literals.setdefault(segment.text, Node(self.depth + 1))
        self.forks = True
        if segment.kind == PATH:
            child = self.rest = self.rest or Node(self.depth + 1)
        else:
            branches = {segment.kind: (CONVERTERS[segment.kind], Node(self.depth + 1))} | self.branches
            self.branches = {kind: branches[kind] for kind in CONVERTERS if kind in branches}
            child = self.branches[segment.kind][1]
        self.sole = next(iter(self.branches.values())) if len(self.branches) == 1 and not self.rest else None
        return child

    def add(self, endpoint: Endpoint, guard: Guard | None) -> None:
        """Adds a route that ends here, unless one before it takes every request."""
        if not self.candidates or self.candidates[-1][1] is not None:
            self.candidates.append((endpoint, guard))
            self.endpoint = endpoint if len(self.candidates) == 1 and guard is None else None

    def choose(self, values: tuple[Any, ...], request: object) -> Match | None:
        """The first route that ends here and whose guard, if it has one, agrees."""
        for endpoint, guard in self.candidates:
            if guard is None or guard(request, values):
                return endpoint, values
        return None


def find(node: Node, segments: list[str], values: tuple[Any, ...], request: object) -> Match | None:
    """The route for the segments that are left below a node, which was reached with `values`.

    Goes straight on while there is one way to go; a node with several hands over to `_fork`.
    """
    for segment in segments[node.depth :] if node.depth else segments:
        child = node.literals.get(segment)
        if child is not None:
            if node.forks:
                return _fork(node, segments, values, request)
            node = child
        elif node.sole is not None:
            convert, node = node.sole
            value = convert(segment)
            if value is None:
                return None
            values += (value,)  # noqa: RUF005 - "(*values, value)" takes three times as long.
        else:
            return _fork(node, segments, values, request)
    if node.endpoint is not None:
        return node.endpoint, values
    return node.choose(values, request)


def _fork(node: Node, segments: list[str], values: tuple[Any, ...], request: object) -> Match | None:
    """Tries each way in order of precedence, and comes back when it led nowhere."""
    segment = segments[node.depth]
    child = node.literals.get(segment)
    if child is not None:
        found = find(child, segments, values, request)
        if found is not None:
            return found
    for convert, child in node.branches.values():
        value = convert(segment)
        if value is not None:
            found = find(child, segments, (*values, value), request)
            if found is not None:
                return found
    if node.rest is not None:
        rest = "/".join(segments[node.depth :])
        return node.rest.choose((*values, rest), request) if rest else None
    return None
