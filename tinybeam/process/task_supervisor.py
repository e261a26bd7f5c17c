"""Task.Supervisor: tasks below a supervisor, which ends them when the program stops.

Owns:  the ways to start a task there.
Knows: that a task whose owner shall outlive its crash is not linked to it (`async_nolink`).
Never: starts a task again, unless `start_child` was told to.

As Elixir's Task.Supervisor. `TaskSupervisor.start_link(name="mails", max_children=100)` goes below a supervisor.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, TypeVarTuple

from tinybeam.process.childspec import WORKER_SHUTDOWN_MS, ChildSpec, Restart, Shutdown
from tinybeam.process.dynamic_supervisor import DynamicSupervisor
from tinybeam.process.here import current
from tinybeam.process.messages import Monitor
from tinybeam.process.outcomes import Outcome
from tinybeam.process.ref import ProcessRef
from tinybeam.process.task import Task
from tinybeam.process.task_process import TaskProcess, Tie
from tinybeam.process.task_stream import STREAM_TIMEOUT_S, OnTimeout, Stream

R = TypeVar("R")
Args = TypeVarTuple("Args")


class TaskSupervisor(DynamicSupervisor):
    """Call these on the class, with the supervisor's ref or name first; also known as `Task.Supervisor`.

    `shutdown` is how many milliseconds a task has that traps exits; see ChildSpec. All raise TooManyChildren.

    >>> mails = TaskSupervisor.start(name="mails")
    >>> Task.await_(TaskSupervisor.async_nolink("mails", pow, 2, 10))
    1024
    >>> mails.stop()
    True
    """

    @staticmethod
    def async_(
        supervisor: Any, function: Callable[[*Args], R], *args: *Args, shutdown: Shutdown = WORKER_SHUTDOWN_MS
    ) -> Task[R]:
        """`Task.async_` below the supervisor: linked to the process that calls this, and to the supervisor."""
        return Task(_launch(supervisor, current(), function, args, "link", shutdown), function)

    @staticmethod
    def async_nolink(
        supervisor: Any, function: Callable[[*Args], R], *args: *Args, shutdown: Shutdown = WORKER_SHUTDOWN_MS
    ) -> Task[R]:
        """The same, not linked to the process that calls this: its crash is told to that, and harms nobody."""
        return Task(_launch(supervisor, current(), function, args, "none", shutdown), function)

    @staticmethod
    def start_child(  # type: ignore[override]
        supervisor: Any,
        function: Callable[[*Args], Any],
        *args: *Args,
        restart: Restart = "temporary",
        shutdown: Shutdown = WORKER_SHUTDOWN_MS,
    ) -> ProcessRef[Any]:
        """Starts a task that nobody waits for, and gives its ref. `restart`: whether the function is run again."""
        start = (contextvars.copy_context(), function, args)
        spec = ChildSpec(id=TaskProcess, start=_start_child, args=start, restart=restart, shutdown=shutdown)
        ref = DynamicSupervisor.start_child(supervisor, spec)
        assert ref is not None
        return ref

    @staticmethod
    def children(supervisor: Any) -> list[Any]:
        """The refs of all tasks that run."""
        refs = [info.child for info in DynamicSupervisor.which_children(supervisor)]
        # One may have ended of which the supervisor has not been told yet.
        return [ref for ref in refs if isinstance(ref, ProcessRef) and ref._process and not ref._process._dead]

    @staticmethod
    def async_stream(
        supervisor: Any,
        iterable: Iterable[Any],
        function: Callable[..., Any],
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = STREAM_TIMEOUT_S,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = WORKER_SHUTDOWN_MS,
    ) -> Iterator[Outcome]:
        """`Task.async_stream` with its tasks below the supervisor."""

        def launch(owner: Any, item: Any) -> Monitor:
            return _launch(supervisor, owner, function, (item, *args), "follow", shutdown)

        stream = Stream(launch, max_concurrency, ordered=ordered, timeout=timeout, on_timeout=on_timeout, linked=True)
        return stream.outcomes(iterable)

    @staticmethod
    def async_stream_nolink(
        supervisor: Any,
        iterable: Iterable[Any],
        function: Callable[..., Any],
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = STREAM_TIMEOUT_S,
        on_timeout: OnTimeout = "exit",
        shutdown: Shutdown = WORKER_SHUTDOWN_MS,
    ) -> Iterator[Outcome]:
        """The same, with Exited(reason) for each task that fails, whoever iterates."""

        def launch(owner: Any, item: Any) -> Monitor:
            return _launch(supervisor, owner, function, (item, *args), "none", shutdown)

        stream = Stream(launch, max_concurrency, ordered=ordered, timeout=timeout, on_timeout=on_timeout, linked=False)
        return stream.outcomes(iterable)


Task.Supervisor = TaskSupervisor


def _launch(supervisor: Any, owner: Any, function: Any, args: tuple[Any, ...], tie: Tie, shutdown: Shutdown) -> Monitor:
    """Starts a task that its owner waits for, below the supervisor."""
    made: list[Monitor] = []
    start = (made, owner, function, args, tie, contextvars.copy_context())
    spec = ChildSpec(id=TaskProcess, start=_start_awaited, args=start, restart="temporary", shutdown=shutdown)
    DynamicSupervisor.start_child(supervisor, spec)
    return made[0]


# What the supervisor calls.


def _start_awaited(
    made: list[Monitor],
    owner: Any,
    function: Any,
    args: tuple[Any, ...],
    tie: Tie,
    context: contextvars.Context,
) -> Any:
    monitor = TaskProcess.start_for(owner, function, args, tie=tie, parent=current(), context=context)
    made.append(monitor)
    return monitor.watched._actor_ref


def _start_child(context: contextvars.Context, function: Any, args: tuple[Any, ...]) -> Any:
    # The task makes a copy of the context that it is started in.
    return context.run(TaskProcess.start_link, function, *args)
