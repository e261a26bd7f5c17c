"""Looking into a process, and holding it: what OTP's sys module does.

Owns:  get_state, replace_state, suspend, resume, trace, statistics, and the requests that carry them.
Knows: that a look at the state comes in its turn, after what was sent before, as in OTP; that holding a process does
       not wait for its turn, and that a process which is held is still looked into.
Never: costs a process anything that is not looked into.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, NamedTuple

from tinybeam.process import bonds
from tinybeam.process.answer import From
from tinybeam.process.destinations import ref_of
from tinybeam.process.errors import CallTimeout, NoProcess
from tinybeam.process.here import local
from tinybeam.process.messages import CAST, INFO, SYSTEM
from tinybeam.process.reasons import said
from tinybeam.process.ref import CALL_TIMEOUT_S

_KINDS = {INFO: "info", CAST: "cast"}


class Traced(NamedTuple):
    """A message that a traced process has handled: its kind, itself, and the answer it was given, if any."""

    process: Any
    kind: str
    message: Any
    answer: Any


class Statistics(NamedTuple):
    """What a process has done since `statistics(ref, enable=True)`."""

    since_s: float
    messages: int
    waiting: int


class SystemRequest:
    """Something to do in a process, before the messages that wait."""

    __slots__ = ("_from", "_what")

    def __init__(self, what: Callable[[Any], Any], from_: From) -> None:
        self._what = what
        self._from = from_

    def __call__(self, process: Any) -> None:
        try:
            self._from.set(self._what(process))
        except Exception as error:  # noqa: BLE001 - the fault of who asked; the process goes on
            self._from.fail(error)


def request(to: Any, what: Callable[[Any], Any], timeout: float | None, *, at_once: bool = False) -> Any:
    """Has `what(process)` called in the process, and returns what it gives, or raises what it raises.

    It comes in its turn among the messages, or, `at_once`, before them. Raises NoProcess, CallTimeout.
    """
    ref = ref_of(to)
    process = None if ref is None else ref._process
    if process is None:
        raise NoProcess(f"{said(to)} had ended")
    if local.here.process is process:
        return what(process)
    from_ = From()
    from_.caller = local.here.process
    if not bonds.expect(process, from_):
        raise NoProcess(f"{said(to)} had ended")
    todo = SystemRequest(what, from_)
    if at_once:
        process._signal(todo)
    else:
        process._post((SYSTEM, todo, from_))
        if process._held:
            process._signal(_expedite)
    if process._dead:
        from_.refuse(ref, None)
    runner = local.here.runner
    if runner is not None:
        runner.let_go()
    came = from_.wait(timeout)
    bonds.settle(process, from_)
    if not came:
        raise CallTimeout(f"{ref} did not come to this within {timeout:g} s")
    return from_.get()


def _expedite(process: Any) -> None:
    """Takes the requests out of the mailbox of a process that is held, which looks at no message."""
    for entry in process._waiting():
        if entry[0] == SYSTEM:
            process._remove(entry)
            entry[1](process)


def _hold(process: Any) -> None:
    process._held = True
    _expedite(process)


def _let_go(process: Any) -> None:
    process._held = False


def get_state(to: Any, timeout: float | None = CALL_TIMEOUT_S) -> Any:
    """The state of a GenServer (sys:get_state/1); of another process, a copy of its attributes."""
    return request(to, lambda process: process._state_shown(), timeout)


def replace_state(to: Any, change: Callable[[Any], Any], timeout: float | None = CALL_TIMEOUT_S) -> Any:
    """Replaces the state by `change(state)`, and returns that (sys:replace_state/2). What it raises is raised here."""

    def replace(process: Any) -> Any:
        state = change(process._state_shown())
        process._state_replace(state)
        return state

    return request(to, replace, timeout)


def suspend(to: Any, timeout: float | None = CALL_TIMEOUT_S) -> None:
    """Has a process handle nothing but what this module asks, until `resume` (sys:suspend/1). Messages wait."""
    request(to, _hold, timeout, at_once=True)


def resume(to: Any, timeout: float | None = CALL_TIMEOUT_S) -> None:
    """Lets it go on (sys:resume/1)."""
    request(to, _let_go, timeout, at_once=True)


def trace(to: Any, tell: Callable[[Traced], None] | None, timeout: float | None = CALL_TIMEOUT_S) -> None:
    """Has `tell` called for each message that the process has handled; None ends it (sys:trace/2)."""
    request(to, lambda process: _observe(process, "_trace", tell), timeout)


def statistics(to: Any, *, enable: bool | None = None, timeout: float | None = CALL_TIMEOUT_S) -> Statistics | None:
    """What it has done since they were enabled; None while they are not (sys:statistics/2)."""

    def count(process: Any) -> Statistics | None:
        observers = process.__dict__.get("_observers", {})
        if enable is not None:
            observers = _observe(process, "_statistics", _Counter() if enable else None)
        counter = observers.get("_statistics")
        if counter is None:
            return None
        return Statistics(monotonic() - counter.started_s, counter.messages, len(process._waiting()))

    counted: Statistics | None = request(to, count, timeout)
    return counted


class _Counter:
    def __init__(self) -> None:
        self.started_s = monotonic()
        self.messages = 0

    def __call__(self, _traced: Traced) -> None:
        self.messages += 1


def _observe(process: Any, name: str, observer: Callable[[Traced], None] | None) -> dict[str, Any]:
    """Puts an observer in the way of messages, or takes it out; the way of a process that nobody observes is bare."""
    observers: dict[str, Any] = process.__dict__.setdefault("_observers", {})
    observers.pop(name, None)
    if observer is not None:
        observers[name] = observer
    if observers:
        process.__dict__["_dispatch"] = lambda *entry: _dispatch(process, observers, *entry)
        process.__dict__["_answer"] = lambda message, from_: _answer(process, observers, message, from_)
    else:
        for way in ("_dispatch", "_answer", "_observers"):
            process.__dict__.pop(way, None)
    return observers


def _dispatch(process: Any, observers: dict[str, Any], kind: int, message: Any, reply_to: Any) -> None:
    type(process)._dispatch(process, kind, message, reply_to)
    if kind in _KINDS:
        _tell(observers, Traced(process._actor_ref, _KINDS[kind], message, None))


def _answer(process: Any, observers: dict[str, Any], message: Any, from_: Any) -> Any:
    answer = type(process)._answer(process, message, from_)
    _tell(observers, Traced(process._actor_ref, "call", message, answer))
    return answer


def _tell(observers: dict[str, Any], traced: Traced) -> None:
    for observer in list(observers.values()):
        observer(traced)
