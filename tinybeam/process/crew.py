"""The crew: threads that run processes where no server does.

Owns:  its threads: one that drives the ready queue, those that are inside a process for longer, those on stand-by.
Knows: that a callback may block: who watches sees that the driver does not get on, and another thread takes over.
Never: keeps a thread, or wakes up, when there is nothing to do.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import Final

from tinybeam.process.here import local
from tinybeam.process.ready_queue import ReadyQueue, ready

logger = logging.getLogger("tinybeam.process")

THREADS_MAX: Final = 1024
# For how long a callback may hold up the others before another thread goes on with them.
TAKEOVER_S: Final = 0.002
# For how long a thread that has nothing to do stays.
IDLE_S: Final = 2.0


class Member:
    """A thread of the crew."""

    __slots__ = ("_crew", "resting", "taken", "wakeup")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        # Whether another one has gone on with the queue; read after each process.
        self.taken = False
        # Whether it waits to be woken; under the crew's lock.
        self.resting = False
        self.wakeup = threading.Lock()
        self.wakeup.acquire()

    def let_go(self) -> None:
        """Before this thread waits: another one shall go on."""
        if not self.taken:
            self._crew.replace(self)

    @staticmethod
    def visitor() -> None:
        """There is none: all that runs in this thread is a process already."""


class Crew:
    """Drives a ready queue while it is its driver."""

    def __init__(self, queue: ReadyQueue) -> None:
        self._queue = queue
        self.begin_anew()

    def begin_anew(self) -> None:
        """Has no threads; also in the child of a fork, where those that there were are gone."""
        self._lock = threading.Lock()
        self._drives = False
        self._driver: Member | None = None
        self._spare: list[Member] = []
        self._threads = 0
        self._watching = False
        self._busy = threading.Event()

    @property
    def threads(self) -> int:
        """How many there are."""
        return self._threads

    # What the queue calls.

    def take_up(self) -> None:
        """From here on it is the driver."""
        with self._lock:
            self._drives = True

    def stand_down(self) -> None:
        """Somebody else drives."""
        with self._lock:
            self._drives = False
            member, self._driver = self._driver, None
            if member is not None:
                member.taken = True
                if member.resting:
                    self._spare.append(member)

    def wake(self) -> None:
        """Something is ready. Any thread."""
        with self._lock:
            if not self._drives:
                return
            self._queue.asleep = False
            if self._driver is None:
                self._appoint()
            elif self._driver.resting:
                self._rouse(self._driver)

    # Who drives. The lock is held.

    def _appoint(self) -> None:
        """Makes a spare thread, or a new one, the driver."""
        if self._spare:
            self._driver = member = self._spare.pop()
            member.taken = False
            self._rouse(member)
        elif self._threads >= THREADS_MAX:
            logger.warning("%d processes block their threads, as many as may; the others wait", self._threads)
        else:
            self._driver = member = Member(self)
            self._threads += 1
            try:
                threading.Thread(target=self._run, args=(member,), name="tinybeam-process", daemon=True).start()
            except RuntimeError as error:
                self._threads -= 1
                self._driver = None
                self._queue.asleep = True  # so that the next message tries again
                logger.warning("cannot start another thread: %s; processes that block hold up others", error)

    @staticmethod
    def _rouse(member: Member) -> None:
        member.resting = False
        member.wakeup.release()

    def replace(self, member: Member) -> None:
        """The driver is inside a process for longer: another one goes on, as soon as there is something to do."""
        with self._lock:
            if self._driver is not member or member.resting:  # it has come out since, and waits for something to do
                return
            member.taken = True
            self._driver = None
            self._queue.asleep = True
            if self._queue.processes:
                self._queue.asleep = False
                self._appoint()

    # Its threads.

    def _run(self, member: Member) -> None:
        local.here.runner = member
        while True:
            self._watch()
            try:
                self._queue.run(member)
            except BaseException:
                logger.critical("the crew has a fault; it goes on", exc_info=True)
            if not self._rest(member):
                return

    def _rest(self, member: Member) -> bool:
        """Waits until there is something to do for this thread. False when it shall go."""
        with self._lock:
            if member.taken and self._driver is None and self._drives:
                member.taken = False
                self._driver = member
            if member.taken:
                self._spare.append(member)
            else:
                self._queue.asleep = True
                if self._queue.processes:
                    self._queue.asleep = False
                    return True
            member.resting = True
        if member.wakeup.acquire(timeout=IDLE_S):
            return True
        with self._lock:
            if not member.resting:  # roused in just this moment
                member.wakeup.acquire()
                return True
            self._threads -= 1
            if self._driver is member:
                self._driver = None
            else:
                self._spare.remove(member)
            return False

    def _watch(self) -> None:
        """Sees to it that a driver which does not get on is noticed."""
        with self._lock:
            self._busy.set()
            if not self._watching:
                with contextlib.suppress(RuntimeError):  # no thread left: the next one that begins tries again
                    threading.Thread(target=self._keep_watch, name="tinybeam-watch", daemon=True).start()
                    self._watching = True

    def _keep_watch(self) -> None:
        queue = self._queue
        while True:
            if not self._busy.wait(IDLE_S):
                with self._lock:
                    if not self._busy.is_set():
                        self._watching = False
                        return
            self._busy.clear()
            while self._drives and not queue.asleep:
                driver, turns = self._driver, queue.turns
                time.sleep(TAKEOVER_S)
                if driver is not None and queue.turns == turns and queue.processes:
                    self.replace(driver)


crew = Crew(ready)
ready.adopt(crew)
