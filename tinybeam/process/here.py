"""What runs in this thread: the process whose code it is, and how deep calls are nested.

Owns:  one Here for each thread.
Knows: that a call to an idle process runs in its caller's thread, so that one thread may be inside several.
Never: makes a process; a thread that is none becomes a guest, of which guest.py knows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol


class Lender(Protocol):
    """Who runs things in a thread that is its own."""

    def let_go(self) -> None:
        """This thread is about to wait."""

    def visitor(self) -> Any:
        """The process that what runs in this thread shall be; None when it cannot be one."""


class Here:
    """Of one thread, and changed by that thread only."""

    __slots__ = ("depth", "process", "runner")

    in_loop = False
    """Whether this thread is an event loop's, which nothing should hold up."""

    def __init__(self) -> None:
        # The process whose code runs now, innermost; None in a thread that is no process' and not a guest yet.
        self.process: Any = None
        # How many processes are inside one another; each costs frames, of which Python has not many.
        self.depth = 0
        # Who lends this thread: it lets its ready queue go before the thread waits, and makes what runs here a visitor.
        self.runner: Lender | None = None


class _Local(threading.local):
    def __init__(self) -> None:
        self.here = Here()
        # Ends the guest with the thread. Not in `here`, which a traceback that is kept may keep as well.
        self.guest: Any = None


class Guests:
    """How a thread becomes a guest."""

    make: Callable[[Here], Any]


local = _Local()
guests = Guests()


def current() -> Any:
    """The process whose code this is; a plain thread becomes a guest."""
    here = local.here
    return here.process if here.process is not None else guests.make(here)


def this_thread() -> Here:
    """What runs in this thread."""
    return local.here
