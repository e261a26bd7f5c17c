"""A reference to a process: what everybody else has of it.

Owns:  the ways to talk to a process: call, cast, send, stop, and pykka's ask, tell and proxy.
Knows: that a call to an idle process is run here and now, in the caller's thread, and any other by who runs it.
Never: reaches another process than the one it was made for: a restarted child has another ref.
"""

from __future__ import annotations

import _thread
import itertools
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Generic, Literal, Self, TypeVar, overload

import pykka

from tinybeam.process import bonds, calling, ending
from tinybeam.process.answer import PENDING, From, FutureFrom, StopFrom, StopFutureFrom
from tinybeam.process.errors import CallTimeout, NoProcess
from tinybeam.process.future import Future
from tinybeam.process.here import local
from tinybeam.process.inbox import Inbox
from tinybeam.process.messages import ASK, CAST, INFO, STOP, Request
from tinybeam.process.reasons import NORMAL
from tinybeam.process.tally import dead_letters

P_co = TypeVar("P_co", bound=Any, covariant=True)
R = TypeVar("R")

CALL_TIMEOUT_S: Final = 5.0
# A call with a shorter timeout is not run in the caller's thread, where nothing could end it in time.
_PATIENT_S: Final = 1.0


def _is_patient(timeout: float | None) -> bool:
    return timeout is None or timeout >= _PATIENT_S


_ids = itertools.count(1)


