"""Receive: how the code of a process, or of a plain thread, takes a message from its own mailbox.

Owns:  the wait for a message.
Knows: that whoever drives the ready queue has to let it go before it waits.
Never: takes a message that the caller does not want; those stay, in their order.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NamedTuple

from tinybeam.process import bonds
from tinybeam.process.answer import lock_timeout
from tinybeam.process.ending import ExitSignal
from tinybeam.process.errors import Ended, ReceiveTimeout
from tinybeam.process.here import current, local
from tinybeam.process.messages import CAST, INFO, STOP, SYSTEM, TIMEOUT
from tinybeam.process.ready_queue import IDLE

# What the process itself handles, when it has come out of its code.
_NO_MESSAGES = (STOP, TIMEOUT)
# What a search gives that has found none.
NOTHING: Final[Any] = object()


class Call(NamedTuple):
    """A call that `receive` gives: answer it with `reply(from_, value)`."""

    from_: Any
    message: Any


def receive(timeout: float | None = None, *, want: Callable[[Any], bool] | None = None) -> Any:
    """Takes the first message, or the first that `want` says True to; waits for it so many seconds, None: for ever.

    Calls come as `Call(from_, message)`, casts and sends as they are. Raises ReceiveTimeout, and Ended in a process
    that others have ended meanwhile; RuntimeError in an `async def` handler, for which there is `receive_async`.
    """
    here = local.here
    if here.in_loop and here.depth == 0:
        raise RuntimeError("receive would hold up the event loop; write `await receive_async(...)`")
    search = Search(current(), want)
    deadline_s = None if timeout is None else monotonic() + timeout
    while (message := search.look()) is NOTHING:
        left_s = None if deadline_s is None else deadline_s - monotonic()
        if (left_s is not None and left_s <= 0) or not _wait(search, left_s):
            raise ReceiveTimeout(f"nothing came within {timeout:g} s")
    return message


class Search:
    """The search for a message in a mailbox to which more may come meanwhile."""

    __slots__ = ("_seen", "_want", "process")

    def __init__(self, process: Any, want: Callable[[Any], bool] | None) -> None:
        self.process = process
        self._want = want
        # So many were there already, and are not wanted.
        self._seen = 0

    def look(self) -> Any:
        """Takes the first message that is wanted; NOTHING when none is there. Raises Ended."""
        process, want = self.process, self._want
        for signal in _take_exits(process):
            signal(process)
        if process._dead:
            raise Ended
        entries = process._waiting()
        for entry in entries[self._seen :]:
            if entry[0] in _NO_MESSAGES:
                continue
            if entry[0] == SYSTEM:
                process._remove(entry)
                entry[1](process)
                self._seen = 0
                break
            message = _shown(entry)
            if want is None or want(message):
                process._remove(entry)
                return message
        else:
            self._seen = len(entries)
        return NOTHING

    def is_due(self) -> bool:
        """Whether there is something to look at, or to be told."""
        process = self.process
        return bool(process._dead) or _has_exits(process) or len(process._waiting()) > self._seen


def _take_exits(process: Any) -> list[Any]:
    """The exit signals that have come. All others, such as a suspend, are for when it has come out of its code."""
    if not process._signals:
        return []
    with bonds.lock:
        exits = [signal for signal in process._signals if type(signal) is ExitSignal]
        for signal in exits:
            process._signals.remove(signal)
    return exits


def _has_exits(process: Any) -> bool:
    return any(type(signal) is ExitSignal for signal in list(process._signals))


def _shown(entry: Any) -> Any:
    kind, message, reply_to = entry
    return message if kind in (INFO, CAST) else Call(reply_to, message)


def _wait(search: Search, timeout: float | None) -> bool:
    """Waits until there are more messages than were seen. False when the time is over."""
    process = search.process
    receiver = _thread.allocate_lock()
    receiver.acquire()
    with bonds.lock:
        if process._dead:
            return True
        bonds.bonds_of(process).receiver = receiver
    process._queued = IDLE  # so that who sends wakes us
    try:
        if search.is_due():
            return True
        runner = local.here.runner
        if runner is not None:
            runner.let_go()
        return receiver.acquire(True, lock_timeout(timeout)) or search.is_due()
    finally:
        with bonds.lock:
            if process._bonds is not None:
                process._bonds.receiver = None
