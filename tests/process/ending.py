"""Workers that say of what they end, and those that wait at a gate before they do, for tests of ends of supervisors."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.conftest import Gate
from tests.process import supervised
from tinybeam.process import self_ref
from tinybeam.process.childspec import ChildSpec, child_spec


class Worker(supervised.Worker):
    """It also says of what it ends, and waits at a gate that it is sent."""

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, Gate):
            message.wait()
            state[0].send(("passed", state[1]))
            return state
        return super().handle_cast(message, state)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ended", state[1], reason))


def worker(name: str, **fields: Any) -> ChildSpec:
    return child_spec((Worker, self_ref(), name), id=name, **fields)


def ended(*names: str) -> list[Any]:
    return [("ended", name, "shutdown") for name in names]


class Stuck(Worker):
    """Waits at a gate when it is to end."""

    def init(self, to: Any, name: str, gate: Gate) -> Any:
        self.gate = gate
        return super().init(to, name)

    def terminate(self, reason: Any, state: Any) -> None:
        state[0].send(("ending", state[1]))
        self.gate.wait()
        super().terminate(reason, state)


def stuck(name: str, gate: Gate, **fields: Any) -> ChildSpec:
    return child_spec((Stuck, self_ref(), name, gate), id=name, **fields)


def in_a_thread(do: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=do)
    thread.start()
    return thread
