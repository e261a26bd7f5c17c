"""Timers: messages that come later, or not at all."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import GenServer, Timer, cancel_timer, receive, register, self_ref, send_after
from tinybeam.process.timers import Timers, timers

PATIENCE_S = 30
LONG_MS = 3_600_000


def test_a_message_comes_when_its_time_has_come(me: Any) -> None:
    began_s = time.monotonic()
    timer = send_after(me, "later", 20)
    assert isinstance(timer, Timer)
    assert receive(PATIENCE_S) == "later"
    assert time.monotonic() - began_s >= 0.02


def test_messages_come_in_the_order_of_their_times(me: Any) -> None:
    for delay_ms in (60, 20, 40, 1):
        send_after(me, delay_ms, delay_ms)
    assert [receive(PATIENCE_S) for _ in range(4)] == [1, 20, 40, 60]


def test_messages_of_one_time_come_in_the_order_in_which_they_were_started(me: Any) -> None:
    own = Timers()
    for number in range(100):
        own.start(me, 0, number, 5)
    # What decides among equal times is the number; two of them are hardly ever equal by chance.
    assert [receive(PATIENCE_S) for _ in range(100)] == list(range(100))


@pytest.mark.parametrize("delay_ms", [0, -5])
def test_no_delay_is_at_once(me: Any, delay_ms: int) -> None:
    send_after(me, "now", delay_ms)
    assert receive(PATIENCE_S) == "now"


def test_a_sooner_timer_overtakes_the_one_that_is_waited_for(me: Any) -> None:
    late = send_after(me, "late", LONG_MS)
    send_after(me, "soon", 1)
    assert receive(PATIENCE_S) == "soon"
    cancel_timer(late)


def test_a_cancelled_timer_says_what_was_left_and_does_not_come(me: Any) -> None:
    timer = send_after(me, "never", LONG_MS)
    left_ms = cancel_timer(timer)
    assert left_ms is not None
    assert 0 < left_ms <= LONG_MS
    assert cancel_timer(timer) is None


def test_a_timer_that_was_cancelled_just_before_its_time_does_not_come(me: Any) -> None:
    for _ in range(50):
        timer = send_after(me, "never", 1)
        if cancel_timer(timer) is None:
            assert receive(PATIENCE_S) == "never"  # it came before, and says so
    send_after(me, "last", 5)
    assert receive(PATIENCE_S) == "last"


def test_a_timer_that_was_cancelled_too_late_says_so(me: Any) -> None:
    timer = send_after(me, "came", 0)
    assert receive(PATIENCE_S) == "came"
    assert cancel_timer(timer) is None


def test_timers_reach_names_and_find_them_when_they_are_due(me: Any) -> None:
    send_after("named later", "found", 20)
    register("named later", me)
    assert receive(PATIENCE_S) == "found"


def test_a_timer_for_who_is_gone_is_nothing(me: Any) -> None:
    gone = GenServer.start()
    gone.stop()
    send_after(gone, "lost", 0)
    send_after("nobody", "lost", 0)
    send_after(me, "last", 5)
    assert receive(PATIENCE_S) == "last"


def test_many_cancelled_timers_are_swept_out(me: Any) -> None:
    started = [send_after(me, "never", LONG_MS) for _ in range(5000)]
    for timer in started:
        cancel_timer(timer)
    assert len(timers._heap) <= 2100
    send_after(me, "last", 1)
    assert receive(PATIENCE_S) == "last"


def test_a_cancelled_timer_keeps_nothing_of_its_message(me: Any) -> None:
    class Big:
        pass

    big = Big()
    seen = weakref.ref(big)
    timer = send_after(me, big, LONG_MS)
    del big
    cancel_timer(timer)
    assert seen() is None


def test_timers_may_be_started_and_cancelled_by_many_threads(threads: Callable[..., threading.Thread]) -> None:
    me = self_ref()
    kept = 0

    def start_some(number: int) -> None:
        for index in range(200):
            timer = send_after(me, (number, index), 5 + index % 7)
            if index % 2 and cancel_timer(timer) is None:
                me.send(("too late", number, index))

    running = [threads(start_some, number) for number in range(4)]
    for thread in running:
        thread.join(PATIENCE_S)
    send_after(me, "last", 200)
    came = iter(lambda: receive(PATIENCE_S), "last")
    late = 0
    for message in came:
        if message[0] == "too late":
            late += 1
        else:
            kept += 1
    assert kept == 400 + late


def test_a_timer_after_one_whose_thread_could_not_start_comes(me: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = Timers()

    def fail(_self: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            own.start(me, 0, "first", 0)
    own.start(me, 0, "second", 0)
    assert {receive(PATIENCE_S), receive(PATIENCE_S)} == {"first", "second"}


def test_the_thread_does_not_stay_for_timers_that_were_cancelled(me: Any) -> None:
    own = Timers()
    started = [own.start(me, 0, "never", LONG_MS) for _ in range(10)]
    assert own._running
    for timer in started:
        own.cancel(timer)
    assert own._heap == []
