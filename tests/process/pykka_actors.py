"""What tests of pykka's interface share: processes that are written as pykka's actors, and an actor of pykka's own."""

from __future__ import annotations

import threading
from typing import Any

import pykka

from tinybeam.process import Process


class Player:
    """An attribute with methods of its own."""

    def __init__(self) -> None:
        self.volume = 3

    def louder(self, by: int) -> int:
        self.volume += by
        return self.volume


class Actor(Process):
    """Has something of everything that a proxy may reach."""

    kind = "actor"

    def __init__(self, to: Any = None, *, greeting: str = "hello") -> None:
        super().__init__()
        self.to = to
        self.greeting = greeting
        self.player = pykka.traversable(Player())
        self._hidden = 1

    @property
    def loud(self) -> str:
        return self.greeting.upper()

    def greet(self, whom: str = "world", *, mark: str = "!") -> str:
        return f"{self.greeting}, {whom}{mark}"

    def fail(self) -> None:
        raise KeyError("failed")

    def thread(self) -> int:
        return threading.get_ident()

    def later(self, gate: Any) -> str:
        gate.wait()
        return "late"

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        if self.to is not None:
            self.to.send(message)
        return message


class PykkaWay(Actor):
    replies_with = (Exception,)


class Theirs(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, other: Any = None) -> None:
        super().__init__()
        self.other = other

    def on_receive(self, message: Any) -> Any:
        if self.other is None:
            return ("theirs", message)
        return ("theirs", self.other.ask(message))


class Ours(Process):
    def __init__(self, other: Any = None) -> None:
        self.other = other

    def on_receive(self, message: Any) -> Any:
        if self.other is None:
            return ("ours", message)
        return ("ours", self.other.ask(message))
