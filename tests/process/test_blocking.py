"""Processes that block: who has held up others is run in threads of its own, for as long as it blocks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.process import GenServer, receive
from tinybeam.process import blocking as blocking_module
from tinybeam.process.blocking import FORGIVEN_AFTER, STRIKES, BlockingQueue, blockers
from tinybeam.process.ready_queue import ReadyQueue, ready

PATIENCE_S = 30
OWN_THREAD = "tinybeam-process-blocking"


class Telling(GenServer):
    """Tells whom it is cast in which thread it is."""

    def handle_cast(self, message: Any, state: Any) -> Any:
        message.send(threading.current_thread().name)
        return state


@pytest.fixture
def suspect() -> type[GenServer]:
    """A class that waits at a gate when it is cast one."""

    class Suspect(Telling):
        def handle_cast(self, message: Any, state: Any) -> Any:
            if hasattr(message, "wait"):
                message.wait()
                return state
            return super().handle_cast(message, state)

    return Suspect


@pytest.fixture
def hold_up(suspect: Any, me: Any, gates: Any) -> Callable[[], None]:
    """Has a process of the class hold up the ready queue once, until another thread goes on."""

    def once() -> None:
        gate, blocked = gates(), suspect.start()
        blocked.cast(gate)
        gate.reached()
        Telling.start().cast(me)  # answered only once another thread has taken over
        receive(PATIENCE_S)
        gate.open()
        assert blocked.stop()

    return once


def thread_of(cls: Any, me: Any) -> str:
    cls.start().cast(me)
    name: str = receive(PATIENCE_S)
    return name


def test_a_class_that_says_so_never_holds_up_the_queue(me: Any) -> None:
    class Blocking(Telling):
        blocking = True

    class BlockingStill(Blocking):
        pass

    assert thread_of(Blocking, me) == OWN_THREAD
    assert thread_of(BlockingStill, me) == OWN_THREAD
    assert thread_of(Telling, me) != OWN_THREAD


def test_a_class_that_is_derived_from_one_that_blocks_may_say_that_it_does_not(me: Any) -> None:
    class Blocking(Telling):
        blocking = True

    class Quick(Blocking):
        blocking = False

    assert thread_of(Quick, me) != OWN_THREAD


def test_a_class_that_is_seen_to_hold_up_others_gets_threads_of_its_own(
    suspect: Any, hold_up: Any, me: Any, caplog: pytest.LogCaptureFixture, until: Any
) -> None:
    with caplog.at_level(logging.INFO, "tinybeam.process"):
        for _ in range(STRIKES - 1):
            hold_up()
        assert thread_of(suspect, me) != OWN_THREAD
        hold_up()
        assert thread_of(suspect, me) == OWN_THREAD
        # Whoever has seen it says so after that.
        until(lambda: sum("blocks: its processes" in record.getMessage() for record in caplog.records) == 1)
    assert thread_of(Telling, me) != OWN_THREAD


def test_holding_up_others_now_and_then_proves_nothing(
    suspect: Any, hold_up: Any, me: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(blocking_module, "monotonic", lambda: now_s[0])
    for _ in range(3 * STRIKES):
        now_s[0] += blocking_module.WITHIN_S / (STRIKES - 1) + 0.1
        hold_up()
    assert thread_of(suspect, me) != OWN_THREAD


def test_holding_up_others_once_in_very_many_turns_proves_nothing(
    suspect: Any, hold_up: Any, me: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3 * STRIKES):
        monkeypatch.setattr(ready, "turns", ready.turns + blocking_module.TURNS // (STRIKES - 1) + 1)
        hold_up()
    assert thread_of(suspect, me) != OWN_THREAD


def test_a_class_that_says_that_it_does_not_block_is_believed(suspect: Any, hold_up: Any, me: Any) -> None:
    suspect.blocking = False
    for _ in range(STRIKES + 1):
        hold_up()
    assert thread_of(suspect, me) != OWN_THREAD


def test_a_class_that_blocks_no_more_comes_back(
    suspect: Any, hold_up: Any, me: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(STRIKES):
        hold_up()
    monkeypatch.setattr(blocking_module, "QUICK_S", PATIENCE_S)
    one = suspect.start()
    for _ in range(FORGIVEN_AFTER):
        one.cast(me)
        receive(PATIENCE_S)
    # The last turn counts when it is over, which is after its message.
    one.stop()
    assert thread_of(suspect, me) != OWN_THREAD
    hold_up()
    assert thread_of(suspect, me) != OWN_THREAD


def test_a_class_that_goes_on_blocking_does_not_come_back(
    suspect: Any, hold_up: Any, me: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(STRIKES):
        hold_up()
    monkeypatch.setattr(blocking_module, "QUICK_S", 0.0)
    for _ in range(FORGIVEN_AFTER + 1):
        assert thread_of(suspect, me) == OWN_THREAD


def test_a_process_that_blocks_keeps_the_order_of_its_messages_and_handles_one_at_a_time(me: Any, threads: Any) -> None:
    class Blocking(GenServer):
        blocking = True

        def handle_cast(self, message: Any, inside: int) -> int:
            assert inside == 0
            me.send(message)
            return inside

    one = Blocking.start(0)
    for sender in range(4):
        threads(lambda sender=sender: [one.cast((sender, number)) for number in range(500)])
    came = [receive(PATIENCE_S) for _ in range(2000)]
    for sender in range(4):
        assert [number for who, number in came if who == sender] == list(range(500))


@pytest.fixture
def no_threads() -> Iterator[None]:
    begin = blockers.pool._begin

    def refuse(_work: Any) -> None:
        raise RuntimeError("can't start new thread")

    resting, blockers.pool._resting = blockers.pool._resting, []
    blockers.pool._begin = refuse  # type: ignore[method-assign]
    yield
    blockers.pool._begin = begin  # type: ignore[method-assign]
    blockers.pool._resting = resting


@pytest.mark.usefixtures("no_threads")
def test_without_a_thread_for_itself_it_takes_its_turn_with_the_others(me: Any) -> None:
    class Blocking(Telling):
        blocking = True

    assert thread_of(Blocking, me) != OWN_THREAD


def test_a_queue_that_nobody_listens_to_passes_over_hold_ups() -> None:
    assert ready.on_hold_up is blocking_module.on_hold_up
    ReadyQueue().on_hold_up(object())
    assert BlockingQueue().pool.busy == 0
