"""The threads behind an event loop: where `asyncio.to_thread` and `run_in_executor` run what blocks.

Owns:  the executor that an event loop is given in place of asyncio's own.
Knows: that asyncio's has six threads on two cores, which a few slow calls fill, and that these keep a program from
       ending for as long as one of them is stuck.
Never: waits for a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from tinybeam.server.pool import BlockingPool

P = ParamSpec("P")
R = TypeVar("R")


class LoopThreads(ThreadPoolExecutor):
    """A ThreadPoolExecutor, since asyncio takes no other, whose threads are those of a blocking pool."""

    def __init__(self, threads_max: int, idle_s: float) -> None:
        super().__init__(1)  # it makes its threads when something is submitted, and so never
        self._pool = BlockingPool(_work, threads_max, idle_s)
        # Set in the child of a fork, which has none of the threads, and where another one may hold the pool's lock.
        self.abandoned = False

    def submit(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """See ThreadPoolExecutor. Raises RuntimeError when there is no thread, and none can be made."""
        future: Future[R] = Future()
        self._pool.deal((future, function, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - "Never"
        """Sends the threads home; those that are busy go when they are done, and what waits for one is dropped."""
        if not self.abandoned:
            self._pool.close()


def _work(future: Future[Any], function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function(*args, **kwargs)
    except BaseException as error:  # noqa: BLE001 - it is raised where the future is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
