"""A runner: an OS thread that drives the scheduler while it holds it, and waits on stand-by while it does not.

Owns:  the loop: flush and poll in one native call, decode, run each request to completion, collect the answers.
Knows: that while it is inside a handler its scheduler may be taken from it: then `taken` is set, its successor goes on
       with the rest of its turn, and it answers for the one request it was running.
Never: lets an exception of a handler out of the loop; does anything per request that a batch could share.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from tinybeam import contract
from tinybeam.errors import NativeError
from tinybeam.http import KIND_TEXT, Answer, Continue, Request, answer, answer_seen
from tinybeam.process import ReadyQueue, Visitor, this_thread
from tinybeam.router import Endpoint, Match
from tinybeam.server.access import log_request
from tinybeam.server.crash import answer_for
from tinybeam.server.engines import AnyPort
from tinybeam.server.outbox import Outbox
from tinybeam.server.request_process import Room
from tinybeam.server.turn import Turn

logger = logging.getLogger("tinybeam.server")

_LENGTH_MASK = 0xFFFF_FFFF
_encode = msgspec.msgpack.Encoder().encode
_NOTHING = b""
# For how long processes are run, when some are ready, before it is the network's turn again.
PROCESSES_S: Final = 0.0005
# After so many times without a pause other threads of Python get their turn, for so long at least.
SLICES_MAX: Final = 10
YIELD_S: Final = 0.00005


class Host(Protocol):
    """What a runner needs of the scheduler that it drives."""

    @property
    def match(self) -> Callable[[Request], Match]: ...
    @property
    def runners(self) -> Mapping[int, Runner]: ...
    @property
    def access_log(self) -> bool: ...
    @property
    def decode(self) -> Callable[[memoryview], Iterable[Request]]: ...
    @property
    def queue(self) -> ReadyQueue: ...
    @property
    def on_wake(self) -> Callable[[], None]: ...
    @property
    def on_signal(self) -> Callable[[], None]: ...
    @property
    def on_drained(self) -> Callable[[], None]: ...
    def wake(self) -> None: ...
    def start_runner(self) -> None: ...
    def on_takeover(self, endpoint: Endpoint | None) -> None: ...
    def on_overdue(self) -> None: ...
    def on_news(self, news: list[tuple[int, int]]) -> None: ...
    def on_fault(self, runner: Runner, error: BaseException) -> bool: ...
    def on_end(self, runner: Runner) -> None: ...
    def run_request(self, turn: Turn, request: Request) -> Answer | None: ...
    def run_judged(
        self, turn: Turn, endpoint: Endpoint, request: Request, values: tuple[Any, ...]
    ) -> Answer | None: ...


class Runner:
    """Made by the scheduler; `start` it. Its thread ends when the engine closes or it is one runner too many."""

    def __init__(self, scheduler: Host, port: AnyPort) -> None:
        self._scheduler = scheduler
        self._port = port
        self.number = port.number
        self.engine = port.engine
        self.ident: int | None = None
        self.turn = Turn()
        # Written by the successor that took our scheduler.
        self.taken = False
        # Read after each request: whether it was taken, or the request's process was asked for.
        self.attention = False
        self.room = Room()
        self.outbox = Outbox()
        self._slices = 0

    def start(self) -> None:
        """Starts the thread. Raises RuntimeError when the operating system has no more threads."""
        threading.Thread(target=self.run, name=f"tinybeam-runner-{self.number}", daemon=True).start()

    def run(self) -> None:
        """Drives the scheduler until the engine closes. A fault in the loop itself is logged, and the loop goes on."""
        self.ident = threading.get_ident()
        this_thread().runner = self
        faulted = False
        while True:
            try:
                if faulted:
                    self._abandon()
                    faulted = False
                if self._turns():
                    break
            except BaseException as error:  # noqa: BLE001 - our own bug, since handlers are held in _run_turn
                if not self._scheduler.on_fault(self, error):
                    break
                faulted = True
        self.leave()

    def leave(self) -> None:
        """Gives up the place at the engine; for a runner that has ended, or never began."""
        self._scheduler.on_end(self)
        self.room.leave()
        self._port.close()

    def _abandon(self) -> None:
        """After a fault: sends the answers that there are, and a 500 to every other request of the turn."""
        turn, self.turn = self.turn, Turn()
        if not self.taken:
            # Those of a turn that we took over are of another runner's batch, and not ours to forfeit.
            turn.answers.extend((request.handle, 500, b"", None) for request in turn.requests)
        if turn.answers:
            self._port.respond(all_encoded(turn.take_answers()))
        self._port.forfeit()

    def _turns(self) -> bool:
        """Polls and runs what it gives, until there is nothing more to do: then True."""
        port, phase, scheduler = self._port, self._port.phase, self._scheduler
        poll, decode = port.poll, scheduler.decode
        answers = _NOTHING
        while True:
            if not self.taken:
                queue = scheduler.queue
                queue.asleep = True
                if queue.processes:
                    scheduler.wake()  # so that the poll does not wait
            try:
                status = poll(answers)
            except NativeError as error:
                # A child that returns from the handler which forked it has nothing more to do here.
                if error.code in (contract.ESHUTDOWN, contract.EFORKED):
                    return True
                raise
            answers = _NOTHING
            if status & _LENGTH_MASK:
                # Before the flags, for heeding them may block, and then our successor shall find the requests here.
                self.turn.requests = iter(decode(port.view[: status & _LENGTH_MASK]))
            if status > _LENGTH_MASK and not self._heed(status):
                return True
            queue = scheduler.queue
            queue.asleep = False
            turn = self.turn
            # From here on the monitor may take the scheduler from us.
            phase[0] = contract.PHASE_RUNNING
            self._run_turn(turn)
            turn.request = None  # or its body would be kept for as long as this runner has nothing to do
            if self.attention:
                self._attend()  # somebody may have asked for the last request's process when it was over
            if queue.processes and not self.taken:
                turn.endpoint = None
                self._run_processes(queue)
            if turn.answers:
                answers = all_encoded(turn.take_answers())
            if self.taken:
                self.turn = Turn()
                port.shrink()  # the wait on stand-by may be a long one

    def _run_processes(self, queue: ReadyQueue) -> None:
        """Runs what is ready, for a while."""
        phase = self._port.phase
        phase[0] = contract.PHASE_MIXED
        queue.run(self, time.monotonic() + PROCESSES_S)
        if not queue.processes or self.taken:
            self._slices = 0
            return
        self._slices += 1
        if self._slices >= SLICES_MAX:
            self._slices = 0
            # A thread that waits for the GIL asks for it after 5 ms, and begins to count anew whenever somebody lets it
            # go: our polls do that all the time, and are over before the thread is awake. So it gets the time to wake.
            phase[0] = contract.PHASE_WAITING
            time.sleep(YIELD_S)
            phase[0] = contract.PHASE_MIXED

    def _run_turn(self, turn: Turn) -> None:
        """Runs the requests of a turn, until there are no more or the scheduler was taken. The hot path."""
        scheduler = self._scheduler
        if scheduler.access_log or turn.offers:
            self._run_turn_slowly(turn)
            return
        match = scheduler.match
        append = turn.answers.append
        for request in turn.requests:
            turn.request = request
            # Nobody's yet: a guard that blocks is no evidence against the endpoint that ran before.
            endpoint = turn.endpoint = None
            try:
                endpoint, values = match(request)
                turn.endpoint = endpoint
                if endpoint.judge is not None:
                    judged = scheduler.run_judged(turn, endpoint, request, values)
                    if judged is not None:
                        append(judged)
                else:
                    result = endpoint.handler(request, *values) if values else endpoint.handler(request)
                    if request.before_sends is not None:
                        append(answer_seen(request, result))
                    elif type(result) is str and result.isascii():
                        append((request.handle, KIND_TEXT, result))
                    else:
                        append(answer(request.handle, result))
            except BaseException as error:  # noqa: BLE001 - SystemExit in a handler ends that handler only
                crashed = answer_for(request, endpoint, error)
                if crashed is not None:
                    append(crashed)
            if self.attention and self._attend():
                break

    def _run_turn_slowly(self, turn: Turn) -> None:
        """The same with an access log, for which every run is timed, and where requests may be offered."""
        scheduler = self._scheduler
        for request in turn.requests:
            turn.request = request
            started = time.perf_counter()
            answered = scheduler.run_request(turn, request)
            if answered is not None:
                elapsed_s = time.perf_counter() - started
                turn.answers.append(answered)
                if scheduler.access_log:
                    log_request(request, answered, elapsed_s)
            if self.attention and self._attend():
                break

    def _attend(self) -> bool:
        """After a request that was not like others. True when the scheduler was taken meanwhile."""
        self.attention = False
        self.room.leave()
        if self.taken:
            self.attention = True
        return self.taken

    # What a process' code asks of the thread that it runs in.

    def let_go(self) -> None:
        """This thread is about to wait: the monitor will see that soon enough, and give the scheduler to another."""

    def visitor(self) -> Visitor | None:
        """The process of the request that is being run; any thread. None when there is none."""
        request = self.turn.request
        if request is None:
            return None
        process = self.room.enter(request, self._respond_one)
        self.attention = True
        # Our thread goes on to another request before it looks at `attention`, so one of the two sees the other.
        if self.turn.request is not request:
            self.room.expire(request)
            return None
        return process

    def _respond_one(self, one: Answer) -> None:
        self._port.respond(encoded(one))

    def _heed(self, status: int) -> bool:
        """Acts on the flags of a poll. False when this runner shall go."""
        flags = status >> 48
        scheduler = self._scheduler
        if flags & contract.POLL_RETIRE:
            return False
        if flags & contract.POLL_RESUME:
            self._resume(status >> 32 & 0xFFFF)
        if flags & contract.POLL_SPARE:
            scheduler.start_runner()
        if flags & contract.POLL_SIGNAL:
            scheduler.on_signal()
        if flags & contract.POLL_DRAINED:
            scheduler.on_drained()
        if flags & contract.POLL_OFFER:
            self.turn.offers = True
        if flags & contract.POLL_NEWS:
            scheduler.on_news(self._port.news())
        if flags & contract.POLL_OVERDUE:
            self._turn_to_others()
            scheduler.on_overdue()
        if flags & contract.POLL_WAKE:
            self._turn_to_others()
            scheduler.on_wake()
        return True

    def _turn_to_others(self) -> None:
        """Before something that may block as well as a handler may: the scheduler can be taken from here on."""
        self.turn.request = self.turn.endpoint = None
        self._port.phase[0] = contract.PHASE_RUNNING

    def _resume(self, number: int) -> None:
        """Takes over from a runner that is blocked: the rest of its turn, and the answers it could not flush."""
        self.taken = self.attention = False
        blocked = self._scheduler.runners.get(number)
        if blocked is None:
            self.turn = Turn()
            return
        blocked.taken = True
        blocked.attention = True
        with contextlib.suppress(MemoryError):  # it will try again itself
            blocked.outbox.flush()
        turn = blocked.turn
        self._scheduler.on_takeover(turn.endpoint)
        self.turn = Turn(turn.requests, turn.take_answers())
        self.turn.offers = turn.offers


def all_encoded(answers: Sequence[Answer | Continue]) -> bytes:
    """Answers as the engine takes them. One that cannot be encoded becomes a 500, and costs no other its own."""
    try:
        return _encode(answers)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is in one of them
        logger.error("an answer cannot be encoded: %s", error)
        return _encode([one if _encodable(one) else (one[0], 500, b"", None) for one in answers])


def _encodable(one: Answer | Continue) -> bool:
    try:
        _encode(one)
    except Exception:  # noqa: BLE001
        return False
    return True


def encoded(one: Any) -> bytes:
    """A single answer as the engine's respond call takes it."""
    try:
        return _encode([one])
    except Exception as error:  # noqa: BLE001
        logger.error("an answer cannot be encoded: %s", error)
        return _encode([(one[0], 500, b"", None)])
