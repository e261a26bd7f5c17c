"""Monitors: one Down for each, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.process import (
    Down,
    GenServer,
    Monitor,
    ReceiveTimeout,
    Stop,
    demonitor,
    exit,
    monitor,
    receive,
    register,
    self_ref,
)

PATIENCE_S = 30


class Watched(GenServer):
    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, BaseException):
            raise message
        return Stop(message)


class Watcher(GenServer):
    """Monitors whom it is told, and tells the test what comes of it."""

    def init(self, to: Any) -> Any:
        self.to = to

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return monitor(message), state

    def handle_info(self, message: Any, state: Any) -> Any:
        self.to.send(message)
        return state


def nothing_more() -> None:
    self_ref().send("last")
    assert receive(PATIENCE_S) == "last"


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "kill", 0, None])
def test_an_end_is_told_once_with_its_reason(reason: Any) -> None:
    one = Watched.start()
    watch = monitor(one)
    one.stop(reason)
    assert receive(PATIENCE_S) == Down(watch, one, reason)
    nothing_more()


def test_a_crash_is_told_with_the_exception() -> None:
    one = Watched.start()
    monitor(one)
    error = ValueError("x")
    one.cast(error)
    assert receive(PATIENCE_S).reason is error


def test_each_monitor_is_told() -> None:
    one = Watched.start()
    watches = [monitor(one) for _ in range(3)]
    exit(one, "kill")
    assert [receive(PATIENCE_S) for _ in range(3)] == [Down(watch, one, "killed") for watch in watches]
    nothing_more()


def test_who_has_ended_is_told_at_once_as_noproc() -> None:
    one = Watched.start()
    one.stop()
    watch = monitor(one)
    assert receive(0) == Down(watch, one, "noproc")


def test_a_name_that_nobody_has_is_told_as_noproc() -> None:
    watch = monitor("nobody")
    assert receive(0) == Down(watch, "nobody", "noproc")


def test_a_name_may_be_monitored() -> None:
    one = Watched.start()
    register("watched", one)
    watch = monitor("watched")
    one.stop("x")
    assert receive(PATIENCE_S) == Down(watch, one, "x")


def test_a_monitor_that_was_taken_back_tells_nothing() -> None:
    one = Watched.start()
    assert demonitor(monitor(one)) is True
    one.stop()
    nothing_more()


def test_demonitor_says_when_it_was_told_already_and_flushes() -> None:
    one = Watched.start()
    first, second = monitor(one), monitor(one)
    one.stop()
    assert demonitor(first) is False
    assert demonitor(second, flush=True) is False
    assert receive(PATIENCE_S).monitor is first
    nothing_more()


def test_demonitor_of_who_had_ended_flushes_too() -> None:
    one = Watched.start()
    one.stop()
    assert demonitor(monitor(one), flush=True) is False
    nothing_more()


def test_to_flush_takes_no_other_message() -> None:
    one = Watched.start()
    watch = monitor(one)
    self_ref().send("before")
    one.stop()
    self_ref().send("after")
    demonitor(watch, flush=True)
    assert [receive(0), receive(0)] == ["before", "after"]


def test_a_process_monitors_as_a_thread_does(me: Any) -> None:
    watcher, one = Watcher.start(me), Watched.start()
    watch = watcher.call(one)
    assert isinstance(watch, Monitor)
    one.stop("x")
    assert receive(PATIENCE_S) == Down(watch, one, "x")


def test_nobody_is_told_for_a_watcher_that_has_ended(me: Any) -> None:
    watcher, one = Watcher.start(me), Watched.start()
    watcher.call(one)
    watcher.stop()
    one.stop()
    nothing_more()


def test_a_process_may_monitor_itself() -> None:
    class Selfish(GenServer):
        def init(self) -> Any:
            monitor(self.actor_ref)

    one, watch = Selfish.start_monitor()
    one.stop("x")
    assert receive(PATIENCE_S) == Down(watch, one, "x")


def test_down_comes_after_everything_that_was_sent_before(me: Any) -> None:
    class Chatty(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            for number in range(message):
                me.send(number)
            return Stop("done")

        def terminate(self, reason: Any, state: Any) -> None:
            me.send("terminated")

    one, watch = Chatty.start_monitor()
    one.cast(1000)
    assert [receive(PATIENCE_S) for _ in range(1001)] == [*range(1000), "terminated"]
    assert receive(PATIENCE_S) == Down(watch, one, "done")


def test_a_process_that_is_told_to_be_down_is_not_alive() -> None:
    one = Watched.start()
    monitor(one)
    one.cast("x")
    down = receive(PATIENCE_S)
    assert not down.process.is_alive()


def test_monitors_and_ends_at_the_same_time_give_one_down_each(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(100):
        one = Watched.start()
        barrier = threading.Barrier(2)

        def end(one: Any = one, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            exit(one, "kill")

        thread = threads(end)
        barrier.wait()
        watches = {monitor(one) for _ in range(10)}
        thread.join(PATIENCE_S)
        assert {receive(PATIENCE_S).monitor for _ in range(10)} == watches
        with pytest.raises(ReceiveTimeout):
            receive(0)


def test_start_monitor_of_an_init_that_fails_sends_no_down() -> None:
    class Failing(GenServer):
        def init(self) -> Any:
            raise ValueError

    with pytest.raises(Exception, match="could not start"):
        Failing.start_monitor()
    nothing_more()
