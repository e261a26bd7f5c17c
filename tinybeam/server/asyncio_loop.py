"""asyncio's event loop, made so that it can be looked at from other threads, and be forked.

Owns:  the selector, which tells whether the loop waits, and what becomes of both in the child of a fork.
Knows: that a child shares the kernel's poll set with its parent: what it takes off there, the parent loses.
Never: runs anything in a child; patches asyncio, or is anything but asyncio's own loop. It is not uvloop: the requests'
       sockets are the engine's anyway, and that loop takes no selector, so it could not be looked into, or be forked.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import weakref
from typing import Any

from tinybeam.server.loop_threads import LoopThreads

_loops: weakref.WeakSet[AsyncioLoop] = weakref.WeakSet()
# In a child: the tasks that it has copies of.
_left: list[asyncio.Task[Any]] = []


class _Selector(selectors.DefaultSelector):
    """Counts its turns, and leaves the kernel's poll set alone once it is `abandoned`."""

    def __init__(self) -> None:
        super().__init__()
        self.abandoned = False
        self.waits = False
        self.turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits = True
        try:
            return super().select(timeout)
        finally:
            self.waits = False
            self.turns += 1

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.get_key(fileobj) if self.abandoned else super().unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.get_key(fileobj) if self.abandoned else super().modify(fileobj, events, data)


class AsyncioLoop(asyncio.SelectorEventLoop):
    """`close` it where it has run. In the child of a fork it is closed, and what its thread did ends."""

    def __init__(self, threads: LoopThreads) -> None:
        self._own_selector = _Selector()
        super().__init__(self._own_selector)
        self._threads = threads
        self.set_default_executor(threads)
        _loops.add(self)

    @property
    def abandoned(self) -> bool:
        """Whether this is the copy that a child has."""
        return self._own_selector.abandoned

    @property
    def turn(self) -> int | None:
        """The number of the turn that it is in; None while it waits. Any thread."""
        return None if self._own_selector.waits else self._own_selector.turns

    def is_running(self) -> bool:
        """See asyncio. Nothing runs in a child, which has no thread for it, or is about to leave it."""
        return not self.abandoned and super().is_running()

    def abandon(self) -> None:
        """In the child of a fork: lets go of it, and of the descriptors."""
        self._own_selector.abandoned = True
        self._threads.abandoned = True
        # If they went, what they have in `finally` would be done here as well as in the parent.
        _left.extend(asyncio.all_tasks(self))
        self.set_exception_handler(_pass_over)
        self.close()


def _pass_over(_loop: asyncio.AbstractEventLoop, _context: dict[str, Any]) -> None:
    """What comes of tasks in a child is nobody's business."""


def _abandon_all() -> None:
    for loop in list(_loops):
        loop.abandon()


os.register_at_fork(after_in_child=_abandon_all)
