"""What tests of GenServer share: a server that tells the test which of its callbacks are called."""

from __future__ import annotations

from typing import Any

from tinybeam.process import GenServer, NoReply, Ok, Stop, receive

PATIENCE_S = 30


class Teller(GenServer):
    """Tells the test what is called, and returns what it was given for it."""

    def init(self, to: Any, result: Any = "state") -> Any:
        self.to = to
        return result

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        self.to.send(("call", state))
        return message

    def handle_cast(self, message: Any, state: Any) -> Any:
        self.to.send(("cast", state))
        return message

    def handle_info(self, message: Any, state: Any) -> Any:
        self.to.send(("info", message, state))
        return state

    def handle_continue(self, then: Any, state: Any) -> Any:
        self.to.send(("continue", then, state))
        return then if isinstance(then, Ok | Stop | NoReply) else (state, then)

    def terminate(self, reason: Any, state: Any) -> None:
        self.to.send(("terminate", reason, state))


def told() -> Any:
    return receive(PATIENCE_S)
