"""Registry: processes find each other by keys, one for each key or many.

Owns:  the calls on a registry, which is given by its ref or its name; the names that it can give, `Via`.
Knows: that a look-up reads a table, and does not ask the registry's process.
Never: shows a process that has ended.

As Elixir's Registry. `Registry.start_link(keys="unique", name="rooms")` goes below a supervisor, before whoever
registers; when it fails, all who are registered with it end too, so that no registration is lost unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tinybeam.errors import ConfigError
from tinybeam.process.destinations import ref_of
from tinybeam.process.errors import NoProcess
from tinybeam.process.genserver import GenServer
from tinybeam.process.here import current
from tinybeam.process.names import whereis
from tinybeam.process.reasons import said
from tinybeam.process.ref import ProcessRef
from tinybeam.process.table import DuplicateTable, Entry, Table, UniqueTable


class Registry(GenServer):
    """Call these on the class, with the registry's name or ref first.

    >>> from tinybeam.process import receive
    >>> rooms = Registry.start(keys="duplicate", name="rooms")
    >>> Registry.register("rooms", "lobby", "Ann")
    >>> [value for ref, value in Registry.lookup("rooms", "lobby")]
    ['Ann']
    >>> Registry.dispatch("rooms", "lobby", lambda entries: [ref.send("hello") for ref, value in entries])
    >>> receive(timeout=5, want=lambda message: message == "hello")
    'hello'
    >>> Registry.unregister("rooms", "lobby")
    >>> rooms.stop()
    True
    """

    __slots__ = ("_listeners", "_meta", "_name", "_table")

    def init(
        self,
        keys: Literal["unique", "duplicate"] = "unique",
        *,
        listeners: Iterable[Any] = (),
        partitions: int = 1,
    ) -> Any:
        """`listeners`, refs or names, are sent `("register", registry, key, ref, value)` and `("unregister", ...)`.

        `registry` is its name if it has one, else its ref. `partitions` is taken for the sake of who knows Elixir's,
        and changes nothing: a look-up here takes no lock that it could be the fewer to wait for.
        """
        if keys not in ("unique", "duplicate"):
            raise ConfigError(f"a registry's keys are 'unique' or 'duplicate', not {keys!r}")
        if not isinstance(partitions, int) or partitions < 1:
            raise ConfigError(f"a registry has at least 1 partition, not {partitions!r}")
        self._listeners = tuple(listeners)
        self._meta: dict[Hashable, Any] = {}
        names = [] if self._bonds is None else self._bonds.names
        self._name: Any = names[0] if names else self._actor_ref
        kind = UniqueTable if keys == "unique" else DuplicateTable
        self._table: Table = kind(self, self._tell if self._listeners else None)

    def _tell(self, change: str, entry: Entry) -> None:
        """Tells the listeners, whatever the bounds of their mailboxes are; one that is gone is passed over."""
        for listener in self._listeners:
            ref = ref_of(listener)
            process = None if ref is None else ref._process
            if process is not None:
                process._dispatch_info((change, self._name, entry.key, entry.ref, entry.value))

    # Registering, for the process that calls.

    @staticmethod
    def register(registry: Any, key: Hashable, value: Any = None) -> None:
        """Puts the calling process under a key, until it ends.

        Raises AlreadyStarted, with the `ref` of who has it, when keys are unique; NoProcess when there is no registry.
        """
        _open(registry)._table.register(current(), key, value)

    @staticmethod
    def unregister(registry: Any, key: Hashable) -> None:
        """Takes the calling process away from a key; when keys are duplicate, as often as it is there."""
        _open(registry)._table.unregister(current(), key)

    @staticmethod
    def update_value(registry: Any, key: Hashable, update: Callable[[Any], Any]) -> tuple[Any, Any] | None:
        """Gives the calling process' entry the value `update(value)`: `(new, old)`, or None when it has none.

        Raises ValueError when keys are duplicate.
        """
        table = _open(registry)._table
        if not isinstance(table, UniqueTable):
            raise ValueError(f"{said(registry)} has duplicate keys; a value can be updated where they are unique")
        owned = table.owned(current()._actor_ref, key)
        if not owned:
            return None
        old = owned[0].value
        # Nobody else changes it, so there is no race between the two.
        new = owned[0].value = update(old)
        return new, old

    # Reading.

    @staticmethod
    def lookup(registry: Any, key: Hashable) -> list[tuple[Any, Any]]:
        """`(ref, value)` of all that are under a key, in the order in which they came; at most one if it is unique."""
        entries: list[tuple[Any, Any]] = _open(registry)._table.lookup(key)
        return entries

    @staticmethod
    def match(registry: Any, key: Hashable, want: Callable[[Any], bool]) -> list[tuple[Any, Any]]:
        """The same, of those whose value `want` says True to."""
        return [(ref, value) for ref, value in Registry.lookup(registry, key) if want(value)]

    @staticmethod
    def select(registry: Any, want: Callable[[Any, Any, Any], bool]) -> list[tuple[Any, Any, Any]]:
        """`(key, ref, value)` of all entries that `want(key, ref, value)` says True to. It looks at every one."""
        rows = [(entry.key, entry.ref, entry.value) for entry in _open(registry)._table.all()]
        return [row for row in rows if want(*row)]

    @staticmethod
    def keys(registry: Any, ref: Any) -> list[Hashable]:
        """The keys that a process is under, each as often as it is."""
        keys: list[Hashable] = _open(registry)._table.keys(ref)
        return keys

    @staticmethod
    def values(registry: Any, key: Hashable, ref: Any) -> list[Any]:
        """The values of a process under a key."""
        return [entry.value for entry in _open(registry)._table.owned(ref, key)]

    @staticmethod
    def count(registry: Any) -> int:
        """How many entries there are. It looks at every one."""
        return len(_open(registry)._table.all())

    @staticmethod
    def dispatch(registry: Any, key: Hashable, function: Callable[[list[tuple[Any, Any]]], Any]) -> None:
        """Calls `function(entries)` here and now with what `lookup` gives; not at all when there are none."""
        entries = Registry.lookup(registry, key)
        if entries:
            function(entries)

    # The registry's own notes.

    @staticmethod
    def put_meta(registry: Any, key: Hashable, value: Any) -> None:
        """Keeps a value with the registry, for as long as it lives."""
        _open(registry)._meta[key] = value

    @staticmethod
    def meta(registry: Any, key: Hashable, default: Any = None) -> Any:
        """What was kept."""
        return _open(registry)._meta.get(key, default)

    @staticmethod
    def delete_meta(registry: Any, key: Hashable) -> None:
        """Forgets it."""
        _open(registry)._meta.pop(key, None)

    @staticmethod
    def via(registry: Any, key: Hashable, value: Any = None) -> Via:
        """A name for a process, for `start_link(name=Registry.via("rooms", 7))`, `call(Registry.via("rooms", 7), ...)`.

        For registries with unique keys; `value` is what the process is registered with.
        """
        return Via(registry, key, value)


@dataclass(frozen=True, slots=True)
class Via:
    """A name that a registry resolves (Elixir's `{:via, Registry, {registry, key, value}}`); see Registry.via."""

    registry: Any
    key: Hashable
    value: Any = field(default=None, compare=False)

    def register_name(self, ref: Any) -> None:
        """Gives a process this name. Raises AlreadyStarted when another has it."""
        process = ref._process
        if process is None:
            raise NoProcess(f"{ref} has ended, and cannot be given a name")
        self._names(_open(self.registry)).register(process, self.key, self.value)

    def unregister_name(self) -> None:
        """Takes this name away from whoever has it. Raises NoProcess when nobody has."""
        ref = self.whereis_name()
        process = None if ref is None else ref._process
        if process is None:
            raise NoProcess(f"nobody is named {said(self)}")
        self._names(_open(self.registry)).unregister(process, self.key)

    def whereis_name(self) -> Any:
        """The process of this name, or None; also when there is no registry."""
        ref = ref_of(self.registry)
        process = None if ref is None else ref._process
        if process is None:
            return None
        return self._names(process).find(self.key)

    def _names(self, registry: Any) -> UniqueTable:
        """The registry's table. Raises ValueError when its keys cannot be names."""
        table = registry._table
        if not isinstance(table, UniqueTable):
            raise ValueError(f"{said(self.registry)} has duplicate keys, which cannot be names")
        return table


def _open(registry: Any) -> Any:
    """The registry's process."""
    ref = registry if isinstance(registry, ProcessRef) else whereis(registry)
    process = None if ref is None else ref._process
    if process is None:
        raise NoProcess(f"there is no registry {said(registry)}; start it before its users")
    return process
