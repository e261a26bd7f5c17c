"""The pool: a thread for each function, and none that is not needed."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from typing import Any

import pytest

from tinybeam.process.pool import Pool

PATIENCE_S = 30


class Done:
    """Where functions say in which thread they were."""

    def __init__(self) -> None:
        self._came = threading.Semaphore(0)
        self.threads: list[threading.Thread] = []

    def here(self) -> None:
        self.threads.append(threading.current_thread())
        self._came.release()

    def wait(self, times: int = 1) -> None:
        for _ in range(times):
            assert self._came.acquire(timeout=PATIENCE_S)


@pytest.fixture
def done() -> Done:
    return Done()


def test_functions_that_block_each_have_a_thread(gate: Any) -> None:
    pool = Pool()
    for _ in range(10):
        pool.run(gate.wait)
    gate.reached(10)
    assert pool.busy == 10
    gate.open()


def test_a_thread_that_rests_is_used_again(done: Done, until: Any) -> None:
    pool = Pool()
    for _ in range(10):
        pool.run(done.here)
        done.wait()
        until(lambda: pool.busy == 0)
    assert len(set(done.threads)) == 1


def test_when_all_threads_are_busy_the_next_function_waits(
    done: Done, gate: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = Pool(threads_max=2)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            pool.run(gate.wait)
        gate.reached(2)
        for _ in range(3):
            pool.run(done.here)
    assert done.threads == []
    assert [record.getMessage() for record in caplog.records] == [
        "2 threads of tinybeam-task run, as many as may; others wait"
    ]
    gate.open()
    done.wait(3)
    assert len(set(done.threads)) <= 2


def test_a_thread_that_has_rested_for_long_goes(done: Done) -> None:
    pool = Pool(idle_s=0.01)
    for _ in range(2):
        pool.run(done.here)
        done.wait()
        done.threads[-1].join(PATIENCE_S)
        assert not done.threads[-1].is_alive()
    assert pool.busy == 0
    assert done.threads[0] is not done.threads[1]


def test_a_function_that_raises_costs_no_thread(done: Done, until: Any) -> None:
    def fail() -> None:
        done.here()
        raise SystemExit

    pool = Pool()
    pool.run(fail)
    done.wait()
    until(lambda: pool.busy == 0)
    pool.run(done.here)
    done.wait()
    assert done.threads[0] is done.threads[1]


def test_who_hands_over_while_threads_retire_loses_nothing(done: Done) -> None:
    pool = Pool(idle_s=0.0)
    for _ in range(1000):
        pool.run(done.here)
    done.wait(1000)


def test_a_child_of_a_fork_has_threads_of_its_own() -> None:
    program = """
import os, time
from tinybeam.process import Task
from tinybeam.process.pool import pool
assert Task.await_(Task.async_(pow, 2, 3)) == 8
while pool.busy:  # so that a thread rests when the child is made
    time.sleep(0.001)
child = os.fork()
if child == 0:
    os._exit(Task.await_(Task.async_(pow, 2, 4), 10))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.stdout == "16\n", ran.stderr


def test_without_a_thread_to_be_had_functions_wait_or_are_refused(
    done: Done, gate: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    pool = Pool()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start"):
            pool.run(done.here)
    pool.run(gate.wait)
    gate.reached()
    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(threading.Thread, "start", refuse)
        pool.run(done.here)
    assert "cannot start another thread" in caplog.text
    assert done.threads == []
    gate.open()
    done.wait()
