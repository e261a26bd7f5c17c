"""Exit reasons: why a process ended.

Owns:  the reasons that mean something to links and supervisors, and which of them are failures.
Knows: that any object may be a reason; a crash has the exception itself.
Never: compares a reason with ==, which is the user's code, before it knows that it is a str or a tuple.

As in OTP ("Error Handling" in the Erlang reference manual): `normal`, `shutdown` and `{shutdown, Term}` are orderly.
"""

from __future__ import annotations

from typing import Final

NORMAL: Final = "normal"
SHUTDOWN: Final = "shutdown"
# Sent with `exit`, it cannot be trapped; who watches sees KILLED.
KILL: Final = "kill"
KILLED: Final = "killed"
NOPROC: Final = "noproc"


def is_orderly(reason: object) -> bool:
    """Whether a transient child that ended so is left alone: `normal`, `shutdown` or `("shutdown", anything)`.

    >>> is_orderly(SHUTDOWN), is_orderly(("shutdown", "restart me later")), is_orderly(ValueError("x"))
    (True, True, False)
    """
    if type(reason) is str:
        return reason in (NORMAL, SHUTDOWN)
    return type(reason) is tuple and len(reason) == 2 and type(reason[0]) is str and reason[0] == SHUTDOWN


def is_normal(reason: object) -> bool:
    """Whether a link does not spread it."""
    return type(reason) is str and reason == NORMAL


def said(reason: object) -> str:
    """A reason in words, for reports.

    >>> said(ValueError("x")), said(("shutdown", 3)), said(NORMAL)
    ("ValueError('x')", "('shutdown', 3)", 'normal')
    """
    try:
        return reason if type(reason) is str else repr(reason)
    except BaseException as error:  # noqa: BLE001 - repr is the user's code
        return f"<{type(reason).__name__} whose repr raised {type(error).__name__}>"
