"""A plain thread that takes part: it can be sent messages, monitor, and be linked, as a process can.

Owns:  the guest of each thread, made when it first needs one.
Knows: that nobody runs a guest: its thread takes its messages itself, with `receive`.
Never: dies of a link; a guest always traps exits, since nobody can end a thread.
"""

from __future__ import annotations

import os
from typing import Any

from tinybeam.process import bonds, ending, here
from tinybeam.process.process import Process
from tinybeam.process.reasons import NORMAL
from tinybeam.process.visitor import Visitor


class Guest(Process):
    """What `self_ref()` refers to in a thread that is no process'. It ends with its thread."""

    trap_exit = True

    def _wake(self) -> None:
        """Its thread waits, or looks later."""
        self._wake_receiver()
        if self._signals:
            self._heed()


class _Stay:
    """Ends a guest when the thread's own storage goes."""

    __slots__ = ("pid", "process")

    def __init__(self, process: Guest) -> None:
        self.process = process
        self.pid = os.getpid()

    def __del__(self) -> None:
        try:
            if os.getpid() != self.pid:
                return  # the thread is not in this child of a fork, and who held the lock may not be either
            ending.bury(self.process, NORMAL)
        except Exception:  # noqa: BLE001 - when the interpreter ends, nobody is left to be told, and modules are empty
            return


def make_guest(at: here.Here) -> Any:
    """Makes this thread a guest; or what runs in it a process of its own, if somebody else lends the thread."""
    if at.runner is not None and (visitor := at.runner.visitor()) is not None:
        at.process = visitor
        return visitor
    process = Guest.__new__(Guest)
    bonds.processes.add(process)
    here.local.guest = _Stay(process)
    if at.runner is None:
        at.process = process
    return process


def stay_in_child() -> None:
    """In the child of a fork, by the thread that is left: its guest is at home here from now on."""
    if here.local.guest is not None:
        here.local.guest.pid = os.getpid()


def is_guest() -> bool:
    """Whether the code that runs is no process' that others wait for: a plain thread's, or a request's."""
    process = here.local.here.process
    return process is None or isinstance(process, Guest | Visitor)


here.guests.make = make_guest
