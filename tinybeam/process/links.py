"""Links and monitors, as the code of a process makes them: one end is always who calls.

Owns:  link, unlink, monitor, demonitor, self_ref.
Knows: that the other end may have ended, may be a name, or may be no process of ours but an actor of pykka's.
Never: blocks.
"""

from __future__ import annotations

from typing import Any, Literal

from tinybeam.process import bonds
from tinybeam.process.destinations import ref_of
from tinybeam.process.here import current
from tinybeam.process.messages import Down, Monitor
from tinybeam.process.reasons import NOPROC


def self_ref() -> Any:
    """The ref of the process whose code this is. A plain thread gets one that ends with it."""
    return current()._actor_ref


def process_flag(flag: Literal["trap_exit"], value: bool) -> bool:
    """Sets whether exits of linked processes come as messages to the process whose code this is; returns what was."""
    if flag != "trap_exit":
        raise ValueError(f"process_flag knows trap_exit, and not {flag!r}")
    process = current()
    before: bool = process.trap_exit
    process.trap_exit = value
    return before


def link(to: Any) -> None:
    """Links two processes: when one ends with a failure, so does the other, or is told if it traps exits (link/1).

    To one that has ended: as if it ended now, with the reason "noproc".
    """
    own, ref = current(), ref_of(to)
    process = None if ref is None else ref._process
    if process is None or not bonds.link(own, process):
        own._tell_exit(ref, NOPROC)


def unlink(to: Any) -> None:
    """Undoes a link, if there is one (unlink/1)."""
    own, ref = current(), ref_of(to)
    if ref is not None and ref._process is not None:
        bonds.unlink(own, ref._process)


def monitor(to: Any) -> Monitor:
    """Has a Down sent when the process ends; at once, with the reason "noproc", if it has (erlang:monitor/2)."""
    own, ref = current(), ref_of(to)
    process = None if ref is None else ref._process
    made = Monitor(own, process)
    if process is None or not bonds.watch(made):
        own._dispatch_info(Down(made, to if ref is None else ref, NOPROC))
    return made


def demonitor(made: Monitor, *, flush: bool = False) -> bool:
    """Takes a monitor back. False when its Down was sent before; `flush` then takes that out of the mailbox."""
    if made.watched is not None and bonds.unwatch(made):
        return True
    with bonds.lock:  # one that is on its way does not arrive
        made.flushed = True
    if flush:
        made.watcher._withdraw(lambda message: type(message) is Down and message.monitor is made)
    return False
