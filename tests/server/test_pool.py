"""The blocking pool: its threads, who is woken, what waits, and what happens when there are no more threads."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tinybeam.server.pool import BlockingPool

if TYPE_CHECKING:
    from tests.conftest import Gate

    Gates = Callable[[], Gate]
    Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def pool_of() -> Iterator[Callable[..., BlockingPool]]:
    """Makes pools whose jobs are functions to call."""
    made: list[BlockingPool] = []

    def make(threads_max: int, idle_s: float = 30.0) -> BlockingPool:
        made.append(BlockingPool(lambda job: job(), threads_max, idle_s))
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def test_it_has_no_thread_until_there_is_a_job(pool_of: Callable[..., BlockingPool]) -> None:
    assert pool_of(4).threads == 0


def test_it_grows_on_demand_up_to_its_most_and_then_lets_jobs_wait(
    pool_of: Callable[..., BlockingPool], gate: Gate
) -> None:
    pool = pool_of(3)
    for _ in range(5):
        pool.deal((gate.wait,))
    gate.reached(3)
    assert (pool.threads, pool.backlog) == (3, 2)
    gate.open()
    gate.reached(2)
    assert len(set(gate.threads)) == 3


def test_jobs_that_wait_run_in_their_order(pool_of: Callable[..., BlockingPool], gate: Gate) -> None:
    pool = pool_of(1)
    ran: list[int] = []
    done = threading.Event()
    pool.deal((gate.wait,))
    for n in range(5):
        pool.deal((lambda n=n: ran.append(n),))
    pool.deal((done.set,))
    gate.open()
    assert done.wait(30)
    assert ran == [0, 1, 2, 3, 4]


def test_no_job_runs_in_the_caller_s_thread(pool_of: Callable[..., BlockingPool], gate: Gate) -> None:
    pool_of(1).deal((gate.wait,))
    gate.reached()
    assert gate.threads == ["tinybeam-blocking-1"]


def test_a_parked_thread_is_used_before_a_new_one_is_made(
    pool_of: Callable[..., BlockingPool], gates: Gates, until: Until
) -> None:
    pool = pool_of(4)
    for _ in range(3):
        gate = gates()
        gate.open()
        pool.deal((gate.wait,))
        gate.reached()
        until(lambda: pool._parked)
    assert pool.threads == 1


def test_the_thread_that_parked_last_is_woken_first(
    pool_of: Callable[..., BlockingPool], gates: Gates, until: Until
) -> None:
    pool = pool_of(4)
    working = [gates() for _ in range(3)]
    for gate in working:
        pool.deal((gate.wait,))
        gate.reached()
    for parked, index in enumerate([1, 2, 0], 1):
        working[index].open()
        until(lambda parked=parked: len(pool._parked) == parked)
    order = []
    for _ in range(3):
        gate = gates()
        pool.deal((gate.wait,))
        gate.reached()
        order += gate.threads
    assert order == [working[index].threads[0] for index in (0, 2, 1)]


def test_idle_threads_retire(pool_of: Callable[..., BlockingPool], gates: Gates, until: Until) -> None:
    pool = pool_of(4, idle_s=0.001)
    working = [gates() for _ in range(4)]
    for gate in working:
        pool.deal((gate.wait,))
        gate.reached()
        gate.open()
    until(lambda: pool.threads == 0)
    assert pool._parked == []


def test_jobs_that_meet_retiring_threads_are_not_lost(pool_of: Callable[..., BlockingPool]) -> None:
    """An idle time of nothing makes every hand-over meet a thread that is about to go."""
    pool = pool_of(2, idle_s=0)
    ran: list[int] = []
    done = threading.Semaphore(0)

    def job(n: int) -> None:
        ran.append(n)
        done.release()

    for n in range(2000):
        pool.deal((lambda n=n: job(n),))
        if n % 3 == 0:
            assert done.acquire(timeout=30)
    for n in range(2000):
        if n % 3:
            assert done.acquire(timeout=30)
    assert sorted(ran) == list(range(2000))


def test_close_sends_parked_threads_home(pool_of: Callable[..., BlockingPool], gate: Gate, until: Until) -> None:
    pool = pool_of(2)
    gate.open()
    pool.deal((gate.wait,))
    until(lambda: pool._parked)
    pool.close()
    until(lambda: pool.threads == 0)


def test_close_drops_jobs_that_wait_and_lets_the_running_one_finish(
    pool_of: Callable[..., BlockingPool], gate: Gate, until: Until
) -> None:
    pool = pool_of(1)
    ran: list[str] = []

    def first() -> None:
        gate.wait()
        ran.append("first")

    pool.deal((first,))
    pool.deal((lambda: ran.append("second"),))
    gate.reached()
    pool.close()
    assert pool.backlog == 0
    gate.open()
    until(lambda: pool.threads == 0)
    assert ran == ["first"]


def test_a_job_that_comes_after_close_is_dropped(pool_of: Callable[..., BlockingPool], gate: Gate) -> None:
    pool = pool_of(1)
    pool.close()
    pool.deal((gate.wait,))
    assert (pool.threads, pool.backlog) == (0, 0)


def refuse_threads(monkeypatch: pytest.MonkeyPatch, before: Callable[[], None] = lambda: None) -> None:
    """From now on the operating system has no more threads."""

    def start(thread: threading.Thread) -> None:
        before()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


def test_the_caller_hears_of_it_when_not_even_one_thread_can_be_had(
    pool_of: Callable[..., BlockingPool], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(2)
    refuse_threads(monkeypatch)
    with pytest.raises(RuntimeError):
        pool.deal((gate.wait,))
    assert (pool.threads, pool.backlog) == (0, 0)


def test_a_job_waits_for_a_thread_that_there_is_when_no_other_can_be_had(
    pool_of: Callable[..., BlockingPool], gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = pool_of(2)
    pool.deal((gate.wait,))
    gate.reached()
    refuse_threads(monkeypatch)
    pool.deal((gate.wait,))
    assert (pool.threads, pool.backlog) == (1, 1)
    gate.open()
    gate.reached()


def test_a_job_goes_to_a_thread_that_parked_while_another_one_could_not_be_had(
    pool_of: Callable[..., BlockingPool], gates: Gates, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would wake that thread otherwise: the job would wait for the next one, and for ever if none comes."""
    pool = pool_of(2)
    first, second = gates(), gates()
    pool.deal((first.wait,))
    first.reached()

    def let_it_park() -> None:
        first.open()
        until(lambda: pool._parked)

    refuse_threads(monkeypatch, let_it_park)
    pool.deal((second.wait,))
    second.reached()
    assert (pool.threads, pool.backlog) == (1, 0)


def test_a_parked_thread_keeps_nothing_of_the_jobs_that_it_ran(
    pool_of: Callable[..., BlockingPool], until: Until
) -> None:
    pool = pool_of(1)

    class Body:
        """Stands for a request with a large body."""

        def __call__(self) -> None:
            """The work."""

    for _ in range(3):  # the job that a thread was made for, and those that came later
        body = Body()
        kept = weakref.ref(body)
        pool.deal((body,))
        del body
        until(lambda: pool.running == {} and len(pool._parked) == 1)
        assert kept() is None
