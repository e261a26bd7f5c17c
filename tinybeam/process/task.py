"""Task: a function that runs meanwhile, in a process for itself, and whose value is waited for.

Owns:  the handle of a task, and the ways to wait for it.
Knows: that a task's answer comes to its owner as a message, so that who does not wait for it finds it among the others.
Never: lets anybody but the owner wait, or anybody wait twice.

As Elixir's Task, with one difference: of a task comes one message, TaskReply or Down, and never both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar, TypeVarTuple

from tinybeam.process import ending, links
from tinybeam.process.answer import exited
from tinybeam.process.errors import CallTimeout, ReceiveTimeout
from tinybeam.process.here import current
from tinybeam.process.messages import Down, Monitor
from tinybeam.process.outcomes import Exited, Outcome, forget, next_outcome
from tinybeam.process.reasons import KILL, KILLED, NOPROC, SHUTDOWN
from tinybeam.process.receiving import receive
from tinybeam.process.task_process import TaskProcess, TaskReply
from tinybeam.process.task_stream import STREAM_TIMEOUT_S, OnTimeout, Stream

R = TypeVar("R")
Args = TypeVarTuple("Args")

AWAIT_TIMEOUT_S: Final = 5.0
SHUTDOWN_S: Final = 5.0


class Task(Generic[R]):
    """What `Task.async_` gives; call these on the class, as Elixir's.

    A GenServer that does not wait gets `TaskReply(monitor, value)`, or `Down`, in handle_info; `task.monitor` tells
    which task it is of.

    >>> task = Task.async_(pow, 2, 10)
    >>> Task.await_(task)
    1024
    >>> list(Task.async_stream([3, 1, 2], float))
    [Done(value=3.0), Done(value=1.0), Done(value=2.0)]
    """

    __slots__ = ("_function", "_taken", "monitor")

    # As a child of a supervisor it runs once.
    restart: ClassVar[str] = "temporary"
    Supervisor: ClassVar[Any]
    """See TaskSupervisor."""

    def __init__(self, monitor: Monitor, function: object) -> None:
        self.monitor = monitor
        self._function = function
        # Whether it was waited for.
        self._taken = False

    @property
    def owner(self) -> Any:
        """The ref of the process that started it, and may wait for it."""
        return self.monitor.watcher._actor_ref

    @property
    def process(self) -> Any:
        """The ref of its own process; None for a completed one."""
        watched = self.monitor.watched
        return None if watched is None else watched._actor_ref

    def __repr__(self) -> str:
        return f"<task {getattr(self._function, '__qualname__', self._function)} of {self.owner}>"

    # Starting.

    @staticmethod
    def start(function: Callable[[*Args], Any], *args: *Args) -> Any:
        """Runs a function in a process for itself, which nobody waits for; gives the ref."""
        return TaskProcess.start(function, *args)

    @staticmethod
    def start_link(function: Callable[[*Args], Any], *args: *Args) -> Any:
        """The same, linked to the process that calls this: what supervisors start."""
        return TaskProcess.start_link(function, *args)

    @staticmethod
    def async_(function: Callable[[*Args], R], *args: *Args) -> Task[R]:
        """Starts a task for `await_`, linked to the process that calls this: when either fails, so does the other.

        The function runs in a thread for itself and may block. The task ends at once when its owner fails, but its
        thread goes on until the function returns, for nobody.
        """
        owner = current()
        return Task(TaskProcess.start_for(owner, function, args, tie="link", parent=owner), function)

    @staticmethod
    def completed(value: R) -> Task[R]:
        """A task that has its value already, for code that sometimes has to ask and sometimes need not."""
        owner = current()
        monitor = Monitor(owner, None)
        owner._dispatch_info(TaskReply(monitor, value))
        return Task(monitor, "completed")

    # Waiting, for the owner.

    @staticmethod
    def await_(task: Task[R], timeout: float | None = AWAIT_TIMEOUT_S) -> R:
        """The task's value. `timeout` is in seconds, None: no limit.

        Raises CallTimeout when it does not come in time, and ProcessExited when the task ends without one. The task
        goes on after a timeout, unless that ends its owner; its value goes nowhere. Raises ValueError for who is not
        the owner, or waits again.
        """
        return Task.await_many([task], timeout)[0]

    @staticmethod
    def await_many(tasks: Iterable[Task[R]], timeout: float | None = AWAIT_TIMEOUT_S) -> list[R]:
        """The values of tasks, in their order. After the first failure none of them is waited for any more."""
        all_tasks = list(tasks)
        wait = _Wait(all_tasks)
        values = {}
        try:
            for task, outcome in wait.outcomes(timeout):
                if isinstance(outcome, Exited):
                    raise exited(task.process, outcome.reason)
                values[task] = outcome.value
            for late in wait.left:
                raise CallTimeout(f"{late} gave no answer within {timeout:g} s; shut it down if nobody needs it")
        finally:
            wait.give_up()
        return [values[task] for task in all_tasks]

    @staticmethod
    def yield_(task: Task[R], timeout: float | None = AWAIT_TIMEOUT_S) -> Outcome | None:
        """Done or Exited; None when it is neither within so many seconds, and then you may ask again.

        >>> from tinybeam.process.outcomes import Done
        >>> task = Task.async_(pow, 2, 3)
        >>> match Task.yield_(task, 5) or Task.shutdown(task):
        ...     case Done(value): value
        8
        """
        return Task.yield_many([task], timeout)[0][1]

    @staticmethod
    def yield_many(
        tasks: Iterable[Task[Any]], timeout: float | None = AWAIT_TIMEOUT_S
    ) -> list[tuple[Task[Any], Outcome | None]]:
        """The same of many: each task and what has come of it, in their order."""
        all_tasks = list(tasks)
        ended = dict(_Wait(all_tasks).outcomes(timeout))
        return [(task, ended.get(task)) for task in all_tasks]

    @staticmethod
    def shutdown(task: Task[R], timeout: float | Literal["brutal_kill"] | None = SHUTDOWN_S) -> Outcome | None:
        """Ends a task, and says what had come of it: Done, Exited, or None when this has ended it.

        It is sent the exit signal "shutdown"; one that traps exits has so many seconds (None: no limit) before it is
        killed. Its thread goes on until the function returns. One that was given up by `await_` may be shut down too.
        """
        _check_owner(task)
        outcome = None if task._taken else Task.yield_(task, 0)
        if outcome is not None:
            return outcome
        ref = task.process
        if ref is None:
            return Exited(NOPROC)
        links.unlink(ref)
        reason = _end(ref, timeout)
        # Its own message came before the one that `_end` has waited for.
        outcome = (None if task._taken else Task.yield_(task, 0)) or Exited(reason)
        if isinstance(outcome, Exited) and type(outcome.reason) is str and outcome.reason in (SHUTDOWN, KILLED):
            return None
        return outcome

    @staticmethod
    def async_stream(
        iterable: Iterable[Any],
        function: Callable[..., Any],
        *args: Any,
        max_concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = STREAM_TIMEOUT_S,
        on_timeout: OnTimeout = "exit",
    ) -> Iterator[Outcome]:
        """Runs `function(item, *args)` for each item, so many at once (None: one for each CPU), and gives an iterator.

        It gives a Done for each item, in their order or as they come; it takes an item when a task can start with it,
        and is at most some way ahead of who iterates. A task that fails raises ProcessExited here; when this process
        traps exits, as a plain thread does, it gives Exited(reason) instead. One that takes longer than `timeout`
        raises CallTimeout; with `on_timeout="kill_task"` it is killed and gives Exited("timeout"). Whatever ends the
        iteration ends the tasks. Raises ValueError when another process goes on with it.
        """

        def launch(owner: Any, item: Any) -> Monitor:
            return TaskProcess.start_for(owner, function, (item, *args), tie="follow")

        stream = Stream(launch, max_concurrency, ordered=ordered, timeout=timeout, on_timeout=on_timeout, linked=True)
        return stream.outcomes(iterable)


class _Wait:
    """Waits for what becomes of tasks. Raises ValueError for tasks that may not be waited for."""

    def __init__(self, tasks: list[Task[Any]]) -> None:
        for task in tasks:
            _check_owner(task)
            if task._taken:
                raise ValueError(f"{task} was waited for already; a task is waited for once")
        self._tasks = {task.monitor: task for task in tasks}

    @property
    def left(self) -> list[Task[Any]]:
        """Those of which nothing has come."""
        return list(self._tasks.values())

    def outcomes(self, timeout: float | None) -> Iterator[tuple[Task[Any], Outcome]]:
        """Each with what has come of it, as it comes, until the time is over."""
        deadline_s = None if timeout is None else monotonic() + timeout
        while self._tasks:
            try:
                outcome = next_outcome(self._tasks, deadline_s)
            except ReceiveTimeout:
                return
            task = self._tasks.pop(outcome[0])
            task._taken = True
            yield task, outcome[1]

    def give_up(self) -> None:
        """Nobody will wait for those that are left: their messages do not come, or are taken out."""
        for monitor, task in self._tasks.items():
            task._taken = True
            forget(monitor)


def _check_owner(task: Task[Any]) -> None:
    if task.monitor.watcher is not current():
        raise ValueError(f"{task} is waited for by the process that started it, and this is {current()}")


def _end(ref: Any, timeout: float | Literal["brutal_kill"] | None) -> object:
    """Ends a process, and gives its reason."""
    monitor = links.monitor(ref)
    down = None
    if not isinstance(timeout, str):
        ending.exit(ref, SHUTDOWN)
        down = _down(monitor, timeout)
    if down is None:
        ending.exit(ref, KILL)
        down = _down(monitor, None)
    return None if down is None else down.reason


def _down(monitor: Monitor, timeout: float | None) -> Down | None:
    """The message that the process has ended, if it comes in time."""
    try:
        down: Down = receive(timeout, want=lambda message: type(message) is Down and message.monitor is monitor)
    except ReceiveTimeout:
        return None
    return down
