"""Turns TERM and INT into a drain and a stop.

Owns: what these two signals do, and the exit code that they lead to.
Knows: a running server: drain, stop, wait, stats; and the pipe that signals come through.
Never: does anything in a signal handler.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from tinybeam.cli.signal_pipe import SignalPipe

log = logging.getLogger("tinybeam.cli")

# What the pipe carries when the server has stopped. Signals begin at 1.
_STOPPED = 0


class Stoppable(Protocol):
    """What is needed of a running server."""

    def drain(self, timeout_ms: int) -> bool: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def stats(self) -> dict[str, int]: ...


class SignalWatch(SignalPipe):
    """Holds TERM and INT while a server runs; a context manager for the main thread.

    TERM drains; INT stops at once, also during a drain; a second INT kills the OS process as if nobody had caught it,
    which works even when the GIL is stuck.
    """

    def __init__(self) -> None:
        super().__init__((signal.SIGTERM, signal.SIGINT))

    def supervise(self, running: Stoppable, drain_timeout_ms: int) -> int:
        """Blocks until the server has stopped, without a time-out. Returns the exit code.

        0: INT, or TERM and everything was finished in time. 1: something was cut, or the server stopped by itself.
        """
        drained: list[bool] = []
        drain: threading.Thread | None = None
        interrupted = False
        _start("tinybeam-wait", lambda: self._tell_when_stopped(running))
        for number in self._until_stopped():
            if number == signal.SIGTERM and drain is None and not interrupted:
                log.info("draining: finishing what is open, for at most %d ms", drain_timeout_ms)
                drain = _start("tinybeam-drain", lambda: drained.append(running.drain(drain_timeout_ms)))
            elif number == signal.SIGINT and not interrupted:
                interrupted = True
                # Also while Python shuts down after this watch.
                self.leave_to_the_kernel(signal.SIGINT)
                log.info("stopping; press Ctrl+C again to leave at once")
                _start("tinybeam-stop", running.stop)
        if interrupted:
            return 0
        if drain is None:
            log.critical("the server stopped by itself")
            return 1
        drain.join()
        return self._report(running, drained == [True])

    def _report(self, running: Stoppable, finished: bool) -> int:
        """Logs how a drain went and returns its exit code."""
        if finished:
            log.info("drained: everything was finished")
            return 0
        log.warning("the drain ran out of time: %d unanswered requests were cut", running.stats()["handles_open"])
        return 1

    def _tell_when_stopped(self, running: Stoppable) -> None:
        try:
            running.wait()
        finally:
            self.write(_STOPPED)

    def _until_stopped(self) -> Iterator[int]:
        """The signals, as they come."""
        while True:
            for number in self.read():
                if number == _STOPPED:
                    return
                yield number


def _start(name: str, work: Callable[[], object]) -> threading.Thread:
    """Runs what may block in a thread of its own, so that the next signal is seen."""
    thread = threading.Thread(name=name, target=work, daemon=True)
    thread.start()
    return thread
