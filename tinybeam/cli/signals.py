"""Turns TERM and INT into a drain and a stop.

Owns: the handlers of these two signals, and the exit code that they lead to.
Knows: a running server: drain, stop, wait, stats.
Never: does anything in a signal handler; a signal is an octet in a pipe that the main thread reads.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Protocol

log = logging.getLogger("tinybeam.cli")

# What the pipe carries when the server has stopped. Signals begin at 1.
_STOPPED = 0


class Stoppable(Protocol):
    """What is needed of a running server."""

    def drain(self, timeout_ms: int) -> bool: ...
    def stop(self) -> None: ...
    def wait(self) -> None: ...
    def stats(self) -> dict[str, int]: ...


class SignalWatch:
    """Holds TERM and INT while a server runs; a context manager for the main thread.

    TERM drains; INT stops at once, also during a drain; a second INT kills the OS process as if nobody had caught it,
    which works even when the GIL is stuck.

    The octets come through `signal.set_wakeup_fd`. Python runs a handler only when the main thread wakes up, and the
    kernel may deliver a signal to any thread; an octet wakes the main thread in either case. So no other thread needs
    to block signals, and none hands a blocked mask down to the programs that a handler starts.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before: dict[int, Any] = {}
        self._wakeup_fd_before = -1

    def __enter__(self) -> SignalWatch:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, _leave_to_the_pipe)
        self._wakeup_fd_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        os.register_at_fork(after_in_child=self._restore_in_child)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self._reader)
        os.close(self._writer)

    def supervise(self, running: Stoppable, drain_timeout_ms: int) -> int:
        """Blocks until the server has stopped, without a time-out. Returns the exit code.

        0: INT, or TERM and everything was finished in time. 1: something was cut, or the server stopped by itself.
        """
        drained: list[bool] = []
        drain: threading.Thread | None = None
        interrupted = False
        _start("tinybeam-wait", lambda: self._tell_when_stopped(running))
        while (number := os.read(self._reader, 1)[0]) != _STOPPED:
            if number == signal.SIGTERM and drain is None and not interrupted:
                log.info("draining: finishing what is open, for at most %d ms", drain_timeout_ms)
                drain = _start("tinybeam-drain", lambda: drained.append(running.drain(drain_timeout_ms)))
            elif number == signal.SIGINT and not interrupted:
                interrupted = True
                # From now on the kernel's own action, also while Python shuts down after this watch.
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                self._before[signal.SIGINT] = signal.SIG_DFL
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
            os.write(self._writer, bytes([_STOPPED]))

    def _restore(self) -> None:
        signal.set_wakeup_fd(self._wakeup_fd_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _restore_in_child(self) -> None:
        """Gives a forked child its signals back.

        Its TERM would otherwise be an octet in the pipe that it shares with the parent: the parent would drain, and
        the child would live on.
        """
        if self._before:
            self._restore()


def _leave_to_the_pipe(number: int, frame: FrameType | None) -> None:
    """Only a handler written in Python makes the signal's octet go to the wakeup fd."""


def _start(name: str, work: Callable[[], object]) -> threading.Thread:
    """Runs what may block in a thread of its own, so that the next signal is seen."""
    thread = threading.Thread(name=name, target=work, daemon=True)
    thread.start()
    return thread
