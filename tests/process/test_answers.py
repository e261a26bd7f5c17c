"""Answers: one each, however many are given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from tinybeam.process import GenServer, NoProcess, ProcessExited, reply
from tinybeam.process.answer import From, FutureFrom, StopFrom

PATIENCE_S = 30


def test_an_answer_that_is_there_is_not_waited_for() -> None:
    from_ = From()
    assert not from_.answered
    reply(from_, 1)
    assert from_.answered
    assert from_.wait(0)
    assert from_.get() == 1


def test_none_is_an_answer() -> None:
    from_ = From()
    reply(from_, None)
    assert from_.wait(0)
    assert from_.get() is None


def test_no_answer_in_time() -> None:
    assert From().wait(0) is False
    assert From().wait(0.01) is False
    assert From().wait(-1) is False


def test_the_first_answer_counts_whether_it_is_good_or_bad() -> None:
    from_ = From()
    reply(from_, 1)
    from_.fail(ValueError())
    reply(from_, 2)
    assert from_.get() == 1
    from_ = From()
    from_.fail(ValueError("x"))
    reply(from_, 1)
    with pytest.raises(ValueError, match="x"):
        from_.get()


def test_an_answer_wakes_who_waits(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(300):
        from_ = From()
        threads(reply, from_, "x")
        assert from_.wait(PATIENCE_S)
        assert from_.get() == "x"


def test_two_that_answer_at_once_wake_who_waits_once(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(100):
        from_ = From()
        barrier = threading.Barrier(2)

        def answer(value: int, from_: From = from_, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            reply(from_, value)

        running = [threads(answer, number) for number in range(2)]
        assert from_.wait(PATIENCE_S)
        assert from_.get() in (0, 1)
        for thread in running:
            thread.join(PATIENCE_S)


def test_refusals_say_why() -> None:
    ref = GenServer.start()
    for reason, error_class in (("normal", ProcessExited), (None, NoProcess)):
        from_ = From()
        from_.refuse(ref, reason)
        with pytest.raises(error_class):
            from_.get()


def test_who_waits_for_a_stop_is_told_whether_it_was_alive() -> None:
    ref = GenServer.start()
    for reason, alive in (("normal", True), ("killed", True), (None, False)):
        from_ = StopFrom()
        from_.refuse(ref, reason)
        assert from_.get() is alive


def test_a_future_takes_one_answer_and_no_more_is_raised_anywhere() -> None:
    ref = GenServer.start()
    future: Any = pykka.ThreadingFuture()
    from_ = FutureFrom(future, ref._process)
    from_.set(1)
    from_.set(2)
    from_.fail(ValueError())
    from_.refuse(ref, "x")
    assert future.get(timeout=0) == 1


def test_the_callers_ref_is_known_to_who_answers(obedient: Any, me: Any) -> None:
    server = obedient.start()
    caller = server.call(lambda _self, from_, state: (from_.caller, state))
    assert caller._actor_ref is me
