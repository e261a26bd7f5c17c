"""A stream of tasks: a function for each item of something, so many at once, and what comes of it one by one.

Owns:  which tasks run, which outcomes are there and not taken yet, and when the next item is asked for.
Knows: that who iterates may be slow, or stop half-way, and that the items may be without end.
Never: is more than some way ahead of who iterates; leaves a task running when the iteration is over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any, Final, Literal

from tinybeam.process import bonds, ending
from tinybeam.process.answer import exited
from tinybeam.process.errors import CallTimeout, ReceiveTimeout
from tinybeam.process.here import current, local
from tinybeam.process.messages import Monitor
from tinybeam.process.outcomes import Exited, Outcome, forget, next_outcome
from tinybeam.process.reasons import KILL

OnTimeout = Literal["exit", "kill_task"]

STREAM_TIMEOUT_S: Final = 5.0
# With `ordered` a slow task keeps the outcomes of those after it waiting; for each that may run, so many may wait.
_AHEAD: Final = 4


class Stream:
    """One stream. `launch(owner, item)` starts a task and gives its monitor; `linked`: its failure is the owner's."""

    def __init__(
        self,
        launch: Callable[[Any, Any], Monitor],
        max_concurrency: int | None,
        *,
        ordered: bool,
        timeout: float | None,
        on_timeout: OnTimeout,
        linked: bool,
    ) -> None:
        if max_concurrency is None:
            max_concurrency = os.cpu_count() or 1
        if type(max_concurrency) is not int or max_concurrency < 1:
            raise ValueError(f"max_concurrency must be a number above 0, not {max_concurrency!r}")
        if on_timeout not in ("exit", "kill_task"):
            raise ValueError(f"on_timeout must be 'exit' or 'kill_task', not {on_timeout!r}")
        self._launch = launch
        self._running_max = max_concurrency
        self._ordered = ordered
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._linked = linked
        # The tasks that run, in the order in which they were started: their places in the row, and their deadlines.
        self._running: dict[Monitor, tuple[int, float | None]] = {}
        self._started = 0
        # What has come and was not taken yet, by its place; without order, that is the place in which it came.
        self._come: dict[int, Outcome] = {}
        self._came = 0

    def outcomes(self, iterable: Iterable[Any]) -> Iterator[Outcome]:
        """The outcomes, one for each item. To be iterated by one process."""
        owner = current()
        items = iter(iterable)
        taken = 0
        try:
            while True:
                exhausted = self._start_more(owner, items)
                while taken not in self._come:
                    if exhausted and not self._running:
                        return
                    self._wait(owner)
                    exhausted = self._start_more(owner, items)
                yield self._come.pop(taken)
                taken += 1
                if current() is not owner:
                    raise ValueError(f"the stream is {owner}'s, and {current()} cannot go on with it")
        finally:
            self._end_all(owner)

    def _start_more(self, owner: Any, items: Iterator[Any]) -> bool:
        """Starts as many tasks as may be. Whether there are no more items."""
        while len(self._running) < self._running_max:
            if len(self._running) + len(self._come) >= self._running_max * _AHEAD:
                return False
            try:
                item = next(items)
            except StopIteration:
                return True
            deadline_s = None if self._timeout is None else monotonic() + self._timeout
            self._running[self._launch(owner, item)] = self._started, deadline_s
            self._started += 1
        return False

    def _wait(self, owner: Any) -> None:
        """Waits for the next outcome, or for the time of the task that has run for longest."""
        oldest, (_, deadline_s) = next(iter(self._running.items()))
        try:
            monitor, outcome = next_outcome(self._running, deadline_s)
        except ReceiveTimeout:
            if self._on_timeout == "exit":
                raise CallTimeout(f"a task of a stream took longer than {self._timeout:g} s") from None
            self._end(oldest, owner)
            monitor, outcome = oldest, Exited("timeout")
        else:
            if self._linked and isinstance(outcome, Exited) and not owner.trap_exit:
                raise exited(monitor.watched._actor_ref, outcome.reason)
        place, _ = self._running.pop(monitor)
        self._come[place if self._ordered else self._came] = outcome
        self._came += 1

    def _end_all(self, owner: Any) -> None:
        while self._running:
            self._end(self._running.popitem()[0], owner)

    def _end(self, monitor: Monitor, owner: Any) -> None:
        """Kills a task. Who throws the iterator away may be another thread, which leaves the owner's mailbox alone."""
        if local.here.process is owner:
            forget(monitor)
        else:
            bonds.unwatch(monitor)
        ending.exit(monitor.watched._actor_ref, KILL)
