"""Calls: where they run, timeouts, circles, depth, and many at once."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.process.callers import Caller
from tinybeam.process import (
    CallTimeout,
    GenServer,
    NoProcess,
    NoReply,
    ProcessExited,
    calling,
    receive,
    reply,
    self_ref,
)
from tinybeam.process.messages import CAST

PATIENCE_S = 30


# where


def test_a_call_to_an_idle_process_runs_in_the_callers_thread() -> None:
    assert Caller.start().call(("thread",)) == threading.get_ident()


def test_a_call_with_a_short_timeout_does_not() -> None:
    assert Caller.start().call(("thread",), 0.9) != threading.get_ident()


def test_a_call_to_a_process_that_may_block_does_not() -> None:
    class Blocking(Caller):
        blocking = True

    server = Blocking.start()
    for _ in range(100):
        assert server.call(("thread",), None) != threading.get_ident()


# timeouts


def test_a_call_that_is_not_answered_in_time_raises(gate: Any) -> None:
    server = Caller.start()
    with pytest.raises(CallTimeout, match=r"within 0\.02 s"):
        server.call(("held", gate), 0.02)
    gate.open()
    assert server.call("next") == "next"


def test_a_call_without_a_reply_raises_as_well() -> None:
    with pytest.raises(CallTimeout):
        Caller.start().call(("never",), 1.0)


def test_no_time_at_all_is_enough_for_nobody(gate: Any) -> None:
    server = Caller.start()
    with pytest.raises(CallTimeout):
        server.call(("held", gate), 0)


def test_a_call_in_the_callers_thread_that_took_too_long_raises() -> None:
    class Slow(Caller):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            threading.Event().wait(1.05)
            return message, state

    with pytest.raises(CallTimeout, match="were allowed"):
        Slow.start().call("x", 1.0)


def test_after_a_slow_call_the_next_ones_are_run_elsewhere() -> None:
    class Slow(Caller):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            if message == "slow":
                threading.Event().wait(0.11)
            return threading.get_ident(), state

    server = Slow.start()
    assert server.call("slow") == threading.get_ident()
    assert server.call("next") != threading.get_ident()


def test_no_timeout_waits_for_as_long_as_it_takes(obedient: Any, me: Any) -> None:
    def later(_self: Any, from_: Any, state: Any) -> Any:
        threading.Timer(0.05, reply, (from_, "late")).start()
        return NoReply(state)

    assert obedient.start().call(later, None) == "late"


def test_who_was_answered_is_not_kept(obedient: Any) -> None:
    server = obedient.start()
    for _ in range(10):
        server.call("x", 0.9)
        server.ask("x")
        server.ask("x", block=False).get(timeout=PATIENCE_S)
        with pytest.raises(CallTimeout):
            server.call(lambda _self, _from, state: NoReply(state), 0.001)
    ties = server._process._bonds
    assert ties is None or not ties.callers


# circles


def test_a_call_to_itself_is_refused_at_once() -> None:
    server = Caller.start()
    with pytest.raises(ProcessExited) as raised:
        server.call(("call", server, "x", None))
    assert isinstance(raised.value.reason, CallTimeout)
    assert "calls itself" in str(raised.value.reason)


def test_an_ask_to_itself_is_refused_at_once(obedient: Any) -> None:
    server = obedient.start()
    with pytest.raises(ProcessExited) as raised:
        server.call(lambda self, _from, state: (self.actor_ref.ask("x"), state), 5.0)
    assert isinstance(raised.value.reason, CallTimeout)


@pytest.mark.parametrize("length", [2, 3, 6])
def test_a_circle_of_calls_ends_in_a_timeout_that_names_the_chain(length: int) -> None:
    circle = [Caller.start() for _ in range(length)]
    message: Any = ("call", circle[0], "x", 0.2)
    for one in reversed(circle[1:]):
        message = ("call", one, message)
    with pytest.raises(ProcessExited) as raised:
        circle[0].call(message, PATIENCE_S)
    cause: Any = raised.value
    while cause.__cause__ is not None:
        cause = cause.__cause__
    assert isinstance(cause, CallTimeout)
    names = [str(one) for one in [*circle, circle[0]]]
    assert " -> ".join(names) in str(cause)


def test_whom_a_late_one_waits_for_is_named(gate: Any, threads: Any, me: Any) -> None:
    last, middle = Caller.start(), Caller.start()
    threads(lambda: me.send(middle.call(("call", last, ("held", gate), 60.0), 60.0)))
    gate.reached()
    with pytest.raises(CallTimeout, match=f"{middle} -> {last}"):
        middle.call("x", 0.05)
    gate.open()
    assert receive(PATIENCE_S) == "held"


# depth


@pytest.mark.parametrize("length", [10, 63, 64, 65, 200, 1000])
def test_processes_call_each_other_as_deep_as_one_likes(length: int) -> None:
    chain = [Caller.start() for _ in range(length)]
    message: Any = "the end"
    for one in reversed(chain[1:]):
        message = ("call", one, message, None)
    assert chain[0].call(message, None) == "the end"


def test_a_message_goes_round_a_ring_of_a_thousand(me: Any) -> None:
    class Link(GenServer):
        def handle_cast(self, message: Any, following: Any) -> Any:
            match message:
                case ("next is", following):
                    pass
                case 0:
                    me.send("round")
                case left:
                    following.cast(left - 1)
            return following

    ring = [Link.start() for _ in range(1000)]
    for one, following in zip(ring, [*ring[1:], ring[0]], strict=True):
        one.cast(("next is", following))
    ring[0].cast(10_000)
    assert receive(PATIENCE_S) == "round"


@pytest.mark.parametrize("left", range(1, 60, 3))
def test_a_caller_that_has_hardly_any_stack_left_leaves_nothing_locked(left: int) -> None:
    server = Caller.start()

    def dive(depth: int) -> Any:
        return dive(depth - 1) if depth else server.call("x")

    depth = 0
    frame: Any = sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    with contextlib.suppress(RecursionError, ProcessExited):
        dive(sys.getrecursionlimit() - depth - left)
    try:
        assert server.call("again", 0.9) == "again"
    except ProcessExited as error:
        assert isinstance(error, NoProcess) or isinstance(error.reason, RecursionError)  # noqa: PT017
    assert self_ref() is self_ref()._process._actor_ref
    assert type(self_ref()._process).__name__ == "Guest"


# many


def test_many_threads_call_one_process(threads: Callable[..., threading.Thread], obedient: Any) -> None:
    server = obedient.start(0)

    def work(number: int) -> None:
        for index in range(500):
            server.call(lambda _self, _from, count: (None, count + 1), None if (index + number) % 5 else 0.99)

    for thread in [threads(work, number) for number in range(8)]:
        thread.join(PATIENCE_S)
    assert server.call(lambda _self, _from, count: (count, count)) == 4000


def test_two_processes_call_each_other_at_the_same_time_and_one_times_out_at_worst(threads: Any, me: Any) -> None:
    one, other = Caller.start(), Caller.start()

    def call(first: Any, second: Any) -> None:
        try:
            me.send(first.call(("call", second, "x", 0.5), 5.0))
        except ProcessExited as error:
            me.send(type(error.reason).__name__)

    for _ in range(20):
        if not (one.is_alive() and other.is_alive()):
            one, other = Caller.start(), Caller.start()
        threads(call, one, other)
        threads(call, other, one)
        assert {receive(PATIENCE_S), receive(PATIENCE_S)} <= {"x", "CallTimeout", "ProcessExited", "NoProcess"}


def test_a_call_from_an_event_loop_does_not_block_it(gate: Any, until: Any) -> None:
    server = Caller.start()

    async def run() -> Any:
        waiting = asyncio.ensure_future(server.call_async(("held", gate), PATIENCE_S))
        while not gate.threads:
            await asyncio.sleep(0.001)
        gate.open()
        return await waiting, await server.call_async("x")

    assert asyncio.run(run()) == ("held", "x")


def test_a_call_from_an_event_loop_is_told_of_ends_and_timeouts(gate: Any, me: Any) -> None:
    server = Caller.start()

    async def run() -> None:
        with pytest.raises(CallTimeout):
            await server.call_async(("never",), 0.02)
        waiting = asyncio.ensure_future(server.call_async(("never",), None))
        await asyncio.sleep(0)
        server.cast(ValueError("x"))
        with pytest.raises(ProcessExited) as raised:
            await waiting
        assert isinstance(raised.value.reason, ValueError)
        with pytest.raises(NoProcess):
            await server.call_async("x")

    asyncio.run(run())


def test_the_time_of_a_call_is_not_counted_twice(obedient: Any) -> None:
    began_s = time.monotonic()
    with pytest.raises(CallTimeout):
        obedient.start().call(lambda _self, _from, state: NoReply(state), 1.0)
    assert time.monotonic() - began_s >= 1.0


def test_no_timeout_may_be_said_as_an_endless_one(obedient: Any, gate: Any, threads: Any, me: Any) -> None:
    server = obedient.start()
    threads(lambda: server.call(lambda _self, _from, state: (gate.wait(), state)))
    gate.reached()
    threads(lambda: me.send(server.call("x", float("inf"))))
    gate.open()
    assert receive(float("inf")) == "x"


def test_a_call_that_came_too_late_because_of_what_was_before_it_raises_and_the_next_ones_are_run_elsewhere(
    obedient: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(calling, "monotonic", lambda: now_s[0])
    server = obedient.start()

    def take_long(_self: Any, state: Any) -> Any:
        now_s[0] += 6.0
        return state

    server._process._box.append((CAST, take_long, None))  # as a cast, before anybody has run it
    with pytest.raises(CallTimeout, match=r"answered after 6 s, and 5 s were allowed"):
        server.call("x")
    assert server.call(lambda _self, _from, state: (threading.current_thread(), state)) is not threading.main_thread()
