"""A visitor: a process whose code somebody else runs, from its beginning to its end, in one thread.

Owns:  what makes a piece of work that was begun without a process one, when it first needs to be: a request, say.
Knows: that its thread cannot be stopped: who is killed is dead for everybody else, and hears of it when it asks.
Never: is run by the ready queue; takes messages but with `receive`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from tinybeam.process import bonds, ending
from tinybeam.process.messages import Exit
from tinybeam.process.process import Process
from tinybeam.process.reasons import NORMAL, is_normal


class Visitor(Process):
    """`enter` makes one; whoever runs its code calls `leave` afterwards."""

    __slots__ = ("_on_killed", "failure", "label")

    _on_killed: Callable[[object], None] | None
    label: str
    """What it does, in words."""
    failure: BaseException | None
    """What its code has raised; links and monitors are told it when it leaves."""

    @classmethod
    def enter(cls, label: str, on_killed: Callable[[object], None]) -> Self:
        """A process that runs already. `on_killed` is called with the reason if it is ended by others."""
        self = cls.__new__(cls)
        self.label = label
        self.failure = None
        self._on_killed = on_killed
        bonds.processes.add(self)
        return self

    def leave(self) -> None:
        """Its code has returned, or has raised."""
        self._on_killed = None
        ending.bury(self, NORMAL if self.failure is None else self.failure)

    def _wake(self) -> None:
        """Nobody runs it; its thread may wait in `receive`."""
        self._wake_receiver()

    def _signal(self, signal: Any) -> None:
        """Takes it at once: its one message lasts as long as it lives."""
        if not self._dead:
            signal(self)

    def _on_exit(self, sender: Any, reason: object) -> None:
        if self.trap_exit:
            self._dispatch_info(Exit(sender, reason))
        elif not is_normal(reason):
            ending.bury(self, reason)

    def _on_buried(self, reason: object) -> None:
        on_killed, self._on_killed = self._on_killed, None
        if on_killed is not None:
            on_killed(reason)
