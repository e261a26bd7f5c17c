"""Errors of processes: what they are besides, and what they say."""

from __future__ import annotations

import pykka
import pytest

from tinybeam.errors import ProcessError
from tinybeam.process import (
    AlreadyStarted,
    BadReturn,
    CallTimeout,
    Ended,
    MailboxFull,
    NoProcess,
    ProcessExited,
    ReceiveTimeout,
    StartFailed,
    StartIgnored,
)


@pytest.mark.parametrize(
    ("error", "bases"),
    [
        (ProcessExited("m", "r"), (ProcessError, pykka.ActorDeadError)),
        (NoProcess("m"), (ProcessExited,)),
        (CallTimeout("m"), (ProcessError, pykka.Timeout, TimeoutError)),
        (MailboxFull("m"), (ProcessError,)),
        (StartFailed("m", "r"), (ProcessError,)),
        (AlreadyStarted("m", None), (StartFailed,)),
        (StartIgnored("m"), (StartFailed,)),
        (BadReturn("m"), (ProcessError,)),
        (ReceiveTimeout("m"), (ProcessError, TimeoutError)),
    ],
)
def test_each_error_is_a_process_error_and_says_its_message(error: Exception, bases: tuple[type, ...]) -> None:
    assert isinstance(error, bases[0])
    assert all(isinstance(error, base) for base in bases)
    assert str(error) == "m"


def test_reasons_are_kept() -> None:
    assert NoProcess("m").reason == "noproc"
    assert StartIgnored("m").reason == "ignore"
    holder = object()
    taken = AlreadyStarted("m", holder)
    assert taken.ref is holder
    assert taken.reason == ("already_started", holder)


def test_no_handler_of_exceptions_holds_up_the_end_of_a_process() -> None:
    assert not issubclass(Ended, Exception)
