"""Workers that tell the test what happens to them, and what tests of supervisors do with them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tinybeam.process import GenServer, Stop, Supervisor, monitor, receive, self_ref
from tinybeam.process.childspec import ChildSpec, child_spec

PATIENCE_S = 30

Start = Callable[..., Any]


class Gate:
    """Where a callback waits until the test lets it go on."""

    def __init__(self) -> None:
        self._reached, self._opened = threading.Event(), threading.Event()

    def wait(self) -> None:
        self._reached.set()
        assert self._opened.wait(PATIENCE_S)

    def reached(self) -> None:
        assert self._reached.wait(PATIENCE_S)

    def open(self) -> None:
        self._opened.set()


class Worker(GenServer):
    """Tells the test when it starts and when it ends, and ends as it is told."""

    trap_exit = True

    def init(self, to: Any, name: str) -> Any:
        to.send(("started", name))
        return to, name

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return state[1], state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return Stop(message)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ended", state[1]))


class Flaky(Worker):
    """Starts at first, and later when the test lets it."""

    def init(self, to: Any, name: str, fails: list[bool]) -> Any:
        if fails:
            to.send(("failed", name))
            raise RuntimeError("failed by the test")
        return super().init(to, name)


def worker(name: str, **fields: Any) -> ChildSpec:
    return child_spec((Worker, self_ref(), name), id=name, **fields)


def told(count: int = 1) -> list[Any]:
    """What the workers say, in order."""
    return [receive(PATIENCE_S, want=lambda message: type(message) is tuple) for _ in range(count)]


def started(*names: str) -> list[Any]:
    return [("started", name) for name in names]


def ended(*names: str) -> list[Any]:
    return [("ended", name) for name in names]


def end_of(ref: Any) -> Any:
    """Waits until a process has ended, and says why it did."""
    watch = monitor(ref)
    return receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch).reason


def children_of(supervisor: Any) -> dict[Any, Any]:
    return {info.id: info.child for info in Supervisor.which_children(supervisor)}


def settle(supervisor: Any) -> None:
    """Lets a supervisor take note of ends that it has been told of: a call comes after the signals that are there."""
    for _ in range(3):
        Supervisor.count_children(supervisor)


def crash(ref: Any, reason: Any = None) -> None:
    """Ends a child, and waits until it has."""
    ref.cast(RuntimeError("crashed by the test") if reason is None else reason)
    end_of(ref)


def receive_all() -> bool:
    try:
        receive(0)
    except TimeoutError:
        return False
    return True
