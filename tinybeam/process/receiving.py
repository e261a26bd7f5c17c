"""Receive: how the code of a process, or of a plain thread, takes a message from its own mailbox.

Owns:  the wait for a message.
Knows: that whoever drives the ready queue has to let it go before it waits.
Never: takes a message that the caller does not want; those stay, in their order.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from tinybeam.process import bonds
from tinybeam.process.answer import lock_timeout
from tinybeam.process.ending import ExitSignal
from tinybeam.process.errors import Ended, ReceiveTimeout
from tinybeam.process.here import current, local
from tinybeam.process.messages import CAST, INFO, STOP, SYSTEM, TIMEOUT
from tinybeam.process.ready_queue import IDLE

# What the process itself handles, when it has come out of its code.
_NO_MESSAGES = (STOP, TIMEOUT)


class Call(NamedTuple):
    """A call that `receive` gives: answer it with `reply(from_, value)`."""

    from_: Any
    message: Any


def receive(timeout: float | None = None, *, want: Callable[[Any], bool] | None = None) -> Any:
    """Takes the first message, or the first that `want` says True to; waits for it so many seconds, None: for ever.

    Calls come as `Call(from_, message)`, casts and sends as they are. Raises ReceiveTimeout, and Ended in a process
    that others have ended meanwhile.
    """
    process = current()
    deadline_s = None if timeout is None else monotonic() + timeout
    seen = 0
    while True:
        for signal in _take_exits(process):
            signal(process)
        if process._dead:
            raise Ended
        entries = process._waiting()
        for entry in entries[seen:]:
            if entry[0] in _NO_MESSAGES:
                continue
            if entry[0] == SYSTEM:
                process._remove(entry)
                entry[1](process)
                seen = 0
                break
            message = _shown(entry)
            if want is None or want(message):
                process._remove(entry)
                return message
        else:
            seen = len(entries)
        left_s = None if deadline_s is None else deadline_s - monotonic()
        if (left_s is not None and left_s <= 0) or not _wait(process, seen, left_s):
            raise ReceiveTimeout(f"nothing came within {timeout:g} s")


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


def _wait(process: Any, seen: int, timeout: float | None) -> bool:
    """Waits until there are more messages than were seen. False when the time is over."""
    receiver = _thread.allocate_lock()
    receiver.acquire()
    with bonds.lock:
        if process._dead:
            return True
        bonds.bonds_of(process).receiver = receiver
    process._queued = IDLE  # so that who sends wakes us
    try:
        if process._dead or _has_exits(process) or len(process._waiting()) > seen:
            return True
        runner = local.here.runner
        if runner is not None:
            runner.let_go()
        return receiver.acquire(True, lock_timeout(timeout)) or len(process._waiting()) > seen
    finally:
        with bonds.lock:
            if process._bonds is not None:
                process._bonds.receiver = None
