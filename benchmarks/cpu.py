"""What a server and all its descendants have cost so far, read from /proc.

Owns:  the walk over a tree of OS processes, CPU time, and wake-ups.
Knows: Linux's /proc/PID/stat and /proc/PID/task/TID/status.
Never: a signal or any other effect on what it looks at.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CpuTime:
    """Seconds of CPU; differences are exact to one clock tick (10 ms) per OS process."""

    user_seconds: float
    system_seconds: float

    def __sub__(self, earlier: "CpuTime") -> "CpuTime":
        return CpuTime(self.user_seconds - earlier.user_seconds, self.system_seconds - earlier.system_seconds)


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in brackets and may itself hold spaces and brackets.
    return text[text.rindex(")") + 2 :].split()


def tree(pid: int) -> list[int]:
    """The process ids of pid and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and (stat := _stat(int(entry))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry))
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def tree_time(pid: int) -> CpuTime:
    """User and system time of the whole tree, with the children that it has reaped (cutime, cstime)."""
    user = system = 0
    for member in tree(pid):
        if (stat := _stat(member)) is not None:
            user += int(stat[11]) + int(stat[13])
            system += int(stat[12]) + int(stat[14])
    return CpuTime(user / _TICKS_PER_SECOND, system / _TICKS_PER_SECOND)


def tree_wakeups(pid: int) -> int:
    """How often a thread of the tree has gone to sleep, which is how often one was woken: voluntary switches."""
    total = 0
    for member in tree(pid):
        for status in Path(f"/proc/{member}/task").glob("*/status"):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total
