"""What runs in the thread of an event loop: many pieces of work in turns, each of which may be a process.

Owns:  the Here of such a thread, and which piece of work a coroutine or a callback belongs to.
Knows: context variables, which asyncio hands down from a task to the tasks and callbacks that it makes.
Never: holds what one piece of work has asked for when it is another one's turn.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Protocol

from tinybeam.process.here import Here, Lender, local


class Occupant(Lender, Protocol):
    """A piece of work that has such a thread whenever it is its turn."""

    process: Any
    """Here's `process` as long as it is its turn."""

    @property
    def over(self) -> bool:
        """Whether it is done; tasks that it has left behind may still run."""


occupant: ContextVar[Occupant | None] = ContextVar("tinybeam_occupant", default=None)


class LoopHere(Here):
    """The Here of an event loop's thread. What belongs to no work, or to one that is over, is the thread's own."""

    __slots__ = ("_alone", "_own")

    in_loop = True

    def __init__(self) -> None:
        super().__init__()
        # Of the thread itself, for what nobody's turn is.
        self._own: Any = None
        # Whether nobody lends the thread: in the child of a fork.
        self._alone = False

    @property
    def process(self) -> Any:
        """Whose code runs now."""
        one = occupant.get()
        return self._own if one is None or one.over else one.process

    @process.setter
    def process(self, process: Any) -> None:
        one = occupant.get()
        if one is None or one.over:
            self._own = process
        else:
            one.process = process

    @property
    def runner(self) -> Lender | None:
        """The work whose turn it is, which can be made a process."""
        one = occupant.get()
        return None if one is None or one.over or self._alone else one

    @runner.setter
    def runner(self, runner: Lender | None) -> None:
        self._alone = runner is None


def enter_loop() -> None:
    """This thread is an event loop's from here on; who runs in it sets `occupant` in a context of its own."""
    local.here = LoopHere()
