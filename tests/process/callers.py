"""What tests of calls share: a server that calls others, and answers, waits, crashes or keeps silent as it is told."""

from __future__ import annotations

import threading
from typing import Any

from tinybeam.process import GenServer, NoReply


class Caller(GenServer):
    """Calls whom it is told, and answers with the answer."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        match message:
            case ("call", other, what, *timeout):
                return other.call(what, *timeout), state
            case ("thread",):
                return threading.get_ident(), state
            case ("held", gate):
                gate.wait()
                return "held", state
            case ("crash", error):
                raise error
            case ("never",):
                return NoReply(state)
            case ("never, from", to):
                to.send(from_)
                return NoReply(state)
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return state
