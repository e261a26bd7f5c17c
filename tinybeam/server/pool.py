"""The blocking pool: OS threads for handlers that block.

Owns:  its threads, made on demand up to a most, retired when idle; the jobs that wait for one.
Knows: that the thread which parked last is the warmest, and is woken first.
Never: runs a job in the caller's thread, or makes a thread while one is free.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

IDLE_S: Final = 10.0

Job = tuple[Any, ...]


class BlockingPool:
    """Runs `work(*job)` for every job that is dealt to it. `work` must not raise."""

    def __init__(self, work: Callable[..., None], threads_max: int, idle_s: float = IDLE_S) -> None:
        self._work = work
        self._threads_max = threads_max
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._backlog: deque[Job] = deque()
        self._parked: list[_Seat] = []
        # By the thread's ident: what it runs, for reports.
        self.running: dict[int, Job] = {}
        self._threads = 0
        self._closed = False

    @property
    def threads(self) -> int:
        """How many there are now."""
        return self._threads

    @property
    def backlog(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._backlog)

    def deal(self, job: Job) -> None:
        """Gives the job to a thread: a parked one, a new one, or else the first that becomes free."""
        with self._lock:
            if self._closed:
                return
            if self._parked:
                self._hand(job)
                return
            if self._threads >= self._threads_max:
                self._backlog.append(job)
                return
            self._threads += 1
            number = self._threads
        seat = _Seat(job)  # a thread keeps its arguments for as long as it lives; the job shall not be one
        try:
            threading.Thread(target=self._run, args=(seat,), name=f"tinybeam-blocking-{number}", daemon=True).start()
        except RuntimeError:
            # The operating system has no more threads for us. Where we have some, the job waits for one of them.
            with self._lock:
                self._threads -= 1
                if self._parked:
                    self._hand(job)  # one has become free meanwhile
                elif self._threads == 0:
                    raise
                else:
                    self._backlog.append(job)

    def withdraw(self, matches: Callable[[Job], bool]) -> list[Job]:
        """Takes the jobs that match out of the backlog, and gives them; those that have a thread go on."""
        with self._lock:
            taken = [job for job in self._backlog if matches(job)]
            if taken:
                kept = [job for job in self._backlog if not matches(job)]
                self._backlog.clear()
                self._backlog.extend(kept)
        return taken

    def close(self) -> None:
        """Sends the parked threads home; the others go when their job is done. Jobs that wait are dropped."""
        with self._lock:
            self._closed = True
            self._backlog.clear()
            parked, self._parked = self._parked, []
        for seat in parked:
            seat.wake.release()

    def _hand(self, job: Job) -> None:
        """Wakes the thread that parked last, to run this job. Under the lock."""
        seat = self._parked.pop()
        seat.job = job
        seat.wake.release()

    def _run(self, seat: _Seat) -> None:
        ident = threading.get_ident()
        job = seat.take()
        while job is not None:
            self.running[ident] = job
            self._work(*job)
            del self.running[ident]
            job = None  # or its request, body and all, would be kept for as long as this thread is parked
            job = self._next(seat)

    def _next(self, seat: _Seat) -> Job | None:
        """The next job, or None when the thread shall go."""
        with self._lock:
            if self._backlog:
                return self._backlog.popleft()
            if self._closed:
                self._threads -= 1
                return None
            self._parked.append(seat)
        if not seat.wake.acquire(timeout=self._idle_s):
            with self._lock:
                if seat in self._parked:
                    self._parked.remove(seat)
                    self._threads -= 1
                    return None
            # Somebody has given us a job in just this moment.
            seat.wake.acquire()
        job = seat.take()
        if job is None:
            with self._lock:
                self._threads -= 1
        return job


class _Seat:
    """Where a parked thread waits, and where its next job is laid."""

    __slots__ = ("job", "wake")

    def __init__(self, job: Job) -> None:
        self.job: Job | None = job
        self.wake = threading.Lock()
        self.wake.acquire()

    def take(self) -> Job | None:
        """The job, which is the caller's alone now."""
        job, self.job = self.job, None
        return job
