"""Shortcuts: what a path comes to, where that can be known without a walk through a trie.

Owns:  which paths have one, and what it leads to.
Knows: the tries, and that a walk tries literals first and then the kinds of parameter in their order.
Never: an answer other than the walk's; where a guard has to be asked, there is no shortcut.
"""

from __future__ import annotations

from collections.abc import Iterable

from tinybeam.router.pattern import Pattern
from tinybeam.router.route import Endpoint
from tinybeam.router.segment import Convert
from tinybeam.router.trie import Match, Node

# By path and method, what answers it.
Literals = dict[str, dict[str, Match]]
# By all of a path before its last slash, and by method: what to try first on the last segment, and what answers then.
Stems = dict[str, dict[str, tuple[Convert, Endpoint]]]


def literals(patterns: Iterable[Pattern], tries: dict[str, Node]) -> Literals:
    """The paths without parameters. A walk tries literals first, so it could come to nothing else."""
    found: Literals = {}
    for pattern in patterns:
        if pattern.is_literal:
            for method, root in tries.items():
                node = _reached(root, pattern.text)
                if node is not None and node.endpoint is not None:
                    found.setdefault(pattern.text, {})[method] = (node.endpoint, ())
    return found


def stems(patterns: Iterable[Pattern], tries: dict[str, Node]) -> Stems:
    """The paths whose last segment is their only parameter, by far the most common kind; after `literals` was asked."""
    found: Stems = {}
    for stem in {pattern.text.rpartition("/")[0] for pattern in patterns}:
        for method, root in tries.items():
            first = _first_branch(_reached(root, stem))
            if first is not None:
                found.setdefault(stem, {})[method] = first
    return found


def _reached(root: Node, path: str) -> Node | None:
    """The node that the literals of this path lead to."""
    node: Node | None = root
    for text in path.split("/"):
        node = node.literals.get(text) if node else None
    return node


def _first_branch(node: Node | None) -> tuple[Convert, Endpoint] | None:
    if node is None or not node.branches:
        return None
    # A literal with a guard goes first and has to be asked; one without was found by `literals`.
    if any(child.candidates and child.endpoint is None for child in node.literals.values()):
        return None
    convert, child = next(iter(node.branches.values()))
    return None if child.endpoint is None else (convert, child.endpoint)
