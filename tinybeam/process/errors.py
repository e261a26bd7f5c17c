"""What calls, sends and starts raise: each a ProcessError, and what pykka's users expect besides.

Owns:  the ways in which talking to a process can fail.
Knows: pykka's two exceptions, so that `except pykka.Timeout` goes on working.
Never: is raised inside the process that was talked to, unless it talked to one itself.
"""

from __future__ import annotations

import pykka

from tinybeam.errors import ProcessError
from tinybeam.process.reasons import NOPROC


class ProcessExited(ProcessError, pykka.ActorDeadError):
    """The process ended before it answered; `reason` says why (the exception itself when it crashed)."""

    def __init__(self, message: str, reason: object) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class NoProcess(ProcessExited):
    """There is no such process, or it had ended before it was asked; the reason is "noproc"."""

    def __init__(self, message: str, reason: object = NOPROC) -> None:
        super().__init__(message, reason)


class CallTimeout(ProcessError, pykka.Timeout, TimeoutError):
    """No answer came in time. The process may still act on the message; its late answer goes nowhere."""


class MailboxFull(ProcessError):
    """As many messages wait as may; this one was not sent. Try again later, or do without."""


class StartFailed(ProcessError):
    """A process could not begin; `reason` is what its init raised, or gave to Stop."""

    def __init__(self, message: str, reason: object) -> None:
        super().__init__(message, reason)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.args[0])


class AlreadyStarted(StartFailed):
    """The name, or the child's id, belongs to a process that is alive: `ref`."""

    def __init__(self, message: str, ref: object) -> None:
        super().__init__(message, ("already_started", ref))
        self.ref = ref


class StartIgnored(StartFailed):
    """Its init returned Ignore(): there is no process, and that is no failure to its supervisor."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "ignore")


class BadReturn(ProcessError):
    """A callback returned something that none may return; the process has crashed of it."""


class ReceiveTimeout(ProcessError, TimeoutError):
    """No message came in time."""


class Ended(BaseException):
    """Raised in the code of a process that others have ended, when it asks for something. Let it through."""

    def __init__(self, reason: object = NOPROC) -> None:
        super().__init__(reason)
        self.reason = reason


class UpgradeFailed(ProcessError):
    """A hot code upgrade could not be done; everything is as it was before."""
