"""The end of children: each is told to shut down, waited for as long as its spec allows, and then killed.

Owns:  the wait for children to end, and the count of threads that were left inside killed ones.
Knows: that a child may end by itself meanwhile, may wait for its supervisor, and may never come out of a callback.
Never: waits in the supervisor's mailbox, which may be long; waits for longer than the specs say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, NamedTuple

from tinybeam.process import bonds
from tinybeam.process.ending import ExitSignal, bury, exit
from tinybeam.process.genserver import GenServer
from tinybeam.process.here import local
from tinybeam.process.messages import INFO, Down, Exit, Monitor
from tinybeam.process.ready_queue import run_turn
from tinybeam.process.reasons import KILL, KILLED, NOPROC, SHUTDOWN, is_orderly
from tinybeam.process.roster import Child
from tinybeam.process.tally import abandoned

# A child that may take for ever is run in its supervisor's thread; a deep tree would use up the stack.
_DEPTH_MAX: Final = 16


class Ended(NamedTuple):
    """How a child has ended that was told to."""

    child: Child
    ref: Any
    reason: Any

    @property
    def as_told(self) -> bool:
        """Whether it is what was asked for; a permanent child has no reason of its own to end."""
        spec, reason = self.child.spec, self.reason
        # "noproc": it had just ended, and nobody has told us yet of what.
        if type(reason) is str and reason in (KILLED if spec.shutdown == "brutal_kill" else SHUTDOWN, NOPROC):
            return True
        return spec.restart != "permanent" and is_orderly(reason)


def end_children(supervisor: Any, children: Iterable[Child]) -> list[Ended]:
    """Ends children that run, all at once, and tells how each of them ended. By the code of their supervisor."""
    ends = _Ends()
    ended: list[Ended] = []
    waiting: dict[Any, Child] = {}
    earlier: dict[Any, Any] | None = None
    for child in children:
        ref = child.ref
        process = ref._process
        if process is not None and bonds.watch(Monitor(ends, process)):
            waiting[ref] = child
        else:
            earlier = _exits_waiting(supervisor) if earlier is None else earlier
            ended.append(Ended(child, ref, earlier.get(ref, NOPROC)))
    started_s = monotonic()
    for ref, child in waiting.items():
        _tell(supervisor, ref, child, alone=len(waiting) == 1)
    deadlines = deque(sorted((_deadlines(waiting, started_s)), key=lambda one: one[0]))
    while waiting:
        down = ends.next(supervisor, deadlines[0][0] if deadlines else None)
        if down is not None:
            ended.append(Ended(waiting.pop(down.process), down.process, down.reason))
            continue
        late = deadlines.popleft()[1]
        if late in waiting:
            _kill(late)
    return ended


class _Ends:
    """Who watches the children meanwhile; the ends of a monitor are processes, and this looks enough like one."""

    __slots__ = ("_downs",)

    # It keeps no list of its monitors.
    _dead = True
    _bonds = None

    def __init__(self) -> None:
        self._downs: SimpleQueue[Down] = SimpleQueue()

    def _tell_down(self, down: Any) -> None:
        self._downs.put(down)

    def next(self, supervisor: Any, until_s: float | None) -> Down | None:
        """Waits for the next end. None when it is too late."""
        if self._downs.empty() and local.here.runner is not None:
            local.here.runner.let_go()
        try:
            return self._downs.get(timeout=None if until_s is None else max(0.0, until_s - monotonic()))
        except Empty:
            return None


def _deadlines(waiting: dict[Any, Child], started_s: float) -> Iterable[tuple[float, Any]]:
    for ref, child in waiting.items():
        shutdown = child.spec.shutdown
        if isinstance(shutdown, int):
            yield started_s + shutdown / 1000, ref


def _tell(supervisor: Any, ref: Any, child: Child, *, alone: bool) -> None:
    """Tells a child to end. What can be done here and now is, without another thread."""
    process = ref._process
    if process is None:
        return
    if child.spec.shutdown == "brutal_kill":
        _kill(ref)
        return
    if not process.trap_exit and _waits_for(process, supervisor):
        # It cannot heed a signal before we answer; on the BEAM it would not live to see that.
        bury(process, SHUTDOWN)
        return
    exit(ref, SHUTDOWN)
    runs_no_code = not process.trap_exit and isinstance(process, GenServer)
    may_take_for_ever = alone and child.spec.shutdown == "infinity" and process._elsewhere >= 0
    here = local.here
    if (runs_no_code or may_take_for_ever) and here.depth < _DEPTH_MAX:
        run_turn(process, here)


def _kill(ref: Any) -> None:
    process = ref._process
    if process is not None and process._lock.locked() and not process._held:
        abandoned.add()
    exit(ref, KILL)


def _waits_for(process: Any, supervisor: Any) -> bool:
    """Whether a process waits, perhaps through others, for an answer of its supervisor."""
    seen: set[Any] = set()
    while process is not None and process not in seen:
        if process is supervisor:
            return True
        seen.add(process)
        process = process._calls
    return False


def _exits_waiting(supervisor: Any) -> dict[Any, Any]:
    """The reasons of those of whose end the supervisor has been told, and has not taken note yet."""
    exits = [message for kind, message, _ in supervisor._waiting() if kind == INFO and type(message) is Exit]
    told = {message.process: message.reason for message in exits}
    with bonds.lock:
        signals = [signal for signal in supervisor._signals if type(signal) is ExitSignal]
    told.update((signal.sender, signal.reason) for signal in signals)
    return told
