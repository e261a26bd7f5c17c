"""The process of a task: a function that runs once, in a thread for itself.

Owns:  the run of the function, and its answer to who waits for it.
Knows: that the function may wait for long, so that exit signals cannot wait for its end.
Never: runs in the thread of who started it, nor in one that runs other processes; sends its owner two messages.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from tinybeam.process import bonds, ending, starting
from tinybeam.process.errors import NoProcess
from tinybeam.process.here import local
from tinybeam.process.messages import INFO, Monitor
from tinybeam.process.pool import pool
from tinybeam.process.process import Process
from tinybeam.process.reasons import NORMAL

# How a task is tied to its owner. "link": each ends when the other fails; "follow": the task ends when its owner does.
Tie = Literal["link", "follow", "none"]


class TaskReply(NamedTuple):
    """What a task sends to its owner: the value that its function returned. `monitor` is the task's."""

    monitor: Monitor
    value: Any


class TaskProcess(Process):
    """`start` and its like take the function and what it is given.

    An exit signal ends it at once, as in OTP; but Python cannot stop the function: its thread goes on for nobody, and
    what it comes to is dropped. `ref.stop()` waits for the function to return.
    """

    blocking = True
    _runs_itself = True

    # The process that waits for its answer, how the two are tied, and the monitor that stands for it.
    _owner: Any = None
    _tie: Tie = "none"
    _reply_to: Monitor | None = None
    _context: contextvars.Context | None = None

    @classmethod
    def start_for(
        cls,
        owner: Any,
        function: Any,
        args: tuple[Any, ...],
        *,
        tie: Tie,
        parent: Any = None,
        context: contextvars.Context | None = None,
    ) -> Monitor:
        """Starts a task that tells a process what its function returns; gives the monitor that stands for it."""
        process = cls.__new__(cls)
        process._owner = owner
        process._tie = tie
        process._context = context
        monitor: Monitor = starting.begin(process, (function, *args), {}, parent=parent, watcher=owner)
        return monitor

    # Its run.

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._function: Callable[..., Any] = args[0]
        self._args = args[1:]
        self._kwargs = kwargs
        if self._context is None:
            # What the code that starts it keeps in contextvars, the task sees.
            self._context = contextvars.copy_context()
        if self._owner is not None:
            _tie(self, self._owner, self._tie)
            self._reply_to = next(iter(bonds.bonds_of(self).watched_by), None)
        pool.run(self._run)

    def _leave(self) -> None:
        """Nobody but its own thread runs it: the run lock stays locked."""

    def _run(self) -> None:
        if self._dead or self._context is None:
            return
        here = local.here
        here.process = self
        try:
            value = self._context.run(self._function, *self._args, **self._kwargs)
            if inspect.iscoroutine(value):
                value.close()
                raise TypeError("the function of a task is async; start asyncio.run with what it returns instead")
        except BaseException as error:  # noqa: BLE001 - a crash of the task, and not of the thread
            told = (getattr(self._function, "__qualname__", self._function), *self._args)
            ending.on_error(self, error, told, None)
        else:
            if self._reply_to is not None:
                self._answer_owner(self._reply_to, value)
            ending.end(self, NORMAL)
        finally:
            here.process = None
            # Who keeps the task shall not keep what it worked on.
            del self._function, self._args, self._kwargs
            self._context = None

    def _answer_owner(self, monitor: Monitor, value: Any) -> None:
        """Sends the answer, unless the owner has taken its monitor back. Unties the two: it is the last message."""
        owner = monitor.watcher
        with bonds.lock:
            # Who takes the monitor back has the same lock: afterwards nothing comes.
            if not bonds.unwatch(monitor):
                return
            bonds.unlink(self, owner)
            owner._box.append((INFO, TaskReply(monitor, value), None))
        owner._nudge()

    def _wake(self) -> None:
        """Nobody else runs it; its thread may wait in `receive`."""
        self._wake_receiver()

    def _signal(self, signal: Any) -> None:
        """Takes it at once: its one message lasts as long as it lives."""
        if not self._dead:
            signal(self)


def _tie(process: Any, owner: Any, tie: Tie) -> None:
    with bonds.lock:
        if owner._dead:
            raise NoProcess(f"{owner} has ended, and starts no more tasks")
        if tie == "link":
            bonds.link(process, owner)
        elif tie == "follow":  # a link in one direction
            bonds.bonds_of(owner).links[process] = None
            bonds.bonds_of(process).on_end.append(lambda _ref: bonds.unlink(owner, process))
