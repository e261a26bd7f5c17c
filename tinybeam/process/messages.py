"""What a mailbox holds, and the messages that the system itself sends.

Owns:  the kinds of entries, and the values that tell of ends and of time.
Knows: that a process takes them apart with `match`.
Never: has behaviour.
"""

from __future__ import annotations

from typing import Any, Final, Generic, NamedTuple, TypeVar

R_co = TypeVar("R_co", covariant=True)

# A mailbox's entry is a tuple: its kind, the message, and who waits for an answer (None: nobody).
INFO: Final = 0
CAST: Final = 1
CALL: Final = 2
ASK: Final = 3  # pykka's call
STOP: Final = 4
TIMEOUT: Final = 5
SYSTEM: Final = 6  # something to do in the process, in the order of messages

Entry = tuple[int, Any, Any]


class Request(Generic[R_co]):
    """A base for messages of `call`, which tells type checkers what the answer is.

    >>> class Get(Request[int]): ...
    >>> # reveal_type(ref.call(Get()))  ->  int
    """

    __slots__ = ()


class Down(NamedTuple):
    """A monitored process has ended: sent once for each monitor (erlang:monitor/2)."""

    monitor: Monitor
    process: Any
    reason: Any


class Exit(NamedTuple):
    """A linked process has ended, or `exit` was called; sent to who traps exits (process_flag(trap_exit))."""

    process: Any
    reason: Any


class Timeout(NamedTuple):
    """Nothing has come for as long as the last callback said."""


class Monitor:
    """What `monitor` gives: it stands in the Down message, and `demonitor` takes it."""

    __slots__ = ("flushed", "watched", "watcher")

    def __init__(self, watcher: Any, watched: Any) -> None:
        self.watcher = watcher
        self.watched = watched
        # Taken back, with its Down if that was on its way.
        self.flushed = False
