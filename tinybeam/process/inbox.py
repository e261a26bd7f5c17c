"""A process' mailbox as pykka knows one.

Owns:  nothing; it is made when somebody asks for it.
Knows: pykka's envelopes.
Never: is on the way of a message that is sent with our own calls.
"""

from __future__ import annotations

from typing import Any

from tinybeam.process.answer import FutureFrom
from tinybeam.process.errors import NoProcess
from tinybeam.process.messages import ASK, INFO


class Inbox:
    """`put`, `get` and `empty`, for code that talks to `actor_inbox`."""

    __slots__ = ("_process",)

    def __init__(self, process: Any) -> None:
        self._process = process

    def put(self, envelope: Any, /) -> None:
        """Sends an envelope's message."""
        reply_to = envelope.reply_to
        if self._process is None:
            if reply_to is not None:
                error = NoProcess("it had ended")
                reply_to.set_exception((type(error), error, None))
            return
        if reply_to is None:
            self._process._post((INFO, envelope.message, None))
        else:
            self._process._post((ASK, envelope.message, FutureFrom(reply_to, self._process)))

    def get(self) -> Any:
        """Raises NotImplementedError: nobody but the process takes messages out."""
        raise NotImplementedError("a process takes its messages itself; see receive")

    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._process is None or not (self._process._box or self._process._batch)
