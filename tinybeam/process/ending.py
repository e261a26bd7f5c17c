"""How a process ends, and who is told.

Owns:  the order of an end: the process' own hook, then the ties, then those who wait for an answer.
Knows: that a kill may come while the process runs in another thread, which then goes on for nobody.
Never: lets what a hook raises out; tells anybody twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from tinybeam.process import bonds, names, report
from tinybeam.process.here import local
from tinybeam.process.messages import Down
from tinybeam.process.reasons import KILL, KILLED, is_normal
from tinybeam.process.tally import dead_letters


class ExitSignal:
    """What spreads along links, and what `exit` sends."""

    __slots__ = ("reason", "sender")

    def __init__(self, sender: Any, reason: object) -> None:
        self.sender = sender
        self.reason = reason

    def __call__(self, process: Any) -> None:
        process._on_exit(self.sender, self.reason)


def exit(ref: Any, reason: object) -> None:
    """Sends an exit signal (exit/2): the process ends with the reason, unless it traps exits, or reason is "normal".

    A process that is in the middle of a message handles that to its end first. "kill" cannot be trapped and does not
    wait: the process has ended when this returns, with the reason "killed"; if it is inside a callback then its thread
    goes on, for Python cannot stop it, and whatever it comes to is dropped.
    """
    process = ref._process
    if process is None:
        return
    if type(reason) is str and reason == KILL:
        bury(process, KILLED)
    else:
        caller = local.here.process
        if caller is process and is_normal(reason) and not process.trap_exit:
            process._signal(lambda ending: bury(ending, reason))  # to oneself, "normal" is a reason like others
        else:
            process._tell_exit(None if caller is None else caller._actor_ref, reason)


def on_error(process: Any, error: BaseException, message: Any, reply_to: Any) -> None:
    """A callback has raised. The run lock is held."""
    if process._dead:  # killed meanwhile, or the hook of an end that is under way
        return
    if reply_to is not None and isinstance(error, process.replies_with):
        reply_to.fail(error)
        return
    report.crash(process, error, message)
    if end(process, error, error, last=reply_to) and reply_to is not None:
        reply_to.crashed(process._actor_ref, error)


def stop(process: Any, reason: object, reply_to: Any) -> None:
    """The process was asked to stop, and has handled what came before. The run lock is held."""
    end(process, reason)
    if reply_to is not None:
        reply_to.set(True)


def end(process: Any, reason: object, error: BaseException | None = None, *, last: Any = None) -> bool:
    """Ends a process from within: its hook, then everything else. The run lock is held, and stays so for ever.

    `last` is a call that whoever calls this answers afterwards; not when this is False: somebody else has ended it
    meanwhile, and the call was told.
    """
    try:
        process._on_end(reason, error)
    except BaseException as raised:  # noqa: BLE001
        if not process._dead:
            report.crash(process, raised, "its end")
        reason = raised
    if last is None:
        return bury(process, reason)
    bonds.settle(process, last)
    ended = bury(process, reason)
    if not ended:
        last.refuse(process._actor_ref, process._dead[0])
    return ended


def bury(process: Any, reason: object) -> bool:
    """Ends a process without asking it. Any thread, even while another one runs it. False when it had ended."""
    ties = bonds.cut(process, reason)
    if ties is None:
        return False
    # Nobody runs it any more. Who runs it now keeps the lock.
    process._lock.acquire(False)
    ref = process._actor_ref
    ref._process = None
    process._on_buried(reason)
    names.forget(ref, ties.names)
    for hook in ties.on_end:
        try:
            hook(ref)
        except BaseException as error:  # noqa: BLE001 - the others shall be told nevertheless
            report.crash(process, error, "its end")
    if ties.stopped is not None:
        ties.stopped.set()
    if ties.receiver is not None:
        with contextlib.suppress(RuntimeError):
            ties.receiver.release()  # its thread shall see that this was the end
    for partner in ties.links:
        partner._tell_exit(ref, reason)
    for monitor in ties.watched_by:
        monitor.watcher._tell_down(Down(monitor, ref, reason))
    for waiting in ties.callers:
        waiting.refuse(ref, reason)
    refuse_rest(process, reason)
    return True


def when_ended(ref: Any, tell: Callable[[], None]) -> None:
    """Has `tell` called when the process has ended, by whoever ends it; at once when it has. It must not block."""
    process = ref._process
    with bonds.lock:
        if process is not None and not process._dead:
            bonds.bonds_of(process).on_end.append(lambda _ref: tell())
            return
    tell()


def refuse_rest(process: Any, reason: object = None) -> None:
    """Tells those who wait in the mailbox of an ended process that there will be no answer. Any thread."""
    for waiting in (process._batch, process._box):
        while waiting:
            try:
                _, _, reply_to = waiting.pop()
            except IndexError:
                break
            if reply_to is None:
                dead_letters.add()
            else:
                reply_to.refuse(process._actor_ref, reason)
