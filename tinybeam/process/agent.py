"""Agent: a state that many share, read and changed with functions.

Owns:  the calls on an agent, which is given by its ref or its name.
Knows: that the functions run in the agent, one after the other; so the others wait while one computes.
Never: goes on with a state of which a function could make nothing: what raises in there ends the agent.

As Elixir's Agent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, Self, TypeVar

from tinybeam.process import destinations
from tinybeam.process.errors import BadReturn, NoProcess
from tinybeam.process.genserver import GenServer
from tinybeam.process.reasons import NORMAL, said
from tinybeam.process.ref import CALL_TIMEOUT_S, ProcessRef
from tinybeam.process.results import NoReply, Ok

R = TypeVar("R")

_GET: Final = "get"
_UPDATE: Final = "update"
_GET_AND_UPDATE: Final = "get_and_update"


class Agent(GenServer):
    """Call these on the class, with the agent's ref or name first; what follows the function is given to it.

    Raises what `call` does: ProcessExited when the function raises, which ends the agent.

    >>> scores = Agent.start(dict)
    >>> Agent.update(scores, lambda state: state | {"Ann": 3})
    >>> Agent.get(scores, lambda state, name: state[name], "Ann")
    3
    >>> Agent.get_and_update(scores, lambda state: (len(state), {}))
    1
    >>> Agent.stop(scores)
    True
    """

    __slots__ = ()

    @classmethod
    def start(cls, function: Callable[..., Any], *args: Any, name: Hashable = None) -> ProcessRef[Self]:  # type: ignore[override]
        """Starts an agent whose first state is what the function returns. Raises StartFailed, AlreadyStarted."""
        return super().start(function, *args, name=name)

    @classmethod
    def start_link(cls, function: Callable[..., Any], *args: Any, name: Hashable = None) -> ProcessRef[Self]:  # type: ignore[override]
        """The same, linked to the process that calls this."""
        return super().start_link(function, *args, name=name)

    @staticmethod
    def get(agent: Any, function: Callable[..., R], *args: Any, timeout: float | None = CALL_TIMEOUT_S) -> R:
        """What `function(state, *args)` returns."""
        answer: R = destinations.call(agent, (_GET, function, args), timeout)
        return answer

    @staticmethod
    def update(agent: Any, function: Callable[..., Any], *args: Any, timeout: float | None = CALL_TIMEOUT_S) -> None:
        """Makes `function(state, *args)` the state, and returns when it is."""
        destinations.call(agent, (_UPDATE, function, args), timeout)

    @staticmethod
    def get_and_update(
        agent: Any, function: Callable[..., tuple[R, Any]], *args: Any, timeout: float | None = CALL_TIMEOUT_S
    ) -> R:
        """Does both: `function(state, *args)` returns `(answer, state)`."""
        answer: R = destinations.call(agent, (_GET_AND_UPDATE, function, args), timeout)
        return answer

    @staticmethod
    def cast(agent: Any, function: Callable[..., Any], *args: Any) -> None:
        """Makes `function(state, *args)` the state, some time; silent when there is no agent."""
        destinations.cast(agent, (function, args))

    @staticmethod
    def stop(agent: Any, reason: object = NORMAL, timeout: float | None = None) -> bool:  # type: ignore[override]
        """See ProcessRef.stop. Raises NoProcess when nobody has the name."""
        ref = destinations.ref_of(agent)
        if ref is None:
            raise NoProcess(f"nobody is named {said(agent)}")
        stopped: bool = ref.stop(reason, timeout=timeout)
        return stopped

    # In the agent.

    def init(self, function: Callable[..., Any], *args: Any) -> Any:
        """See GenServer. The state is wrapped, since any value may be one."""
        return Ok(function(*args))

    def handle_call(self, message: Any, _from: Any, state: Any) -> Any:
        """See GenServer."""
        what, function, args = message
        result = function(state, *args)
        if what == _GET:
            return result, state
        if what == _UPDATE:
            return None, result
        if type(result) is tuple and len(result) == 2:
            return result
        raise BadReturn(f"the function of get_and_update returned {said(result)}; return (answer, state)")

    def handle_cast(self, message: Any, state: Any) -> Any:
        """See GenServer."""
        function, args = message
        return NoReply(function(state, *args))