class ProcessRef(pykka.ActorRef[Any], Generic[P_co]):
    """Made by `start`; equal to itself only, so it can be a key. It goes on existing when the process has ended."""

    __slots__ = ("_process", "actor_class")

    def __init__(self, process: Any) -> None:
        self._process: Any = process
        self.actor_class = type(process)

    # Talking to it.

    @overload
    def call(self, message: Request[R], timeout: float | None = ...) -> R: ...
    @overload
    def call(self, message: Any, timeout: float | None = ...) -> Any: ...
    def call(self, message: Any, timeout: float | None = CALL_TIMEOUT_S) -> Any:
        """Sends a message and returns the answer (gen_server:call/3); `timeout` is in seconds, None: no limit.

        Raises CallTimeout, MailboxFull, and ProcessExited when the process ends before it answers, NoProcess when it
        had ended before. An idle process handles the message, and what was sent to it before, in this thread, so the
        call may take longer than its timeout; it raises CallTimeout then as well. With a timeout below 1 s it never
        does.
        """
        process = self._process
        here = local.here
        # Before the lock is ours: in a caller that is deep in its stack any call may raise RecursionError.
        from_ = From()
        started = monotonic()
        if (
            process is None
            or process._elsewhere
            or (timeout is not None and timeout < _PATIENT_S)
            or here.depth >= calling.DEPTH_MAX
            or not process._lock.acquire(False)
        ):
            return calling.call_elsewhere(self, message, timeout)
        if process._box or process._batch or process._signals:
            return calling.call_behind(self, process, message, timeout)
        caller = here.process
        if caller is not None:
            caller._calls = process
        here.process = process
        here.depth += 1
        from_.caller = caller
        try:
            answer = process._answer(message, from_)
        except RecursionError as error:  # there may be no room in this thread to deal with it
            here.depth -= 1
            here.process = caller
            if caller is not None:
                caller._calls = None
            _thread.start_new_thread(calling.crashed_deep, (process, error, message, from_))
            return calling.wait_for(self, process, from_, timeout)
        except BaseException as error:  # noqa: BLE001 - a crash of the process, and not of ours
            answer = PENDING
            ending.on_error(process, error, message, from_)
        here.depth -= 1
        here.process = caller
        if caller is not None:
            caller._calls = None
        elapsed = monotonic() - started
        if not process._dead:  # as _leave, without the call of it
            process._lock.release()
            if process._box or process._batch or process._signals or process._queued:
                process._look_again()
        if elapsed > calling.SLOW_S:
            process._elsewhere = calling.ELSEWHERE_AFTER_SLOW
        if answer is PENDING or (timeout is not None and elapsed > timeout) or process._dead:
            return calling.call_ended(self, process, from_, answer, timeout, elapsed)
        return answer

    async def call_async(self, message: Any, timeout: float | None = CALL_TIMEOUT_S) -> Any:
        """The same for `async def` code: the event loop goes on meanwhile, and the process runs in another thread."""
        return await calling.call_from_loop(self, message, timeout)

    def cast(self, message: Any) -> None:
        """Sends a message for handle_cast, and does not wait. Silent when the process has ended, as in OTP."""
        process = self._process
        if process is None:
            dead_letters.add()
        elif len(process._box) + len(process._batch) < process.mailbox_max or process._admit(CAST):
            process._box.append((CAST, message, None))
            if not process._queued:
                process._wake()
            if process._dead:
                ending.refuse_rest(process)

    def send(self, message: Any) -> None:
        """Sends a message for handle_info. Silent when the process has ended, as in OTP."""
        process = self._process
        if process is None:
            dead_letters.add()
        elif len(process._box) + len(process._batch) < process.mailbox_max or process._admit(INFO):
            process._box.append((INFO, message, None))
            if not process._queued:
                process._wake()
            if process._dead:
                ending.refuse_rest(process)

    # pykka's ways.

    def tell(self, message: Any) -> None:
        """Sends a message. Raises ActorDeadError (NoProcess) when the process has ended: pykka's `send`."""
        if self._process is None:
            raise NoProcess(f"{self} not found")
        self.send(message)

    def ask(self, message: Any, *, block: bool = True, timeout: float | None = None) -> Any:
        """Sends a message and returns the answer, or a future of it: pykka's `call`.

        What the process raises is raised here as it is; see `replies_with`.
        """
        future: Future[Any] = self.actor_class._create_future()
        process = self._process
        if process is None:
            error = NoProcess(f"{self} not found")
            future.set_exception((type(error), error, None))
        elif block and local.here.process is process:
            raise CallTimeout(f"{self} asks itself, and would wait for ever")
        else:
            process._admit(ASK)
            calling.post_or_run(
                process, (ASK, message, FutureFrom(future, process)), here=block and _is_patient(timeout)
            )
        if not block:
            return future
        return calling.get(self, future, timeout)

    @overload  # type: ignore[override]  # pykka's has no reason, and is called with keywords only
    def stop(self, reason: object = ..., *, block: Literal[True] = ..., timeout: float | None = ...) -> bool: ...
    @overload
    def stop(self, reason: object = ..., *, block: Literal[False], timeout: float | None = ...) -> Future[bool]: ...
    def stop(self, reason: object = NORMAL, *, block: bool = True, timeout: float | None = None) -> bool | Future[bool]:
        """Has the process handle what it has been sent by now, and end. True when this did it, or was about to.

        False when it had ended before. Raises CallTimeout when it has not ended in time; it will.
        """
        process = self._process
        if not block:
            future: Future[bool] = Future()
            if process is None:
                future.set(False)
            else:
                calling.post_or_run(process, (STOP, reason, StopFutureFrom(future, process)), here=False)
            return future
        if process is None:
            return False
        from_ = StopFrom()
        from_.caller = local.here.process
        if not bonds.expect(process, from_):
            return False
        calling.post_or_run(process, (STOP, reason, from_), here=_is_patient(timeout))
        if from_.caller is process:
            return True  # it is its own message that asks for it
        stopped: bool = calling.wait_for(self, process, from_, timeout)
        return stopped

    # About it.

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None

    @property
    def actor_urn(self) -> str:  # type: ignore[override]
        """A name that no other process of this machine has had; see pykka."""
        return f"urn:tinybeam:process:{self.id}"

    @property
    def id(self) -> int:
        """A number of its own."""
        number: int | None = self.__dict__.get("id")
        if number is None:
            number = self.__dict__.setdefault("id", next(_ids))
        return number

    @property
    def actor_inbox(self) -> Any:  # type: ignore[override]
        """See pykka."""
        return Inbox(self._process)

    @property
    def actor_stopped(self) -> threading.Event:  # type: ignore[override]
        """An event that is set when the process has ended."""
        with bonds.lock:
            event: threading.Event = self.__dict__.setdefault("actor_stopped", threading.Event())
            process = self._process
            if process is None or process._dead:
                event.set()
            else:
                bonds.bonds_of(process).stopped = event
        return event

    @property
    def _actor_weakref(self) -> Callable[[], Any]:  # type: ignore[override]
        # What pykka's proxy looks at the actor's attributes with.
        return lambda: self._process

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: Any) -> Self:
        """Itself: a ref in a state that is copied is the same process'."""
        return self

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return f"{self.actor_class.__name__} {self.id}"
