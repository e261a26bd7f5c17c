"""PartitionSupervisor: the same child several times over, so that not all the world queues for one process.

Owns:  the partitions' refs, and the way from a key to a partition.
Knows: Elixir's PartitionSupervisor; that hashes of str differ from one start of Python to the next.
Never: is called on the way to a partition: the refs are read where they are.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Hashable
from typing import Any

from tinybeam.process.child_errors import BadSpec
from tinybeam.process.children import Children
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.destinations import ref_of
from tinybeam.process.errors import NoProcess
from tinybeam.process.reasons import said
from tinybeam.process.supervisor import Supervisor


class PartitionSupervisor(Supervisor):
    """`PartitionSupervisor.start_link(child, name=..., partitions=...)`: the partitions are its children 0, 1, ...

    `partitions` is the number of processors unless it is given; `with_arguments(args, partition)` may give every
    partition arguments of its own. The other options are those of Children.

    >>> from tinybeam.process import GenServer
    >>> class Counter(GenServer):
    ...     def handle_call(self, message, from_, count):
    ...         return count, count + 1
    >>> counters = PartitionSupervisor.start_link((Counter, 7), partitions=2)
    >>> PartitionSupervisor.via(counters, "ada").whereis_name().call("next")
    7
    >>> counters.stop()
    True
    """

    _refs: list[Any]

    def init(
        self,
        child: Any,
        *,
        partitions: int | None = None,
        with_arguments: Callable[[tuple[Any, ...], int], tuple[Any, ...]] | None = None,
        **options: Any,
    ) -> Any:
        """Makes the children."""
        if partitions is None:
            partitions = os.cpu_count() or 1
        if type(partitions) is not int or partitions < 1:
            raise BadSpec(f"partitions must be a whole number, 1 or more, not {partitions!r}")
        self._refs = [None] * partitions
        spec = child_spec(child)
        specs = []
        for partition in range(partitions):
            args = spec.args if with_arguments is None else tuple(with_arguments(spec.args, partition))
            start = dataclasses.replace(spec, args=args)
            specs.append(dataclasses.replace(spec, id=partition, start=self._start_partition, args=(start, partition)))
        return Children(specs, **options)

    def _start_partition(self, spec: ChildSpec, partition: int, **kwargs: Any) -> Any:
        ref = self._refs[partition] = spec.starter(*spec.args, **kwargs)
        return ref

    @staticmethod
    def via(supervisor: Any, key: Hashable) -> PartitionVia:
        """The partition for a key, as a destination of call, cast and send: an int counts round, others are hashed."""
        return PartitionVia(supervisor, key)

    @staticmethod
    def partitions(supervisor: Any) -> int:
        """How many there are. Raises NoProcess."""
        return len(_refs_of(supervisor))


@dataclasses.dataclass(frozen=True, slots=True)
class PartitionVia:
    """What `PartitionSupervisor.via` gives; it stands for whoever is the partition when it is used."""

    supervisor: Any
    key: Hashable

    def whereis_name(self) -> Any:
        """The partition's ref, or None while it does not run. Raises NoProcess when the supervisor does not."""
        refs = _refs_of(self.supervisor)
        ref = refs[(abs(self.key) if type(self.key) is int else hash(self.key)) % len(refs)]
        return ref if ref is not None and ref.is_alive() else None


def _refs_of(supervisor: Any) -> list[Any]:
    ref = ref_of(supervisor)
    process = None if ref is None else ref._process
    if not isinstance(process, PartitionSupervisor):
        raise NoProcess(f"there is no PartitionSupervisor {said(supervisor)}")
    return process._refs
