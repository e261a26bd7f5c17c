"""The table of a registry: which processes have put themselves under which keys.

Owns:  the entries, and the tie between each owner and the registry: entries go when their owner ends.
Knows: that readers take no lock, and so may come upon an entry whose owner is just ending; they pass over it.
Never: shows an owner that has ended; calls anything of the user's but the hash and == of a key.

In Elixir an owner and its registry are linked. Here the link has one direction, because the other one is not needed:
an owner ends when its registry fails, and is started again by its supervisor, and registers again; while the registry
is not troubled with the ends of its owners.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from tinybeam.process import bonds
from tinybeam.process.errors import AlreadyStarted, NoProcess
from tinybeam.process.reasons import said


class Entry:
    """One registration. Two are never equal."""

    __slots__ = ("key", "owner", "ref", "value")

    def __init__(self, owner: Any, key: Hashable, value: Any) -> None:
        self.owner = owner
        self.ref = owner._actor_ref
        self.key = key
        self.value = value


class Table:
    """What both kinds of tables share; `keeper` is the registry's process, `tell` is given each change in its order."""

    def __init__(self, keeper: Any, tell: Callable[[str, Entry], None] | None = None) -> None:
        self._keeper = keeper
        self._tell = tell
        # Reentrant, since the == of a key is the user's code.
        self._lock = threading.RLock()
        self._owned: dict[Any, dict[Hashable, list[Entry]]] = {}
        with bonds.lock:
            bonds.bonds_of(keeper).on_end.append(self._close)

    # What the two kinds do in their own ways; the lock is held for all but the first.

    def lookup(self, key: Hashable) -> list[tuple[Any, Any]]:
        """The ref and the value of those under a key who are alive, in the order in which they came."""
        raise NotImplementedError

    def _make_room(self, key: Hashable) -> None:
        raise NotImplementedError

    def _put(self, entry: Entry) -> None:
        raise NotImplementedError

    def _drop(self, entry: Entry) -> None:
        raise NotImplementedError

    # What they share.

    def register(self, owner: Any, key: Hashable, value: Any) -> None:
        """Puts a process under a key. Raises AlreadyStarted, NoProcess."""
        with self._lock:
            self._make_room(key)
            self._tie(owner)
            entry = Entry(owner, key, value)
            self._put(entry)
            self._owned.setdefault(owner._actor_ref, {}).setdefault(key, []).append(entry)
            if self._tell is not None:
                self._tell("register", entry)

    def unregister(self, owner: Any, key: Hashable) -> None:
        """Takes a process away from a key, as often as it is there."""
        with self._lock:
            for entry in self.owned(owner._actor_ref, key):
                self._remove(entry)

    def owned(self, ref: Any, key: Hashable) -> list[Entry]:
        """A process' entries under a key."""
        return list(self._owned.get(ref, {}).get(key, ()))

    def keys(self, ref: Any) -> list[Hashable]:
        """The keys that a process is under, each as often as it is."""
        with self._lock:
            return [key for key, entries in self._owned.get(ref, {}).items() for _ in entries]

    def all(self) -> list[Entry]:
        """All entries."""
        with self._lock:
            return [
                entry
                for by_key in self._owned.values()
                for entries in by_key.values()
                for entry in entries
                if not entry.owner._dead
            ]

    def _tie(self, owner: Any) -> None:
        """Has the owner's end remove its entries, and the registry's failure end the owner."""
        with bonds.lock:
            for process in (self._keeper, owner):
                if process._dead:
                    raise NoProcess(f"{process} has ended")
            if owner._actor_ref not in self._owned:
                bonds.bonds_of(owner).on_end.append(self._forget)
                bonds.bonds_of(self._keeper).links[owner] = None

    def _untie(self, owner: Any) -> None:
        with bonds.lock:
            if owner._bonds is not None:
                owner._bonds.on_end.remove(self._forget)
            if self._keeper._bonds is not None:
                self._keeper._bonds.links.pop(owner, None)

    def _remove(self, entry: Entry) -> None:
        """Takes one out; the last of an owner unties it."""
        ref = entry.ref
        self._drop(entry)
        by_key = self._owned[ref]
        by_key[entry.key].remove(entry)
        if not by_key[entry.key]:
            del by_key[entry.key]
        if not by_key:
            del self._owned[ref]
            self._untie(entry.owner)
        if self._tell is not None:
            self._tell("unregister", entry)

    def _forget(self, ref: Any) -> None:
        """An owner has ended. Nobody has been told yet."""
        with self._lock:
            for entries in list(self._owned.get(ref, {}).values()):
                for entry in list(entries):
                    self._remove(entry)

    def _close(self, _ref: Any) -> None:
        """The registry has ended: it lets go of those owners that stay."""
        with self._lock:
            self._tell = None
            for ref in list(self._owned):
                self._forget(ref)


class UniqueTable(Table):
    """A key has one owner."""

    def __init__(self, keeper: Any, tell: Callable[[str, Entry], None] | None = None) -> None:
        super().__init__(keeper, tell)
        self._by_key: dict[Hashable, Entry] = {}

    def lookup(self, key: Hashable) -> list[tuple[Any, Any]]:
        """See Table."""
        entry = self._by_key.get(key)
        return [] if entry is None or entry.owner._dead else [(entry.ref, entry.value)]

    def find(self, key: Hashable) -> Any:
        """The ref of who is under a key, or None."""
        entry = self._by_key.get(key)
        return None if entry is None or entry.owner._dead else entry.ref

    def _make_room(self, key: Hashable) -> None:
        holder = self._by_key.get(key)
        if holder is not None:
            if not holder.owner._dead:
                raise AlreadyStarted(f"the key {said(key)} is {holder.ref}'s", holder.ref)
            self._remove(holder)

    def _put(self, entry: Entry) -> None:
        self._by_key[entry.key] = entry

    def _drop(self, entry: Entry) -> None:
        del self._by_key[entry.key]


class DuplicateTable(Table):
    """A key may have many owners, and an owner may be under it more than once."""

    def __init__(self, keeper: Any, tell: Callable[[str, Entry], None] | None = None) -> None:
        super().__init__(keeper, tell)
        self._by_key: dict[Hashable, dict[Entry, None]] = {}

    def lookup(self, key: Hashable) -> list[tuple[Any, Any]]:
        """See Table."""
        # list() takes all of them at once, whoever comes or goes.
        return [(entry.ref, entry.value) for entry in list(self._by_key.get(key, ())) if not entry.owner._dead]

    def _make_room(self, key: Hashable) -> None:
        hash(key)  # what cannot be a key says so now

    def _put(self, entry: Entry) -> None:
        self._by_key.setdefault(entry.key, {})[entry] = None

    def _drop(self, entry: Entry) -> None:
        entries = self._by_key[entry.key]
        del entries[entry]
        if not entries:
            del self._by_key[entry.key]
