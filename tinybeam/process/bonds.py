"""What ties processes together: links, monitors, parents, and what else has to be undone when one ends.

Owns:  the one lock under which ties are made and cut, and the table of all processes that are alive.
Knows: that most processes have no ties at all, so that they are made on first need.
Never: sends anything while it holds the lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tinybeam.process.messages import Monitor

# For ties and for ends; never held while code of a process runs.
lock = threading.RLock()
# All processes that are alive. A process that nobody refers to is alive nevertheless, as in OTP.
processes: set[Any] = set()


def begin_anew() -> None:
    """In the child of a fork: another thread may have held the lock, and never let it go."""
    global lock
    lock = threading.RLock()


class Bonds:
    """The ties of one process."""

    __slots__ = (
        "callers",
        "links",
        "monitors",
        "names",
        "on_end",
        "parent",
        "receiver",
        "stopped",
        "watched_by",
    )

    def __init__(self) -> None:
        self.parent: Any = None
        # Who waits for an answer and will get none when it ends, in the order in which they asked.
        self.callers: dict[Any, None] = {}
        # Dicts without values, as sets: an empty one takes a third of the memory.
        self.links: dict[Any, None] = {}
        # Its own monitors, and those of others upon it.
        self.monitors: dict[Monitor, None] = {}
        self.watched_by: dict[Monitor, None] = {}  # in the order in which they were made
        self.names: list[Any] = []
        self.on_end: list[Callable[[Any], None]] = []
        self.stopped: threading.Event | None = None
        # Locked while its own code waits in `receive`.
        self.receiver: Any = None


def bonds_of(process: Any) -> Bonds:
    """The process' ties; with the lock held."""
    bonds: Bonds | None = process._bonds
    if bonds is None:
        bonds = process._bonds = Bonds()
    return bonds


def link(one: Any, other: Any) -> bool:
    """Ties two processes. False when one of them has ended."""
    with lock:
        if one._dead or other._dead:
            return False
        if one is not other:
            bonds_of(one).links[other] = None
            bonds_of(other).links[one] = None
        return True


def unlink(one: Any, other: Any) -> None:
    """Unties them; whoever has ended has no ties."""
    with lock:
        for process, partner in ((one, other), (other, one)):
            if process._bonds is not None:
                process._bonds.links.pop(partner, None)


def watch(monitor: Monitor) -> bool:
    """Puts a monitor up; its ends are processes. False when the watched one has ended."""
    with lock:
        if monitor.watched._dead:
            return False
        bonds_of(monitor.watched).watched_by[monitor] = None
        if not monitor.watcher._dead:
            bonds_of(monitor.watcher).monitors[monitor] = None
        return True


def unwatch(monitor: Monitor) -> bool:
    """Takes it down. False when it was down already: its message has been sent."""
    with lock:
        watcher, watched = monitor.watcher._bonds, monitor.watched._bonds
        if watcher is not None:
            watcher.monitors.pop(monitor, None)
        if watched is None or monitor not in watched.watched_by:
            return False
        del watched.watched_by[monitor]
        return True


def expect(process: Any, from_: Any) -> bool:
    """Has somebody who waits for an answer told when the process ends without one. False when it has ended."""
    with lock:
        if process._dead:
            return False
        bonds_of(process).callers[from_] = None
        return True


def settle(process: Any, from_: Any) -> None:
    """They do not wait any more."""
    with lock:
        if process._bonds is not None:
            process._bonds.callers.pop(from_, None)


def cut(process: Any, reason: object) -> Bonds | None:
    """Marks a process as dead and takes all its ties, for who tells the others; None when it was dead already.

    The others' ends are taken off at once: nobody can be told twice.
    """
    with lock:
        if process._dead:
            return None
        process._dead = (reason,)
        processes.discard(process)
        bonds: Bonds | None = process._bonds
        process._bonds = None
        if bonds is None:
            return Bonds()
        for partner in bonds.links:
            if partner._bonds is not None:
                partner._bonds.links.pop(process, None)
        for monitor in bonds.monitors:
            if monitor.watched._bonds is not None:
                monitor.watched._bonds.watched_by.pop(monitor, None)
        for monitor in bonds.watched_by:
            if monitor.watcher._bonds is not None:
                monitor.watcher._bonds.monitors.pop(monitor, None)
        return bonds
