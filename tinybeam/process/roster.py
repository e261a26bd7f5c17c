"""The roster of a supervisor: its children in the order in which they start, and what each of them is at.

Owns:  the ways to find a child: by id, by ref, and by who comes after it.
Knows: that a child is running (it has a ref), waits to be started again (restarting), or neither.
Never: starts or ends anything.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Literal, NamedTuple

from tinybeam.process.backoff import Backoff
from tinybeam.process.childspec import ChildSpec, ChildType
from tinybeam.process.ref import ProcessRef


class ChildInfo(NamedTuple):
    """What `which_children` tells of a child."""

    id: Hashable
    """None for a child of a DynamicSupervisor."""
    child: ProcessRef[Any] | Literal["restarting"] | None
    type: ChildType


class ChildCounts(NamedTuple):
    """What `count_children` tells."""

    specs: int
    active: int
    supervisors: int
    workers: int


class Child:
    """One child, through all its restarts."""

    __slots__ = ("backoff", "ref", "restarting", "spec")

    def __init__(self, spec: ChildSpec, ref: Any = None) -> None:
        self.spec = spec
        self.backoff = None if spec.backoff_ms is None else Backoff(*spec.backoff_ms)
        self.ref = ref
        self.restarting = False

    @property
    def now(self) -> Any:
        """The ref, "restarting", or None."""
        return "restarting" if self.restarting else self.ref


class Roster:
    """The children of one supervisor."""

    __slots__ = ("_by_id", "_by_ref")

    def __init__(self) -> None:
        self._by_id: dict[Hashable, Child] = {}
        self._by_ref: dict[Any, Child] = {}

    def __iter__(self) -> Iterator[Child]:
        return iter(self._by_id.values())

    def find(self, child_id: Hashable) -> Child | None:
        """The child of an id."""
        return self._by_id.get(child_id)

    def of(self, ref: Any) -> Child | None:
        """The child that runs as this process."""
        return self._by_ref.get(ref)

    def from_on(self, child: Child) -> list[Child]:
        """A child, and all that start after it."""
        children = list(self)
        return children[children.index(child) :]

    def add(self, child: Child) -> None:
        """Puts a child at the end."""
        self._by_id[child.spec.id] = child
        if child.ref is not None:
            self._by_ref[child.ref] = child

    def runs_as(self, child: Child, ref: Any) -> None:
        """A child has been started; ref None: it had nothing to do."""
        child.restarting = False
        child.ref = ref
        if ref is not None:
            self._by_ref[ref] = child

    def ended(self, child: Child, *, restarting: bool = False) -> None:
        """A child runs no more. A temporary one is forgotten."""
        if child.ref is not None:
            self._by_ref.pop(child.ref, None)
            child.ref = None
        child.restarting = restarting
        if child.spec.restart == "temporary":
            self.remove(child)

    def remove(self, child: Child) -> None:
        """Forgets a child that does not run."""
        self._by_id.pop(child.spec.id, None)


def infos(children: Iterator[Child], *, with_ids: bool = True) -> list[ChildInfo]:
    """What there is to tell of children."""
    return [ChildInfo(child.spec.id if with_ids else None, child.now, child.spec.type) for child in children]


def counts(children: Iterator[Child]) -> ChildCounts:
    """How many there are, how many run, and of which type."""
    specs = active = supervisors = 0
    for child in children:
        specs += 1
        active += child.ref is not None and child.ref.is_alive()
        supervisors += child.spec.type == "supervisor"
    return ChildCounts(specs, active, supervisors, specs - supervisors)
