"""pykka's future, for which an event loop can wait as well as a thread.

Owns:  who is to be told when the answer is there.
Knows: pykka's ThreadingFuture, which blocks whoever awaits it.
Never: imports an event loop: who awaits has one.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from pykka import ThreadingFuture

T = TypeVar("T")


class Future(ThreadingFuture[T]):
    """What `ask(block=False)` and a proxy's calls give: `get` it, or `await` it in an `async def` function."""

    def __init__(self) -> None:
        super().__init__()
        self._when_set: list[Callable[[], None]] = []

    def set(self, value: Any = None) -> None:
        """Gives the answer. Raises when there is one."""
        super().set(value)
        self._tell()

    def set_exception(self, exc_info: Any = None) -> None:
        """Says that there will be none. Raises when there is one."""
        super().set_exception(exc_info)
        self._tell()

    def _tell(self) -> None:
        with self._condition:
            told, self._when_set = self._when_set, []
        for tell in told:
            tell()

    def __await__(self) -> Generator[Any, Any, T]:
        asyncio: Any = sys.modules["asyncio"]
        loop = asyncio.get_running_loop()
        there = loop.create_future()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(lambda: there.done() or there.set_result(None))

        with self._condition:
            waits = self._result is None and self._get_hook is None
            if waits:
                self._when_set.append(tell)
        if waits:
            yield from there
        answer: T = self.get()
        return answer
