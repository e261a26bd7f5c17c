"""Turns signals into octets that the main thread reads.

Owns:  the handlers of some signals, while it is entered, and the pipe that their numbers come through.
Knows: that Python runs a handler only when the main thread wakes up, and that the kernel may give a signal to any
       thread: an octet wakes the main thread in either case.
Never: does anything in a signal handler.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, Self


class SignalPipe:
    """Holds some signals; a context manager for the main thread. Whatever else it waits for can write to it too.

    The octets come through `signal.set_wakeup_fd`. So no other thread needs to block signals, and none hands a blocked
    mask down to the programs that it starts.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._before: dict[int, Any] = {}
        self._wakeup_fd_before = -1

    def __enter__(self) -> Self:
        for number in self._numbers:
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

    def read(self, timeout_s: float | None = None) -> bytes:
        """Waits for octets, for so long at most: the numbers of the signals that came, and what was written."""
        if not select.select([self._reader], [], [], timeout_s)[0]:
            return b""
        return os.read(self._reader, 512)

    def write(self, number: int) -> None:
        """From any thread, while it is entered. Signals begin at 1, so a 0 is something else."""
        os.write(self._writer, bytes([number]))

    def leave_to_the_kernel(self, number: int) -> None:
        """From now on the signal does what the kernel does by itself, also after this was left."""
        signal.signal(number, signal.SIG_DFL)
        self._before[number] = signal.SIG_DFL

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
