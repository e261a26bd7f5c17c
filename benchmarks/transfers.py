"""What a large transfer costs a server, whichever way it goes.

Owns:  the growth of the server's private memory while one goes on, its CPU and its speed.
Knows: Linux's /proc, by memory.py and cpu.py.
Never: a figure without a smaller transfer before it, which makes all that is made once.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.cpu import CpuTime, tree_time
from benchmarks.memory import private_bytes

GOAL = "< 1 MiB of growth each"
WARM_UP_MIB = 256
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class TransferFigures:
    """Growth of the private memory, at most and when all was over; MiB; seconds; and CPU."""

    growth_most: int
    growth_left: int
    mib: float
    seconds: float
    cpu: CpuTime

    def __str__(self) -> str:
        cpu_us = (self.cpu.user_seconds + self.cpu.system_seconds) * 1e6 / self.mib
        return (
            f"{self.growth_most / 1024:,.0f} KiB of growth at most, {self.growth_left / 1024:,.0f} KiB in the end; "
            f"{self.mib / self.seconds:,.0f} MiB/s, {cpu_us:,.0f} us of CPU for a MiB"
        )


class _Watch:
    """Looks at the private memory of a server again and again, in a thread."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = 0

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            self.most = max(self.most, private_bytes(self._pid))


def measure(pid: int, transfer: Callable[[int], object], mib: int) -> TransferFigures:
    """Has a little transferred, then so many MiB: `transfer(mib)` returns when the last octet has come."""
    transfer(WARM_UP_MIB)
    before, cpu, began = private_bytes(pid), tree_time(pid), time.monotonic()
    with _Watch(pid) as watch:
        transfer(mib)
    seconds, spent = time.monotonic() - began, tree_time(pid) - cpu
    left = private_bytes(pid) - before
    return TransferFigures(max(watch.most - before, left), left, mib, seconds, spent)
