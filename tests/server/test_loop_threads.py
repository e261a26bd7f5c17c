"""The threads behind an event loop: an executor like another, with the pool's threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import wait
from typing import TYPE_CHECKING

import pytest

from tinybeam.server.loop_threads import LoopThreads

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Until

PATIENCE_S = 30


@pytest.fixture
def threads() -> Iterator[LoopThreads]:
    made = LoopThreads(2, 10.0)
    yield made
    made.shutdown()


def test_results_and_exceptions_come_by_the_future(threads: LoopThreads) -> None:
    assert threads.submit(pow, 2, 10).result(PATIENCE_S) == 1024
    assert threads.submit(int, "11", base=2).result(PATIENCE_S) == 3
    for error in (ValueError, SystemExit):

        def fail(error: type[BaseException] = error) -> None:
            raise error

        assert isinstance(threads.submit(fail).exception(PATIENCE_S), error)


def test_what_waits_for_a_thread_can_be_cancelled(threads: LoopThreads, gate: Gate) -> None:
    busy = [threads.submit(gate.wait) for _ in range(2)]
    gate.reached(2)
    waiting, cancelled = threads.submit(int), threads.submit(gate.wait)
    assert cancelled.cancel()
    gate.open()
    assert waiting.result(PATIENCE_S) == 0
    wait(busy, PATIENCE_S)
    assert len(gate.threads) == 2
    assert all(name.startswith("tinybeam-blocking-") for name in gate.threads)


def test_its_threads_go_when_it_is_shut_down_and_are_not_waited_for(
    threads: LoopThreads, gate: Gate, until: Until
) -> None:
    threads.submit(gate.wait)
    gate.reached()
    threads.shutdown(wait=True)
    gate.open()
    until(lambda: threads._pool.threads == 0)
    assert threading.active_count() > 0


def test_the_copy_of_a_child_touches_no_lock(threads: LoopThreads) -> None:
    threads.abandoned = True
    with threads._pool._lock:  # as another thread of the parent may have, when it forks
        threads.shutdown(wait=False)
    threads.abandoned = False
