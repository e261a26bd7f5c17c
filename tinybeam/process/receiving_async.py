"""Receive in an event loop: how an `async def` takes a message from the mailbox of the process that it is.

Owns:  the wait for a message that lets the loop go on.
Knows: that there is one place to wait at for each process, though it may have many tasks.
Never: loses a message: one that comes when nobody waits any more stays where it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from tinybeam.process import bonds
from tinybeam.process.errors import ReceiveTimeout
from tinybeam.process.here import current
from tinybeam.process.ready_queue import IDLE
from tinybeam.process.receiving import NOTHING, Search


async def receive_async(timeout: float | None = None, *, want: Callable[[Any], bool] | None = None) -> Any:
    """`receive` for `async def` code: the event loop goes on meanwhile.

    A request is one process, whatever tasks its handler makes. Raises RuntimeError when another one of them waits here
    already, and what `receive` raises.
    """
    search = Search(current(), want)
    deadline_s = None if timeout is None else monotonic() + timeout
    while (message := search.look()) is NOTHING:
        left_s = None if deadline_s is None else deadline_s - monotonic()
        if (left_s is not None and left_s <= 0) or not await _wait(search, left_s):
            raise ReceiveTimeout(f"nothing came within {timeout:g} s")
    return message


class _LoopReceiver:
    """What is woken in place of a thread."""

    __slots__ = ("_loop", "came")

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self.came = loop.create_future()

    def release(self) -> None:
        """Something has come. Any thread; raises RuntimeError when the loop is closed, as a lock that nobody holds."""
        self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self.came.done():
            self.came.set_result(None)


async def _wait(search: Search, timeout: float | None) -> bool:
    """Waits until there are more messages than were seen. False when the time is over."""
    asyncio: Any = sys.modules["asyncio"]  # who awaits this has it
    receiver = _LoopReceiver(asyncio.get_running_loop())
    process = search.process
    with bonds.lock:
        if process._dead:
            return True
        ties = bonds.bonds_of(process)
        if ties.receiver is not None:
            raise RuntimeError(f"{process} waits in receive_async already, in another task; let one task receive")
        ties.receiver = receiver
    process._queued = IDLE  # so that who sends wakes us
    try:
        if search.is_due():
            return True
        done, _ = await asyncio.wait((receiver.came,), timeout=timeout)
        return bool(done) or search.is_due()
    finally:
        with bonds.lock:
            if process._bonds is not None:
                process._bonds.receiver = None
