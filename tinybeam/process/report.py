"""Crash reports of processes, in the form of OTP's.

Owns:  what is logged when a process crashes, or ends itself of a failure, and how often.
Knows: that neither the log nor a repr of the user's may bring anybody down.
Never: reports an orderly end.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from tinybeam.process.reasons import said
from tinybeam.process.tally import crashes

logger = logging.getLogger("tinybeam.process")

_MESSAGE_CHARS_MAX = 500


def crash(process: Any, error: BaseException, message: Any) -> None:
    """A callback has raised: who it was, what it was told, and where it went wrong."""
    crashes.add()
    with contextlib.suppress(BaseException):
        told = said(message)
        if len(told) > _MESSAGE_CHARS_MAX:
            told = f"{told[:_MESSAGE_CHARS_MAX]}... ({len(told)} characters)"
        logger.error("process %s crashed on %r", process, told, exc_info=(type(error), error, error.__traceback__))


def stopped(process: Any, reason: object) -> None:
    """A server has ended itself, or its parent has, and the reason is a failure (gen_server:terminate)."""
    with contextlib.suppress(BaseException):
        logger.error("process %s ended: %s", process, said(reason))
