"""The scheduler's part in Python: its runners, the blocking pool, and what each route has shown of itself.

Owns:  the runners and the pool; which endpoint is timed, dealt to the pool, or left alone.
Knows: the engine, the route table, judges.
Never: decides when a runner is blocked: the native monitor does, even while the GIL is held.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from tinybeam import contract
from tinybeam.config import Config
from tinybeam.errors import ClientDisconnected, HTTPError, NativeError
from tinybeam.http import KIND_CONTINUE, Answer, Request, StreamedRequest, streamed, wired
from tinybeam.process import ReadyQueue, ready
from tinybeam.router import SERVER_DEFAULT, Endpoint, RouteTable
from tinybeam.server import overdue
from tinybeam.server.access import log_request
from tinybeam.server.bodies import ENDLESS, Bodies
from tinybeam.server.crash import answer_for, unavailable
from tinybeam.server.engines import AnyEngine
from tinybeam.server.handling import run_endpoint
from tinybeam.server.judge import Judge
from tinybeam.server.loop import EventLoop
from tinybeam.server.pool import BlockingPool
from tinybeam.server.request_process import PooledRun, RunningRequest, listed
from tinybeam.server.runner import Runner, all_encoded, encoded
from tinybeam.server.streams import Streams
from tinybeam.server.turn import Turn

logger = logging.getLogger("tinybeam.server")

# What the engine has places for, less one that is always on stand-by. A runner is needed for each handler that blocks
# and is not known to, or is said not to, and goes when it has had nothing to do for a while.
RUNNERS_MAX: Final = 2047
# As a supervisor would have it (OTP's defaults): a loop that faults more often than this is beyond mending.
FAULTS_MAX: Final = 3
FAULTS_WITHIN_S: Final = 5.0
# What a route that sets no limit gets: the most that a batch can carry.
BODY_BYTES_MOST: Final = 1 << 30
# From here on a body is large enough to be streamed to a handler that can take it so.
STREAM_BYTES: Final = 64 * 1024


class Scheduler:
    """Runs the requests of an engine. The callbacks tell the server actor what it has to know."""

    def __init__(
        self,
        engine: AnyEngine,
        table: RouteTable,
        config: Config,
        *,
        on_wake: Callable[[], None],
        on_signal: Callable[[], None],
        on_drained: Callable[[], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self.engine = engine
        self.match = table.match
        self.access_log = config.access_log
        self.on_wake = on_wake
        self.on_signal = on_signal
        self.on_drained = on_drained
        self._on_broken = on_broken
        self._long_s = config.takeover_ms / 1000
        self._body_bytes_max = config.body_bytes_max
        self._runners_max = min(RUNNERS_MAX, config.threads) + 1
        self._lock = threading.Lock()
        self._closed = False
        self._faults: deque[float] = deque(maxlen=FAULTS_MAX + 1)
        self.runners: dict[int, Runner] = {}
        # The ready queue while we drive it, and an empty one of our own while somebody else does.
        self.queue = ReadyQueue()
        self.pool = BlockingPool(self._run_pooled, config.threads, config.standby_idle_ms / 1000)
        self.loop = EventLoop(
            self._respond_all,
            threads_max=config.threads,
            idle_s=config.standby_idle_ms / 1000,
            access_log=config.access_log,
        )
        self.streams = Streams(engine, self.loop, access_log=config.access_log)
        self.bodies = Bodies(engine)
        self.decode = decoder_for(engine)
        self._streamed_class = wired(StreamedRequest, engine)
        self._has_async = any(endpoint.is_async for endpoint in table.endpoints)
        for endpoint in table.endpoints:
            endpoint.judge = self._first_judge(endpoint)
            endpoint.streams = self.streams

    def _first_judge(self, endpoint: Endpoint) -> Any:
        """What an endpoint begins with: no judge, unless there is something to see to at each of its requests."""
        if endpoint.blocking is True or endpoint.is_async:
            return Convicted()
        if endpoint.request_timeout_ms == SERVER_DEFAULT:
            return None
        return Acquitted() if endpoint.blocking is False else Judge(self._long_s)

    def start(self) -> None:
        """Starts the runner that holds the scheduler, and one on stand-by. Raises OSError when there is no thread."""
        try:
            if self._has_async:
                self.loop.start()
            self._add_runner()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"the operating system has no thread left for us ({error})") from error
        self.start_runner()
        with self._lock:
            # Runners that fault at once may have ended it all by now; who drives processes then must not be replaced.
            if not self._closed:
                ready.adopt(self)

    # What the ready queue calls.

    def wake(self) -> None:
        """Processes are ready, and whoever polls may be asleep. Any thread."""
        self.engine.wake()

    def take_up(self) -> None:
        """From here on our runners run the processes, between the batches of requests."""
        self.queue = ready

    def stand_down(self) -> None:
        """Somebody else does."""
        self.queue = ReadyQueue()

    # Its runners.

    def start_runner(self) -> None:
        """Starts another runner, unless there are as many as there may be, or no more can be had."""
        try:
            self._add_runner()
        except (RuntimeError, NativeError) as error:
            if getattr(error, "code", None) != contract.ESHUTDOWN:
                logger.warning("cannot start another runner: %s; blocking handlers will hold up others", error)

    def _add_runner(self) -> None:
        with self._lock:
            if len(self.runners) >= self._runners_max:
                return
            runner = Runner(self, self.engine.open_port())
            self.runners[runner.number] = runner
        try:
            runner.start()
        except RuntimeError:
            runner.leave()
            raise

    def close(self) -> None:
        """Sends the pool's idle threads home, ends the tasks, and lets others run the processes; the runners go with
        the engine."""
        with self._lock:
            self._closed = True
        ready.release(self)
        self.pool.close()
        self.streams.close()
        self.bodies.close()
        self.loop.close()

    # What runners call.

    def on_end(self, runner: Runner) -> None:
        """The runner is going."""
        with self._lock:
            self.runners.pop(runner.number, None)

    def on_fault(self, runner: Runner, error: BaseException) -> bool:
        """The runner's own loop raised. True when it shall go on, False when it has happened too often."""
        now = time.monotonic()
        with contextlib.suppress(BaseException):  # a log that raises must not end the runner, which may be the only one
            logger.critical("runner %d faulted", runner.number, exc_info=(type(error), error, error.__traceback__))
        self._faults.append(now)
        if len(self._faults) <= FAULTS_MAX or now - self._faults[0] > FAULTS_WITHIN_S:
            return True
        self._on_broken(error)
        return False

    def on_takeover(self, endpoint: Endpoint | None) -> None:
        """A runner was found blocked while it ran this endpoint."""
        if endpoint is None or endpoint.blocking is False:
            return
        judge = endpoint.judge
        if judge is None:
            endpoint.judge = judge = Judge(self._long_s)
        judge.on_takeover()

    def on_overdue(self) -> None:
        """C has answered requests 504, because their handlers overran."""
        with self._lock:
            runners = list(self.runners.values())
        overdue.report(self.engine.take_overdue(), runners, self.pool, self.loop)

    def on_news(self, news: list[tuple[int, int]]) -> None:
        """Something has become of bodies that come or go in parts."""
        for handle, what in news:
            if what & contract.NEWS_BODY:
                self.bodies.on_news(handle)
            if what & ~contract.NEWS_BODY:
                self.streams.on_news(handle, what)

    def run_request(self, turn: Turn, request: Request) -> Answer | None:
        """Matches and runs one request, where speed is not all. None when that is not an answer yet: the pool will
        give it, or the body has to come first."""
        turn.endpoint = None
        try:
            endpoint, values = self.match(request)
        except BaseException as error:  # noqa: BLE001 - a guard is the user's code as much as a handler
            return answer_for(request, None, error)
        turn.endpoint = endpoint
        if request.offered and endpoint.takes_body:
            if endpoint.stream:
                return self._run_streamed(turn, endpoint, request, values)
            turn.answers.append((request.handle, KIND_CONTINUE, self._body_limit(endpoint)))
            return None
        if endpoint.judge is not None:
            return self.run_judged(turn, endpoint, request, values)
        return run_endpoint(endpoint, request, values)

    def _body_limit(self, endpoint: Endpoint) -> int:
        """The largest body that the endpoint takes, in octets."""
        limit = endpoint.body_bytes_max
        if limit is None:
            return ENDLESS if endpoint.stream else BODY_BYTES_MOST
        return self._body_bytes_max if limit == SERVER_DEFAULT else limit

    def _run_streamed(self, turn: Turn, endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer | None:
        """Runs a request whose body is still to come. Its handler may have to wait for it, however quick it is."""
        limit = self._body_limit(endpoint)
        if int(request.headers.get("content-length") or 0) > limit:
            return answer_for(request, endpoint, HTTPError(413, "the body is larger than this takes"))
        body = self.bodies.open(request.handle, limit)
        if body is None:
            return answer_for(request, endpoint, ClientDisconnected("the client has left before its body was wanted"))
        request = streamed(self._streamed_class, request, body)
        self._set_timeout(endpoint, request)
        if endpoint.blocking is False and not endpoint.is_async:
            turn.request = request
            return run_endpoint(endpoint, request, values)
        return self._deal(turn, endpoint, request, values)

    def run_judged(self, turn: Turn, endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer | None:
        """Runs a request of an endpoint that is under suspicion here, and deals that of a convicted one to the pool,
        or to the event loop."""
        judge = endpoint.judge
        if judge is None:  # another thread has settled the case just now
            return run_endpoint(endpoint, request, values)
        self._set_timeout(endpoint, request)
        if judge.pooled:
            return self._deal(turn, endpoint, request, values)
        started = time.perf_counter()
        answer = run_endpoint(endpoint, request, values)
        judge.on_run(time.perf_counter() - started)
        if judge.settled:
            endpoint.judge = self._first_judge(endpoint)
        return answer

    def _set_timeout(self, endpoint: Endpoint, request: Request) -> None:
        if endpoint.request_timeout_ms != SERVER_DEFAULT:
            self.engine.set_timeout(request.handle, endpoint.request_timeout_ms or 0)

    def _deal(self, turn: Turn, endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer | None:
        """Gives the request to the pool, or to the event loop. An answer only when that cannot be done."""
        turn.request = None  # from here on it is somebody else's alone: no request is two processes
        if endpoint.is_async:
            self.loop.deal(endpoint, request, values)
            return None
        try:
            self.pool.deal((endpoint, request, values, PooledRun(request, self._respond_one)))
        except RuntimeError:
            return unavailable(request, "this machine has no thread left; try again later")
        return None

    def _run_pooled(self, endpoint: Endpoint, request: Request, values: tuple[Any, ...], run: PooledRun) -> None:
        started = time.perf_counter()
        run.begin()
        answer = run_endpoint(endpoint, request, values)
        run.end()
        if answer is not None and self.engine.respond(encoded(answer)) == contract.ENOMEM:
            # There was no memory for a copy of this answer, and its handle is still open; a bare one may fit.
            answer = answer_for(request, endpoint, MemoryError("the engine has no memory for the answer"))
            self.engine.respond(encoded(answer))
        elapsed_s = time.perf_counter() - started
        judge = endpoint.judge
        if judge is not None:
            judge.on_run(elapsed_s)
        if self.access_log and answer is not None:
            log_request(request, answer, elapsed_s)

    def _respond_one(self, one: Answer) -> None:
        self.engine.respond(encoded(one))

    def _respond_all(self, answers: list[Answer]) -> None:
        """Gives the answers of a turn of the event loop."""
        if self.engine.respond(all_encoded(answers)) == contract.ENOMEM:
            # Some handles are still open; those that are not refuse the second answer.
            for one in answers:
                if self.engine.respond(encoded(one)) == contract.ENOMEM:
                    logger.error("request %016x: the engine has no memory for its answer; it is told 500", one[0])
                    self.engine.respond(encoded((one[0], 500, b"", None)))

    def running(self) -> list[RunningRequest]:
        """The requests whose handlers run now."""
        with self._lock:
            runners = list(self.runners.values())
        found = []
        for runner in runners:
            request, endpoint = runner.turn.request, runner.turn.endpoint
            process = runner.visitor()
            if request is not None and process is not None and runner.turn.request is request:
                found.append(listed(request, endpoint, process))
        for endpoint, request, _, run in list(self.pool.running.values()):
            process = run.visitor()
            if process is not None:
                found.append(listed(request, endpoint, process))
        for task_run in list(self.loop.runs.values()):
            if task_run.begun and (process := task_run.visitor()) is not None:
                found.append(listed(task_run.request, task_run.endpoint, process))
        return found + self.streams.running()


def decoder_for(engine: AnyEngine) -> Callable[[memoryview], list[Request]]:
    """What makes requests of an engine's batches."""
    batch: Any = list[wired(Request, engine)]  # type: ignore[misc]
    return msgspec.msgpack.Decoder(batch).decode


def body_offer_bytes(table: RouteTable, config: Config) -> int:
    """From which size on bodies have to be offered, because a route has a limit of its own, or streams them; 0 where
    none does."""
    own = [endpoint.body_bytes_max for endpoint in table.endpoints if endpoint.body_bytes_max != SERVER_DEFAULT]
    own += [STREAM_BYTES for endpoint in table.endpoints if endpoint.stream]
    return min([config.body_bytes_max, *(limit for limit in own if limit is not None)]) if own else 0


class Acquitted:
    """The judge of an endpoint whose author said `blocking=False`, which has one only for its deadline's sake."""

    pooled = False
    settled = False

    def on_run(self, elapsed_s: float) -> None:
        """Takes no evidence."""

    def on_takeover(self) -> None:
        """Takes no evidence."""


class Convicted:
    """The judge of an endpoint whose author said `blocking=True`, or `async def`: there is nothing to find out."""

    pooled = True
    settled = False

    def on_run(self, elapsed_s: float) -> None:
        """Takes no evidence."""

    def on_takeover(self) -> None:
        """Takes no evidence."""
