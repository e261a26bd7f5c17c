"""The ready queue: processes that have messages, in the order in which they got them.

Owns:  the queue, and which driver runs what is in it.
Knows: that many threads push and one at a time runs; a process that is being run elsewhere is passed over, because who
       runs it looks at its mailbox again afterwards.
Never: wakes a driver that is awake; runs a process for longer than its budget.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

from tinybeam.process.here import Here, local

# Messages of one process before it is another's turn.
BUDGET: Final = 64


# Whether a process is in the ready queue: no; yes; no, but whoever runs it now will put it there if something waits.
IDLE: Final = 0
QUEUED: Final = 1
NOTED: Final = 2


class Driver(Protocol):
    """Whoever runs what is ready: a crew of threads, or a server between its requests."""

    def wake(self) -> None:
        """Something is ready, and `asleep` was set. Any thread."""

    def take_up(self) -> None:
        """From here on it is the driver."""

    def stand_down(self) -> None:
        """It is the driver no more; a process that it is inside may go on."""


class Runner(Protocol):
    """A thread that a driver runs processes in."""

    @property
    def taken(self) -> bool:
        """Whether another thread has gone on with the queue, because this one was inside a process for too long."""


class ReadyQueue:
    """There is one, `ready`; its driver sets `asleep` before it looks at `processes` for the last time and sleeps."""

    __slots__ = ("_drivers", "_lock", "asleep", "driver", "on_hold_up", "processes", "turns")

    def __init__(self) -> None:
        # How many turns have begun: who watches a driver sees by it whether it gets on.
        self.turns = 0
        # Told the process that its driver was inside of when another thread had to go on.
        self.on_hold_up: Callable[[Any], None] = _pass_over
        self._empty()

    def begin_anew(self, driver: Driver) -> None:
        """In the child of a fork: nothing is ready, and this is the only driver."""
        self._empty()
        self.adopt(driver)

    def _empty(self) -> None:
        self.processes: deque[Any] = deque()
        self.asleep = True
        self.driver: Driver | None = None
        self._drivers: list[Driver] = []
        self._lock = threading.Lock()

    def push(self, process: Any) -> None:
        """Any thread. The process is not in the queue yet."""
        self.processes.append(process)
        if self.asleep and self.driver is not None:
            self.driver.wake()

    def adopt(self, driver: Driver) -> None:
        """Makes somebody else the driver, until they are released or another one comes."""
        with self._lock:
            self._drivers.append(driver)
            self._drive_with(driver)

    def release(self, driver: Driver) -> None:
        """Takes a driver off; whoever was before it is the driver again. Nothing when it is off already."""
        with self._lock:
            if driver in self._drivers:
                self._drivers.remove(driver)
                if self.driver is driver:
                    self._drive_with(self._drivers[-1])

    def _drive_with(self, driver: Driver) -> None:
        former, self.driver = self.driver, driver
        if former is not None:
            former.stand_down()
        driver.take_up()
        self.asleep = True
        if self.processes:  # or a thread would begin for nothing at every import, and in every child of a fork
            driver.wake()

    def run(self, runner: Runner, until_s: float | None = None) -> None:
        """Runs what is ready, until nothing is, the runner is taken, or the monotonic clock has come to `until_s`."""
        here, pop = local.here, self.processes.popleft
        while not runner.taken:
            try:
                process = pop()
            except IndexError:
                return
            self.turns += 1
            run_turn(process, here)
            if runner.taken:
                self.on_hold_up(process)
                return
            if until_s is not None and time.monotonic() >= until_s:
                return


def _pass_over(_process: Any) -> None:
    """Nobody wants to know."""


def run_turn(process: Any, here: Here) -> None:
    """Lets a process handle what waits for it, up to its budget."""
    # First, so that whoever sends from here on puts it in the queue again if we cannot have it.
    process._queued = IDLE
    if not process._lock.acquire(False):
        # Whoever is inside looks again when leaving. They may have left since we tried, so we do so once more.
        process._queued = NOTED
        if not process._lock.acquire(False):
            ties = process._bonds
            if ties is not None and ties.receiver is not None:
                # Its code waits in `receive`: whoever sends has to wake that, as we do for those who saw NOTED.
                process._queued = IDLE
                process._wake_receiver()
            return
        process._queued = IDLE
    outer, here.process = here.process, process
    here.depth += 1
    try:
        process._turn(BUDGET)
    finally:
        here.depth -= 1
        here.process = outer
    process._leave()


ready = ReadyQueue()
