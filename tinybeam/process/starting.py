"""How a process begins.

Owns:  the order of a beginning: ties first, then the process' own code, then its mailbox.
Knows: that this runs in the thread of who starts it, and that what it raises is told to them.
Never: leaves anything behind of a process that could not begin.
"""

from __future__ import annotations

import threading
from typing import Any

from tinybeam.process import bonds, ending, names
from tinybeam.process.errors import StartFailed, StartIgnored
from tinybeam.process.here import local
from tinybeam.process.messages import Monitor
from tinybeam.process.reasons import NOPROC, NORMAL, said


def begin(
    process: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    parent: Any = None,
    watcher: Any = None,
    name: Any = None,
) -> Any:
    """Starts a process that was just made, and whose run lock is held. Gives its monitor if it has a watcher.

    Raises StartFailed, and AlreadyStarted when the name is taken.
    """
    if name is not None:
        names.register(name, process._actor_ref)
    bonds.processes.add(process)
    monitor = None
    if parent is not None:
        if not bonds.link(process, parent):
            ending.bury(process, NOPROC)
            raise StartFailed(f"{type(process).__name__} was not started: {parent}, its parent, has ended", NOPROC)
        bonds.bonds_of(process).parent = parent._actor_ref
    if watcher is not None:
        monitor = Monitor(watcher, process)
        bonds.watch(monitor)
    here = local.here
    outer, here.process = here.process, process
    here.depth += 1
    try:
        process._begin(args, kwargs)
    except BaseException as error:
        failure = _failure(process, parent, monitor, error)
        if failure is error:
            raise
        raise failure from error
    finally:
        here.depth -= 1
        here.process = outer
    if process._dead and not process._runs_itself:
        raise StartFailed(f"{process} ended while it started: {said(process._dead[0])}", process._dead[0])
    process._leave()
    return monitor


def _failure(process: Any, parent: Any, monitor: Any, error: BaseException) -> BaseException:
    """What to raise for a process whose first code raised; its ties are undone silently, since the caller knows."""
    if parent is not None:
        bonds.unlink(process, parent)
    if monitor is not None:
        bonds.unwatch(monitor)
    if isinstance(error, StartIgnored):
        reason: object = NORMAL
    else:
        reason = error.reason if isinstance(error, StartFailed) else error
    ending.bury(process, reason)
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        return error
    if isinstance(error, StartFailed):
        return error
    return StartFailed(f"{type(process).__name__} could not start: {said(error)}", error)
