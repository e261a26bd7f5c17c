"""The processes of this OS process in numbers: what there is now, and what has happened so far.

Owns:  the names of the numbers.
Knows: the table of processes, the ready queue, the tallies, and the threads that run processes and tasks.
Never: asks a process anything; the numbers are of almost the same moment.
"""

from __future__ import annotations

from tinybeam.process import bonds, tally
from tinybeam.process.blocking import blockers
from tinybeam.process.crew import crew
from tinybeam.process.pool import pool
from tinybeam.process.ready_queue import ready


def process_stats() -> dict[str, int]:
    """How many processes are alive, wait for a turn, and have a thread; and how much has gone wrong so far.

    >>> from tinybeam.process import Process
    >>> before = process_stats()["processes"]
    >>> class Idle(Process): ...
    >>> idle = Idle.start()
    >>> process_stats()["processes"] - before
    1
    >>> idle.stop()
    True
    """
    return {
        "processes": len(bonds.processes),
        "processes_ready": len(ready.processes),
        "process_threads": crew.threads,
        "process_threads_blocking": blockers.pool.busy,
        "task_threads": pool.busy,
        "process_crashes": tally.crashes.count,
        "process_restarts": tally.restarts.count,
        "processes_abandoned": tally.abandoned.count,
        "dead_letters": tally.dead_letters.count,
    }
