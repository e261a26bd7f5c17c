"""What becomes of tasks, as their owner finds it in its mailbox.

Owns:  Done and Exited, and how a task's message is taken out of the mailbox, or kept from coming.
Knows: that of a task comes one message, for the monitor that stands for it.
Never: waits for longer than it was told.
"""

from __future__ import annotations

from collections.abc import Container
from time import monotonic
from typing import Any, Final, NamedTuple

from tinybeam.process import links
from tinybeam.process.messages import Down, Monitor
from tinybeam.process.receiving import receive
from tinybeam.process.task_process import TaskReply


class Done(NamedTuple):
    """A task has returned this value."""

    value: Any


class Exited(NamedTuple):
    """A task has ended for this reason, and has no value."""

    reason: Any


Outcome = Done | Exited

_ENDS: Final = (TaskReply, Down)


def next_outcome(monitors: Container[Monitor], deadline_s: float | None) -> tuple[Monitor, Outcome]:
    """Takes the next message of these tasks; waits until the monotonic clock is there, None: as long as it takes.

    Raises ReceiveTimeout. What has come is taken even if the time is over.
    """
    left_s = None if deadline_s is None else deadline_s - monotonic()
    message = receive(left_s, want=lambda message: type(message) in _ENDS and message.monitor in monitors)
    return message.monitor, Exited(message.reason) if type(message) is Down else Done(message.value)


def forget(monitor: Monitor) -> None:
    """Has no message of this task come any more, and takes out what has come. For its owner."""
    if not links.demonitor(monitor, flush=True):
        monitor.watcher._withdraw(lambda message: type(message) is TaskReply and message.monitor is monitor)
