"""What a supervisor logs of its children, in the form of OTP's supervisor reports, one line each.

Owns:  the lines, and how many there may be: in a storm of restarts most are only counted.
Knows: that neither the log nor a repr of the user's may bring a supervisor down.
Never: reports what is in order.
"""

from __future__ import annotations

import contextlib
import logging
from time import monotonic
from typing import Any, Final

from tinybeam.process.childspec import ChildSpec
from tinybeam.process.reasons import said

logger = logging.getLogger("tinybeam.process")

LINES_PER_S: Final = 10


class SupervisorReport:
    """The log of one supervisor."""

    __slots__ = ("_left_out", "_lines", "_since_s", "_supervisor")

    def __init__(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        self._since_s = 0.0
        self._lines = 0
        self._left_out = 0

    def child_terminated(self, spec: ChildSpec, ref: Any, reason: object, then: object) -> None:
        """A child has ended by itself; `then` is what becomes of it."""
        self._write("child %s (%s, %s) ended: %s; %s", spec, ref, spec.restart, reason, then)

    def start_error(self, spec: ChildSpec, reason: object) -> None:
        """A child could not be started."""
        self._write("child %s (%s) could not start: %s", spec, spec.restart, reason)

    def shutdown_error(self, spec: ChildSpec, ref: Any, reason: object) -> None:
        """A child was told to shut down, and ended in another way; "killed": not in time."""
        self._write("child %s (%s, shutdown %s) was to shut down, and ended: %s", spec, ref, spec.shutdown, reason)

    def gave_up(self, spec: ChildSpec, why: object) -> None:
        """It ends itself because of a child."""
        self._write("child %s: %s is too many: all children end, and it does", spec, why)

    def _write(self, line: str, *values: Any) -> None:
        with contextlib.suppress(BaseException):
            now_s = monotonic()
            if now_s - self._since_s >= 1:
                self._since_s, self._lines = now_s, 0
            if self._lines >= LINES_PER_S:
                self._left_out += 1
                return
            self._lines += 1
            if self._left_out:
                line += f" ({self._left_out} reports before this one were left out)"
                self._left_out = 0
            logger.error("supervisor %s: " + line, self._supervisor, *(_in_words(value) for value in values))


def _in_words(value: Any) -> str:
    return said(value) if isinstance(value, BaseException | tuple) else str(value)
