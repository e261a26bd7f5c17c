"""The crew: one thread drives, another takes over when it is held up, and all go when there is nothing to do."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import GenServer, monitor, receive
from tinybeam.process import crew as crew_module
from tinybeam.process.crew import Crew
from tinybeam.process.ready_queue import ReadyQueue

PATIENCE_S = 30


class Blocking(GenServer):
    def handle_cast(self, message: Any, state: Any) -> Any:
        message.wait()
        return state


class Echo(GenServer):
    def handle_cast(self, message: Any, state: Any) -> Any:
        message.send(threading.current_thread())
        return state


def test_processes_that_block_hold_up_nobody(me: Any, gate: Any) -> None:
    blocked = [Blocking.start() for _ in range(30)]
    for one in blocked:
        one.cast(gate)
    gate.reached(30)
    for _ in range(10):
        Echo.start().cast(me)
    for _ in range(10):
        receive(PATIENCE_S)
    gate.open()
    assert all(one.stop() for one in blocked)


def test_a_process_that_calculates_holds_up_nobody(me: Any) -> None:
    class Busy(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            while not done:
                pass
            return state

    done: list[bool] = []
    busy = Busy.start()
    busy.cast("")
    try:
        for _ in range(5):
            Echo.start().cast(me)
            receive(PATIENCE_S)
    finally:
        done.append(True)
    assert busy.stop()


def test_a_process_that_floods_itself_does_not_starve_others(me: Any) -> None:
    class Flooding(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            self.actor_ref.cast(message)
            return state

    flooding = [Flooding.start() for _ in range(20)]
    for one in flooding:
        one.cast("flood")
    echo = Echo.start()
    for _ in range(50):
        echo.cast(me)
        receive(PATIENCE_S)


def test_who_waits_in_a_call_is_taken_over_at_once(me: Any, gate: Any) -> None:
    class Calling(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            try:
                message.call("x", 0.99)
            except TimeoutError:
                me.send("timed out")
            return state

    blocked = Blocking.start()
    blocked.cast(gate)
    gate.reached()
    for _ in range(20):
        Calling.start().cast(blocked)
    Echo.start().cast(me)
    assert isinstance(receive(PATIENCE_S), threading.Thread)
    gate.open()


def test_threads_that_were_needed_go_again(me: Any, gate: Any, until: Callable[..., None]) -> None:
    threads: list[threading.Thread] = []

    class Noting(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            threads.append(threading.current_thread())
            gate.wait()
            return state

    for _ in range(5):
        Noting.start().cast("")
    gate.reached(5)
    assert len(set(threads)) == 5
    assert all(thread.daemon for thread in threads)
    gate.open()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    Echo.start().cast(me)
    assert receive(PATIENCE_S) not in threads


def test_an_idle_crew_costs_no_processor_time(me: Any) -> None:
    Echo.start().cast(me)
    receive(PATIENCE_S)
    before_s = time.process_time()
    time.sleep(0.5)  # nothing is waited for: this is what is measured
    assert time.process_time() - before_s < 0.1


class Item:
    """What the queue knows of a process."""

    def __init__(self, run: Callable[[], None]) -> None:
        self._queued = 1
        self._lock = threading.Lock()
        self._held = False
        self._turn = lambda _budget: run()

    def _leave(self) -> None:
        self._lock.release()


@pytest.fixture
def own_crew(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A crew that is not everybody's."""
    monkeypatch.setattr(crew_module, "IDLE_S", 0.05)
    queue = ReadyQueue()
    crew = Crew(queue)
    queue.adopt(crew)
    return queue, crew


def test_a_fault_of_the_crew_itself_is_told_and_stops_nobody(own_crew: Any, caplog: pytest.LogCaptureFixture) -> None:
    queue, _crew = own_crew
    ran = threading.Event()

    def fault() -> None:
        raise RuntimeError("a bug of ours")

    queue.push(Item(fault))
    queue.push(Item(ran.set))
    assert ran.wait(PATIENCE_S)
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


def test_when_no_thread_can_be_made_the_next_message_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(crew_module, "IDLE_S", 0.05)
    queue, first, second = ReadyQueue(), threading.Event(), threading.Event()

    def fail(_self: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        queue.adopt(Crew(queue))
        queue.push(Item(first.set))
    assert "can't start new thread" in caplog.text
    queue.push(Item(second.set))
    assert first.wait(PATIENCE_S)
    assert second.wait(PATIENCE_S)


def test_at_most_so_many_threads_and_whoever_is_free_first_goes_on(
    own_crew: Any, monkeypatch: pytest.MonkeyPatch, gates: Any
) -> None:
    monkeypatch.setattr(crew_module, "THREADS_MAX", 2)
    queue, crew = own_crew
    first, second = gates(), gates()
    ran = threading.Event()
    queue.push(Item(first.wait))
    first.reached()
    queue.push(Item(second.wait))
    second.reached()
    queue.push(Item(ran.set))
    assert not ran.is_set()
    assert crew._threads == 2
    second.open()
    assert ran.wait(PATIENCE_S)
    first.open()


@pytest.mark.parametrize("seed", range(3))
def test_no_push_is_missed_by_a_crew_that_goes_to_sleep(own_crew: Any, seed: int) -> None:
    queue, _crew = own_crew
    for number in range(300):
        ran = threading.Event()
        queue.push(Item(ran.set))
        assert ran.wait(PATIENCE_S), number
        if number % 50 == seed:
            time.sleep(0.06)  # so long that its thread has gone, or is about to


def test_another_driver_takes_the_queue_over_and_gives_it_back(own_crew: Any) -> None:
    queue, _crew = own_crew

    class Other:
        def __init__(self) -> None:
            self.woken = threading.Event()

        def wake(self) -> None:
            self.woken.set()

        def take_up(self) -> None:
            pass

        def stand_down(self) -> None:
            pass

    other, ran = Other(), threading.Event()
    queue.adopt(other)
    queue.push(Item(ran.set))
    assert other.woken.wait(PATIENCE_S)
    assert not ran.is_set()
    queue.release(other)
    assert ran.wait(PATIENCE_S)
    queue.release(other)  # once more is nothing


def test_a_down_is_told_though_the_driver_is_blocked(me: Any, gate: Any) -> None:
    Blocking.start().cast(gate)
    gate.reached()
    one = Echo.start()
    watch = monitor(one)
    one.cast(None)  # which it cannot send to: a crash
    assert receive(PATIENCE_S).monitor is watch
