"""GenServer: a process made of callbacks that are given the state and return it.

Owns:  the callbacks, their results, and the timeout that they may ask for.
Knows: the rules of OTP's gen_server, which it follows to the letter, but for the order of arguments: that is Elixir's.
Never: keeps a state that a callback did not return.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any, Self

from pykka import messages

from tinybeam.process import ending, report, starting
from tinybeam.process.answer import PENDING
from tinybeam.process.errors import BadReturn, StartFailed, StartIgnored
from tinybeam.process.here import current
from tinybeam.process.messages import ASK, CALL, CAST, INFO, STOP, SYSTEM, TIMEOUT, Exit, Monitor, Timeout
from tinybeam.process.process import Process
from tinybeam.process.reasons import is_normal, is_orderly
from tinybeam.process.ref import ProcessRef
from tinybeam.process.results import UNSET, Ignore, NoReply, Ok, Reply, Stop
from tinybeam.process.timers import timers

logger = logging.getLogger("tinybeam.process")

_SPECIAL = frozenset((NoReply, Ok, Reply, Stop, Ignore))
_PROXY = frozenset((messages.ProxyCall, messages.ProxyGetAttr, messages.ProxySetAttr))


class _Continue:
    """What init has said that it goes on with, before any message."""

    __slots__ = ("_result",)

    def __init__(self, result: Ok) -> None:
        self._result = result

    def __call__(self, process: Any) -> None:
        process._become(self._result)

    def __repr__(self) -> str:
        return f"then={self._result.then!r}"


class GenServer(Process):
    """Override what you need of init, handle_call, handle_cast, handle_info, handle_continue, terminate, code_change.

    >>> class Counter(GenServer):
    ...     def handle_call(self, message, from_, count):
    ...         match message:
    ...             case ("add", n):
    ...                 return count + n, count + n
    >>> counter = Counter.start(40)
    >>> counter.call(("add", 2))
    42
    >>> counter.stop()
    True
    """

    __slots__ = ("_state", "_timeout")

    @classmethod
    def start(cls, *args: Any, name: Hashable = None, **kwargs: Any) -> ProcessRef[Self]:
        """Starts a server; `init` is given the arguments, and has returned when this does.

        Raises StartFailed, with the reason of `init`; AlreadyStarted when the name is taken; StartIgnored.
        """
        process = cls.__new__(cls)
        starting.begin(process, args, kwargs, name=name)
        return process._actor_ref

    @classmethod
    def start_link(cls, *args: Any, name: Hashable = None, **kwargs: Any) -> ProcessRef[Self]:
        """The same, linked to the process that calls this, which is the server's parent."""
        process = cls.__new__(cls)
        starting.begin(process, args, kwargs, parent=current(), name=name)
        return process._actor_ref

    @classmethod
    def start_monitor(cls, *args: Any, name: Hashable = None, **kwargs: Any) -> tuple[ProcessRef[Self], Monitor]:
        """The same, monitored by the process that calls this instead of linked."""
        process = cls.__new__(cls)
        monitor = starting.begin(process, args, kwargs, watcher=current(), name=name)
        return process._actor_ref, monitor

    # The callbacks. Their arguments have no names here, so that a class may give them its own.

    def init(self, *args: Any, **_kwargs: Any) -> Any:
        """Returns the first state, Ok, Stop(reason) or Ignore(). Unless overridden: its one argument."""
        return args[0] if args else None

    def handle_call(self, message: Any, from_: Any, state: Any, /) -> Any:  # noqa: ARG002
        """Returns `(answer, state)`, Reply, NoReply or Stop."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_call, and was called with {message!r}")

    def handle_cast(self, message: Any, state: Any, /) -> Any:  # noqa: ARG002
        """Returns the state, NoReply or Stop."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_cast, and was cast {message!r}")

    def handle_info(self, message: Any, state: Any, /) -> Any:
        """Returns the state, NoReply or Stop. Every message that is neither call nor cast comes here."""
        logger.warning("%s was sent %r, and has no handle_info", self, message)
        return state

    def handle_continue(self, then: Any, state: Any, /) -> Any:  # noqa: ARG002
        """Returns the state, NoReply or Stop. What `then=` said comes here, before any message."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_continue, and was to go on with {then!r}")

    def terminate(self, reason: Any, state: Any, /) -> None:
        """Cleans up. Not called on a kill, nor on an exit signal unless `trap_exit` is set."""

    def code_change(self, old_version: Any, state: Any, /) -> Any:  # noqa: ARG002
        """Returns the state for the new version of the code."""
        return state

    # How they are called. The run lock is held.

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._state: Any = None
        self._timeout: Any = None
        state = self.init(*args, **kwargs)
        if type(state) not in _SPECIAL:
            self._state = state
        elif isinstance(state, Stop):
            raise StartFailed(f"{type(self).__name__} could not start: {state.reason!r}", state.reason)
        elif isinstance(state, Ignore):
            raise StartIgnored(f"{type(self).__name__} has nothing to do")
        elif isinstance(state, Ok) and state.then is not UNSET:
            # Whoever starts it does not wait for it.
            self._state = state.state
            self._signal(_Continue(state))
        else:
            self._become(state)

    def _dispatch(self, kind: int, message: Any, reply_to: Any) -> None:
        if self._timeout is not None and kind != SYSTEM and not self._is_due(kind, message):
            return
        if kind == CAST:
            result = self.handle_cast(message, self._state)
            if type(result) in _SPECIAL:
                self._become(result)
            else:
                self._state = result
        elif kind == CALL or (kind == ASK and type(message) not in _PROXY):
            answer = self._answer(message, reply_to)
            if answer is not PENDING:
                reply_to.set(answer)
        elif kind == STOP:
            ending.stop(self, message, reply_to)
        elif kind == SYSTEM:
            message(self)
        elif type(message) in _PROXY:
            answer = self._handle_receive(message)
            if reply_to is not None:
                reply_to.set(answer)
        elif kind == INFO:
            self._become(self.handle_info(message, self._state))

    def _answer(self, message: Any, from_: Any) -> Any:
        if self._timeout is not None:
            self._forget_timeout()
        result = self.handle_call(message, from_, self._state)
        if type(result) is tuple and len(result) == 2:
            answer, self._state = result
            return answer
        return self._unusual_answer(result, from_)

    def _unusual_answer(self, result: Any, from_: Any) -> Any:
        """The rest of what handle_call may return."""
        if isinstance(result, Reply):
            from_.set(result.answer)
        elif isinstance(result, Stop):
            if result.state is not UNSET:
                self._state = result.state
            if ending.end(self, result.reason, last=from_):
                if result.reply is UNSET:
                    from_.refuse(self._actor_ref, result.reason)
                else:
                    from_.set(result.reply)
            return PENDING
        elif not isinstance(result, NoReply):
            raise BadReturn(
                f"{type(self).__name__}.handle_call returned {result!r}; return (answer, state), Reply, NoReply or Stop"
            )
        self._become(result)
        return PENDING

    def _become(self, result: Any) -> None:
        """Takes over what a callback other than handle_call has returned."""
        while type(result) in _SPECIAL:
            if isinstance(result, Stop):
                if result.state is not UNSET:
                    self._state = result.state
                ending.end(self, result.reason)
                return
            if isinstance(result, Ignore):
                raise BadReturn(f"{type(self).__name__} returned Ignore() from another callback than init")
            self._state = result.state
            if result.then is UNSET:
                if result.timeout_ms is not None:
                    self._timeout = timers.start(self._actor_ref, TIMEOUT, Timeout(), result.timeout_ms)
                return
            result = self.handle_continue(result.then, self._state)
        self._state = result

    # The timeout.

    def _is_due(self, kind: int, message: Any) -> bool:
        """Something has come while a timeout runs: it ends that, unless it is the timeout itself."""
        if kind != TIMEOUT:
            self._forget_timeout()
        elif message is self._timeout:
            self._timeout = None
            self._become(self.handle_info(Timeout(), self._state))
            return False
        return True

    def _forget_timeout(self) -> None:
        timers.cancel(self._timeout)
        self._timeout = None

    # For who looks into it.

    def _state_shown(self) -> Any:
        return self._state

    def _state_replace(self, state: Any) -> None:
        self._state = state

    # Ends.

    def _is_parent(self, sender: Any) -> bool:
        ties = self._bonds
        return ties is not None and sender is not None and ties.parent is sender

    def _on_exit(self, sender: Any, reason: object) -> None:
        if not self.trap_exit:
            if not is_normal(reason):
                ending.bury(self, reason)
        elif self._is_parent(sender):
            ending.end(self, reason)
        else:
            self._dispatch_info(Exit(sender, reason))

    def _on_end(self, reason: object, error: BaseException | None) -> None:
        self.terminate(reason, self._state)
        if error is None and not is_orderly(reason):
            report.stopped(self, reason)
