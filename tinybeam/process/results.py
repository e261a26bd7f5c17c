"""What callbacks may return besides the plain answer and the plain state.

Owns:  OTP's tuples `{reply, ...}`, `{noreply, ...}`, `{stop, ...}`, `{ok, ...}` and `ignore`, as values with names.
Knows: nothing of who returns them.
Never: has behaviour.
"""

from __future__ import annotations

from typing import Any, Final

UNSET: Final[Any] = object()


class _Result:
    """`then` is given to handle_continue at once; after `timeout_ms` without a message comes `Timeout()`."""

    __slots__ = ("state", "then", "timeout_ms")

    def __init__(self, state: Any, *, then: Any = UNSET, timeout_ms: float | None = None) -> None:
        self.state = state
        self.then = then
        self.timeout_ms = timeout_ms


class Ok(_Result):
    """From init, when it is more than the state: `{ok, State, Timeout | {continue, Term}}`."""

    __slots__ = ()


class NoReply(_Result):
    """From handle_call: the answer comes later, by `reply(from_, value)`. From others: more than the state."""

    __slots__ = ()


class Reply(_Result):
    """From handle_call, when it is more than `(answer, state)`."""

    __slots__ = ("answer",)

    def __init__(self, answer: Any, state: Any, *, then: Any = UNSET, timeout_ms: float | None = None) -> None:
        super().__init__(state, then=then, timeout_ms=timeout_ms)
        self.answer = answer


class Stop:
    """From any callback: ends the process. From init, the start fails with the reason."""

    __slots__ = ("reason", "reply", "state")

    def __init__(self, reason: Any, state: Any = UNSET, reply: Any = UNSET) -> None:
        self.reason = reason
        # Given to terminate; the state as it was when it is left out.
        self.state = state
        # For a call; when it is left out the caller is told that the process has ended.
        self.reply = reply


class Ignore:
    """From init: there is nothing to do, and no process. Its supervisor goes on without."""

    __slots__ = ()


def reply(from_: Any, value: Any) -> None:
    """Answers a call for which handle_call returned NoReply (gen_server:reply/2). A second answer is dropped."""
    from_.set(value)
