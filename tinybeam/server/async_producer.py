"""What gives the parts of an answer, where that is an async iterable: a task of the event loop.

Owns:  the task, and the process that it is for others, made when somebody first asks for it.
Knows: that it is asked for so much at a time, as a Producer is; that an async generator is told of its end by
       cancellation where it awaits, and by the error itself where it has yielded.
Never: asks the source for a part that nobody wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterable, Callable
from typing import Any, Final

from tinybeam.process import Visitor, occupant
from tinybeam.server.loop import EventLoop
from tinybeam.server.stream import Stream

# So many parts, then it is another task's turn.
PARTS_A_TURN: Final = 32
# Of all of them, since it is held for a moment and seldom: one for each would be memory.
_entering: Final = threading.Lock()


class AsyncProducer:
    """`ask`, `cancel` and `finish` are those of a Producer."""

    __slots__ = (
        *("_credit", "_ending", "_error", "_loop", "_parts", "_stream", "_task", "_visitor", "_wanted", "over"),
        "process",
    )

    def __init__(self, loop: EventLoop, source: AsyncIterable[Any], stream: Stream) -> None:
        self._loop = loop
        self._parts: Any = source.__aiter__()
        self._stream = stream
        self._credit = 0
        self._task: asyncio.Task[Any] | None = None
        self._wanted: asyncio.Future[None] | None = None
        # Why it shall end, if not by itself: the error for its code, or None when it is simply enough.
        self._ending = False
        self._error: BaseException | None = None
        # What the loop asks of whoever's turn it is.
        self.over = False
        self.process: Any = None
        self._visitor: Visitor | None = None
        if not loop.run(self._run):
            self._leave()

    @property
    def actor_ref(self) -> Any:
        """The ref of its process; None when it is over."""
        process = self.visitor()
        return None if process is None else process.actor_ref

    def let_go(self) -> None:
        """Nobody can take the loop from its thread."""

    def visitor(self) -> Visitor | None:
        """Its process; any thread. None when it is over."""
        with _entering:
            if self._visitor is None and not self.over:
                self._visitor = Visitor.enter(self._stream.label, self._on_killed)
            return self._visitor

    def _leave(self) -> None:
        with _entering:
            self.over = True
            process, self._visitor = self._visitor, None
        if process is not None:
            process.leave()

    # Any thread.

    def ask(self, credit: int) -> None:
        """So many octets are wanted now."""
        self._call(self._grant, credit)

    def cancel(self, error: BaseException) -> None:
        """Nothing is wanted any more."""
        self._call(self._end, error)

    def finish(self) -> None:
        """It is enough: as if it had come to its end."""
        self._call(self._end, None)

    def _call(self, function: Callable[[Any], None], argument: Any) -> None:
        if not self.over:  # a loop that has never been started is over for it
            self._loop.call(function, argument)

    def _on_killed(self, _reason: object) -> None:
        self._stream.broken(None)
        self.cancel(asyncio.CancelledError())

    # The loop's thread.

    def _grant(self, credit: int) -> None:
        self._credit = credit
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    def _end(self, error: BaseException | None) -> None:
        if self._ending or self.over:
            return
        self._ending, self._error = True, error
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        occupant.set(self)
        self._task = asyncio.current_task()
        inside, parts = False, 0
        try:
            while not self._ending:
                if self._credit <= 0:
                    self._wanted = asyncio.get_running_loop().create_future()
                    await self._wanted
                    self._wanted = None
                    continue
                inside = True
                part = await anext(self._parts)
                inside = False
                self._credit = self._stream.put(part, self._credit)
                parts += 1
                if parts % PARTS_A_TURN == 0:
                    await asyncio.sleep(0)  # a source that never waits would be the only one
        except StopAsyncIteration:
            self._stream.done()
        except BaseException as error:  # noqa: BLE001 - SystemExit ends this one and no other
            if not self._ending:
                self._stream.broken(error if not isinstance(error, asyncio.CancelledError) else None)
        finally:
            await self._close(at_a_yield=not inside)

    async def _close(self, *, at_a_yield: bool) -> None:
        """Tells the source of its end, and whoever waits for the process of its own."""
        with contextlib.suppress(BaseException):
            if at_a_yield and self._error is not None and hasattr(self._parts, "athrow"):
                await self._parts.athrow(self._error)
        with contextlib.suppress(BaseException):
            if hasattr(self._parts, "aclose"):
                await self._parts.aclose()
        if self._ending and self._error is None:
            self._stream.done()
        self._leave()
