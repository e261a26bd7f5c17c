"""The event loop: one thread in which the handlers that are `async def` run, in turns.

Owns:  the thread, the tasks of the requests, and how answers leave it: those of one turn together.
Knows: that whoever deals a request only wakes the thread when it is not awake already; that code in the loop may raise
       what asyncio does not hold, SystemExit say.
Never: lets a handler out of the loop's end, or ends the loop because of one; runs a `def`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final

from tinybeam.http import Answer, Request, answer, answer_seen
from tinybeam.process import Ended, enter_loop, occupant
from tinybeam.router import Endpoint
from tinybeam.server.access import log_request
from tinybeam.server.asyncio_loop import AsyncioLoop
from tinybeam.server.crash import answer_for
from tinybeam.server.loop_threads import LoopThreads
from tinybeam.server.loop_watch import LoopWatch
from tinybeam.server.stacks import coroutine_stack, thread_stack
from tinybeam.server.task_run import TaskRun

logger = logging.getLogger("tinybeam.server")

# For how long a stop waits for tasks that were cancelled: for what they have in `finally`.
CANCEL_S: Final = 2.0
# And for the thread to end thereafter.
GRACE_S: Final = 0.5


class EventLoop:
    """`start` it, `deal` requests to it, `close` it. `respond` is given answers, mostly in its thread.

    A request has exactly one answer, unless it is cancelled: then whoever cancels it sees to that.
    """

    def __init__(
        self,
        respond: Callable[[list[Answer]], object],
        *,
        threads_max: int = 256,
        idle_s: float = 10.0,
        access_log: bool = False,
    ) -> None:
        self._respond = respond
        self._access_log = access_log
        self._threads_max = threads_max
        self._idle_s = idle_s
        # By handle: what was dealt and is not over.
        self.runs: dict[int, TaskRun] = {}
        self._dealt: deque[TaskRun] = deque()
        self._woken = False
        # Those of this turn.
        self._answers: list[Answer] = []
        self._closing = threading.RLock()
        self._closed = True  # until it has started
        self._ended = False
        # asyncio itself does not keep a task that waits.
        self._tasks: set[asyncio.Task[Any]] = set()
        self._let_go = self._tasks.discard  # one for all of them, or each task would keep its own
        self._loop: AsyncioLoop
        self._thread: threading.Thread
        self._watch = LoopWatch(self)

    def start(self) -> None:
        """Starts the threads. Raises RuntimeError when the operating system has no more."""
        self._loop = AsyncioLoop(LoopThreads(self._threads_max, self._idle_s))
        self._thread = threading.Thread(target=self._live, name="tinybeam-loop", daemon=True)
        self._closed = False
        try:
            self._thread.start()
        except RuntimeError:
            self._closed = True
            self._loop.close()
            raise
        try:
            self._watch.start()
        except RuntimeError:
            self.close()
            raise

    # Any thread.

    @property
    def turn(self) -> int | None:
        """The number of the turn that the loop is in; None while it waits."""
        return self._loop.turn

    @property
    def stack(self) -> str:
        """Where the loop's thread is, inside the code of a handler; "" when it is not."""
        return thread_stack(self._thread.ident)

    def deal(self, endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> None:
        """Has a request run. Nothing once the loop is closed."""
        run = TaskRun(endpoint, request, values, self._on_killed)
        self.runs[request.handle] = run
        self._dealt.append(run)
        if not self._woken:
            self._woken = True
            self._post(self._begin)
            self._watch.wake()

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Has a coroutine run as a task, in a context of its own. Starts the loop if it has not been. False once it is
        closed. Raises RuntimeError when the operating system has no more threads."""
        with self._closing:
            if self._ended:
                return False
            if self._closed:
                self.start()
        self._post(lambda: self._keep(self._loop.create_task(work(), context=Context())))
        return True

    def call(self, function: Callable[..., object], *args: Any) -> None:
        """Has a function called in the loop's thread, which has been started. Nothing once it is closed."""
        self._post(function, *args)

    def cancel(self, run: TaskRun) -> None:
        """Ends a run at the next `await` that it comes to, or has come to. It will give no answer for that."""
        run.cancelled = True
        self._post(self._cancel, run)

    def close(self) -> None:
        """Cancels all tasks, and waits for them, but not for ever. In the loop's own thread it does not wait."""
        with self._closing:
            self._ended = True
            if self._closed:
                return
            self._closed = True
        self._watch.close()
        self._post(self._loop.stop)
        if threading.current_thread() is self._thread:
            return
        self._thread.join(CANCEL_S + GRACE_S)
        if self._thread.is_alive():
            logger.warning("the event loop is held up, and is left behind; it is at\n%s", self.stack)

    def _post(self, function: Callable[..., object], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(function, *args)

    def _on_killed(self, run: TaskRun, one: Answer) -> None:
        self._respond([one])
        self.cancel(run)

    # The loop's thread.

    def _live(self) -> None:
        enter_loop()
        while not self._closed:
            try:
                self._loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - it ends the task that it was raised in, and nothing else
                if not self._loop.abandoned:
                    self._report(error)
            if self._loop.abandoned:
                return  # this is a child that has come back from its fork, and has nothing to do here
        self._wind_up()

    def _begin(self) -> None:
        """Makes tasks of what was dealt."""
        self._woken = False
        while self._dealt and not self._closed:
            run = self._dealt.popleft()
            run.coroutine = self._run(run)
            # A context of its own, with nothing in it of whoever happened to wake us.
            run.task = self._loop.create_task(run.coroutine, context=Context())

    async def _run(self, run: TaskRun) -> None:
        """A request, from its handler to its answer. Lets nothing out."""
        run.begun = True
        occupant.set(run)
        request, endpoint = run.request, run.endpoint
        one: Answer | None = None
        try:
            if not run.cancelled:
                result = await endpoint.handler(request, *run.values)
                one = answer(request.handle, result) if request.before_sends is None else answer_seen(request, result)
        except BaseException as error:  # noqa: BLE001 - SystemExit in a handler ends that handler only
            if self._loop.abandoned:
                return
            if not (run.cancelled and isinstance(error, asyncio.CancelledError | GeneratorExit | Ended)):
                run.process = run.room.process  # it may have been made by who listed the request
                one = answer_for(request, endpoint, error)
        if not self._loop.abandoned:
            self._end(run, one)

    def _end(self, run: TaskRun, one: Answer | None) -> None:
        self.runs.pop(run.request.handle, None)
        run.end()
        if one is None:
            return
        if not self._answers:
            self._loop.call_soon(self._flush)  # at the beginning of the next turn, when this one's are all there
        self._answers.append(one)
        if self._access_log:
            log_request(run.request, one, time.perf_counter() - run.started_s)

    def _flush(self) -> None:
        answers, self._answers = self._answers, []
        self._respond(answers)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def _cancel(self, run: TaskRun) -> None:
        # One that has not begun must come to its beginning, where it sees that it is cancelled.
        if run.begun and not run.over:
            run.task.cancel()

    def _report(self, error: BaseException) -> None:
        with contextlib.suppress(BaseException):
            name = type(error).__name__
            logger.error("code in the event loop raised %s; the loop goes on", name, exc_info=error)

    # Its end.

    def _wind_up(self) -> None:
        """Cancels what there is, gives it some time, and closes the loop."""
        loop = self._loop
        for run in list(self.runs.values()):
            run.cancelled = True
        deadline_s = time.monotonic() + CANCEL_S
        told: set[asyncio.Task[Any]] = set()
        while (tasks := asyncio.all_tasks(loop)) and (left_s := deadline_s - time.monotonic()) > 0:
            for task in tasks - told:
                task.cancel()
            told |= tasks
            self._complete(asyncio.wait(tasks, timeout=left_s))
        self._complete(asyncio.wait_for(loop.shutdown_asyncgens(), max(GRACE_S / 2, deadline_s - time.monotonic())))
        if self._answers:
            self._flush()
        for run in list(self.runs.values()):
            self._leave_behind(run)
        self.runs.clear()
        loop.close()

    def _complete(self, coroutine: Any) -> None:
        try:
            self._loop.run_until_complete(coroutine)
        except TimeoutError:
            return
        except BaseException as error:  # noqa: BLE001 - as in `_live`
            self._report(error)

    def _leave_behind(self, run: TaskRun) -> None:
        if run.begun:
            text = "request %s goes on though it was cancelled: %s; it is left behind at\n%s"
            logger.warning(text, run.request.id, run.endpoint.route, coroutine_stack(run.coroutine))
        run.end()
