"""Where an answer goes: to a thread that waits, to a future of pykka's, or to an event loop.

Owns:  one answer, given once; a second one goes nowhere.
Knows: that who asks and who answers may be two threads, and that the asker may have gone.
Never: blocks who answers.
"""

from __future__ import annotations

import _thread
import contextlib
from typing import Any, Final

from tinybeam.process import bonds
from tinybeam.process.errors import NoProcess, ProcessExited
from tinybeam.process.reasons import said

_UNSET: Final[Any] = object()
# What a callback gives whose answer comes later.
PENDING: Final[Any] = object()


class From:
    """OTP's `from`: keep it, return NoReply, and answer later with `reply(from_, value)`, from anywhere.

    Every call makes one and hardly any uses it, so it has no `__init__`: what is not set yet is found in the class.
    """

    __slots__ = ("__dict__", "caller")

    caller: Any  # the process that asks; None when a plain thread does
    _value: Any = _UNSET
    _waiter: Any = _UNSET
    _error: Any = _UNSET

    @property
    def answered(self) -> bool:
        """Whether an answer, or the news that there will be none, has been given."""
        return self._value is not _UNSET

    def set(self, value: Any) -> None:
        """Gives the answer. For who answers."""
        if self._value is _UNSET:
            self._value = value
            if self._waiter is not _UNSET:
                self._release()

    def fail(self, error: BaseException) -> None:
        """Says that there will be none: the asker gets the exception."""
        if self._value is _UNSET:
            self._error = error
            self.set(None)

    def crashed(self, ref: Any, error: BaseException) -> None:
        """The process crashed on this very message."""
        self.fail(exited(ref, error))

    def refuse(self, ref: Any, reason: object) -> None:
        """The process has ended without having looked at it; reason None: it had before it was sent."""
        self.fail(exited(ref, reason))

    @property
    def failed(self) -> bool:
        """Whether there will be no answer."""
        return self._error is not _UNSET

    def _release(self) -> None:
        with contextlib.suppress(RuntimeError):  # two have answered at once
            self._waiter.release()

    def wait(self, timeout: float | None) -> bool:
        """Waits so many seconds for the answer, None: for as long as it takes. For the asker. False when none came."""
        if self._value is not _UNSET:
            return True
        waiter = _thread.allocate_lock()
        waiter.acquire()
        self._waiter = waiter
        # Who answered before it could see the waiter has stored the answer before we look.
        if self._value is _UNSET:
            waiter.acquire(True, lock_timeout(timeout))
        return self._value is not _UNSET

    def get(self) -> Any:
        """The answer that was given; raises what `fail` was given."""
        if self._error is not _UNSET:
            raise self._error
        return self._value


class LoopFrom(From):
    """An answer that goes to an event loop."""

    __slots__ = ("_future", "_loop")

    def __init__(self, caller: Any, loop: Any, future: Any) -> None:
        self.caller = caller
        self._loop = loop
        self._future = future

    def set(self, value: Any) -> None:
        """Gives the answer."""
        super().set(value)
        with contextlib.suppress(RuntimeError):  # the loop has closed, or nobody waits any more
            self._loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class FutureFrom:
    """An answer that goes to a future of pykka's, which wants what was raised as it is."""

    __slots__ = ("caller", "future", "process")

    def __init__(self, future: Any, process: Any) -> None:
        self.caller = None
        self.future = future
        self.process = process
        if not bonds.expect(process, self):
            self.refuse(process, None)

    def set(self, value: Any) -> None:
        """Gives the answer."""
        bonds.settle(self.process, self)
        with contextlib.suppress(Exception):  # pykka's future takes one, and says so
            self.future.set(value)

    def fail(self, error: BaseException) -> None:
        """Says that there will be none."""
        bonds.settle(self.process, self)
        with contextlib.suppress(Exception):
            self.future.set_exception((type(error), error, error.__traceback__))

    def crashed(self, ref: Any, error: BaseException) -> None:
        """The process crashed on this very message."""
        self.fail(error)

    def refuse(self, ref: Any, reason: object) -> None:
        """The process has ended without having looked at it."""
        self.fail(exited(ref, reason))


class StopFrom(From):
    """Where it goes that a process has stopped: whatever it ended of, it has."""

    __slots__ = ()

    def refuse(self, ref: Any, reason: object) -> None:
        """It ended before it came to this."""
        self.set(reason is not None)


class StopFutureFrom(FutureFrom):
    """The same for a future of pykka's."""

    __slots__ = ()

    def refuse(self, ref: Any, reason: object) -> None:
        """It ended before it came to this."""
        self.set(reason is not None)


def lock_timeout(timeout: float | None) -> float:
    """A timeout as a lock's acquire takes it: None, and what is beyond what the operating system counts, is no limit.

    >>> lock_timeout(None), lock_timeout(float("inf")), lock_timeout(-3), lock_timeout(2.5)
    (-1, -1, 0.0, 2.5)
    """
    return -1 if timeout is None or timeout > _thread.TIMEOUT_MAX else max(0.0, timeout)


def exited(ref: Any, reason: object) -> ProcessExited:
    """The exception for who waits for an answer of a process that has ended."""
    if reason is None:
        return NoProcess(f"{ref} had ended")
    error = ProcessExited(f"{ref} ended before it answered: {said(reason)}", reason)
    if isinstance(reason, BaseException):
        error.__cause__ = reason
    return error
