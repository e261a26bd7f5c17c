"""A producer: a process that runs an iterator, for as much as somebody asks for at a time.

Owns:  the iterator, and what it waits for: to be asked, a message, or a time.
Knows: that an iterator may block, which whoever runs processes sees to, and that a generator can be sent values.
Never: asks the iterator for a part that nobody wants; waits in a thread; is in the iterator in two threads at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Protocol

from tinybeam.process import ending, report
from tinybeam.process.messages import INFO, TIMEOUT, Entry
from tinybeam.process.process import Process
from tinybeam.process.reasons import NORMAL
from tinybeam.process.timers import timers

# So many parts, then it is another process' turn.
PARTS_A_TURN: Final = 32


class Wait:
    """Yielded by an iterator that a producer runs: it has no part for now. No thread waits with it.

    It goes on when its process is sent a message, which `yield` then gives, or after `seconds`; then it gives None.
    `seconds` None: for as long as it takes. Raises ValueError for less than none.

    >>> def ticks():
    ...     while True:
    ...         yield "tick"
    ...         yield Wait(1.0)
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float | None = None) -> None:
        if seconds is not None and not seconds >= 0:
            raise ValueError(f"a wait lasts 0 seconds or longer, not {seconds!r}")
        self.seconds = seconds


class Sink(Protocol):
    """Where the parts go."""

    def begin(self) -> None:
        """The producer is at the beginning of a turn in which it will put parts, all of them in this thread."""

    def put(self, part: Any, credit: int) -> int:
        """Takes a part, and returns how much credit is left. It may keep it until `flush`, or until another thread
        finds that the producer is inside its iterator for long. What it raises ends the producer."""

    def flush(self, credit: int) -> int:
        """The producer is at the end of a turn in which it has put parts. Returns the credit that it goes on with:
        without any it is to be asked again. What it raises ends the producer."""

    def done(self) -> None:
        """The iterator has come to its end."""

    def broken(self, error: BaseException | None) -> None:
        """It has raised, or None: others have ended the producer. No part follows."""


class Producer(Process):
    """`start(iterator, sink)`; it begins when `ask` is called."""

    __slots__ = ("_credit", "_iterator", "_kept", "_news", "_sink", "_timer", "_waits")

    _iterator: Iterator[Any] | None

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        iterator, self._sink = args
        self._iterator = iter(iterator)
        self._credit = 0
        self._waits = False
        self._timer: Any = None
        # What it was sent while it did not wait for anything, made when there is some, and what it is given next.
        self._kept: deque[Any] | None = None
        self._news: Any = None

    # Any thread.

    def ask(self, credit: int) -> None:
        """So much is wanted now, in the sink's own unit."""

        def grant(_process: Any) -> None:
            self._credit = credit

        self._signal(grant)

    def cancel(self, error: BaseException) -> None:
        """Nothing is wanted any more: the generator is thrown the error where it is, and the process ends."""
        self._signal(lambda _process: self._cancelled(error))

    def finish(self) -> None:
        """It is enough: the iterator is closed, as if it had come to its end."""
        self._signal(lambda _process: self._finished())

    # Running. The run lock is held.

    def _turn(self, budget: int) -> None:
        super()._turn(budget)
        if self._is_wanted() and not self._dead:
            self._make()
        if self._dead and self._iterator is not None:
            self._close()  # it was killed while it was inside

    def _is_wanted(self) -> bool:
        return self._credit > 0 and not self._waits and not self._held

    def _leave(self) -> None:
        goes_on = not self._dead and self._is_wanted()
        super()._leave()
        if goes_on:
            self._wake()

    def _make(self) -> None:
        """Gets parts, and passes them on."""
        iterator: Any = self._iterator
        sink = self._sink
        put = sink.put
        try:
            sink.begin()
            for _ in range(PARTS_A_TURN):
                part = next(iterator) if self._news is None else self._next()
                if self._dead:
                    break
                if type(part) is Wait:
                    self._wait(part)
                    if self._waits:
                        break
                else:
                    self._credit = credit = put(part, self._credit)
                    if credit <= 0:
                        break
            self._credit = sink.flush(self._credit)
        except StopIteration:
            self._iterator = None
            sink.done()
            ending.bury(self, NORMAL)
        except BaseException as error:  # noqa: BLE001 - SystemExit ends this one and no other
            if self._dead:
                sink.flush(0)  # nobody wants what is left in it
            else:
                sink.broken(error)
                self._close()
                ending.bury(self, error)

    def _next(self) -> Any:
        news, self._news = self._news, None
        iterator: Any = self._iterator
        if news is not None and hasattr(iterator, "send"):
            return iterator.send(news)
        return next(iterator)

    def _wait(self, wait: Wait) -> None:
        if self._kept:
            self._news = self._kept.popleft()
            if not self._kept:
                self._kept = None
            return
        self._waits = True
        if wait.seconds is not None:
            self._timer = timers.start(self._actor_ref, TIMEOUT, None, wait.seconds * 1000)

    def _dispatch(self, kind: int, message: Any, reply_to: Any) -> None:
        if kind == TIMEOUT:
            if message is self._timer:  # or else it is that of an earlier wait
                self._waits, self._timer = False, None
        elif kind != INFO:
            super()._dispatch(kind, message, reply_to)
        elif self._waits:
            self._waits = False
            self._forget_timer()
            self._news = message
        elif self._kept is None:
            self._kept = deque((message,))
        else:
            self._kept.append(message)

    def _forget_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timers.cancel(timer)

    # What `receive` looks at, in code of the iterator's.

    def _waiting(self) -> list[Entry]:
        return [*((INFO, message, None) for message in self._kept or ()), *super()._waiting()]

    def _remove(self, entry: Entry) -> None:
        kept = self._kept
        for index, message in enumerate(kept or ()):
            if kept is not None and message is entry[1]:
                del kept[index]
                return
        super()._remove(entry)

    # Ends.

    def _finished(self) -> None:
        self._close()
        self._sink.done()
        ending.bury(self, NORMAL)

    def _cancelled(self, error: BaseException) -> None:
        iterator: Any = self._iterator
        if hasattr(iterator, "throw"):
            try:
                iterator.throw(error)
            except StopIteration:
                pass
            except BaseException as raised:  # noqa: BLE001
                if raised is not error:
                    report.crash(self, raised, error)
        # It leads to all that the generator had, and from there back to itself: that would be there until the next
        # collection of cycles.
        error.__traceback__ = None
        self._close()
        ending.bury(self, NORMAL)

    def _close(self) -> None:
        self._forget_timer()
        iterator, self._iterator = self._iterator, None
        close = getattr(iterator, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as error:  # noqa: BLE001 - "generator ignored GeneratorExit", or its own
                report.crash(self, error, "its end")

    def _on_buried(self, reason: object) -> None:
        if self._iterator is None:
            return
        if not getattr(self._iterator, "gi_running", False):  # or else its thread closes it when it comes out
            self._close()
        self._sink.broken(None)
