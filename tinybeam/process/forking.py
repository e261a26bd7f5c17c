"""What becomes of processes in a child of fork: nothing runs them there.

Owns:  a fresh crew, pools, ready queue, clock and lock for the child, whose threads are gone.
Knows: that the child has copies of all processes, and that what they were doing is being done in the parent.
Never: does anything in the parent.
"""

from __future__ import annotations

import os

from tinybeam.process import bonds
from tinybeam.process.blocking import blockers
from tinybeam.process.crew import crew
from tinybeam.process.guest import stay_in_child
from tinybeam.process.here import local
from tinybeam.process.pool import pool
from tinybeam.process.ready_queue import ready
from tinybeam.process.timers import timers


def forget_threads() -> None:
    """In the child, where only the thread that forked is left: begins anew, with an empty queue and no timers."""
    bonds.begin_anew()
    local.here.runner = None
    stay_in_child()
    crew.begin_anew()
    pool.begin_anew()
    blockers.pool.begin_anew()
    timers.begin_anew()
    ready.begin_anew(crew)


os.register_at_fork(after_in_child=forget_threads)
