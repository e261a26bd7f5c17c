"""Messages as OTP's gen_server has them: late answers, messages to nobody, timeouts, and long mailboxes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.process.supervised import PATIENCE_S, Gate
from tinybeam.process import (
    CallTimeout,
    GenServer,
    NoProcess,
    NoReply,
    Ok,
    ReceiveTimeout,
    Timeout,
    bonds,
    receive,
    reply,
    self_ref,
)
from tinybeam.process.answer import From
from tinybeam.process.messages import ASK, CALL
from tinybeam.process.ready_queue import BUDGET


class Echo(GenServer):
    """Answers with the message; a gate it waits at first."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        if isinstance(message, tuple):
            message[0].wait()
        return message, state


def test_a_late_answer_is_neither_a_message_nor_the_answer_of_the_next_call() -> None:
    server, gate = Echo.start(), Gate()
    with pytest.raises(CallTimeout):
        server.call((gate, "late"), timeout=0.01)
    gate.open()
    assert server.call("in time") == "in time"
    with pytest.raises(ReceiveTimeout):
        receive(0)


def test_a_late_answer_of_a_process_that_calls_is_not_taken_for_another_ones() -> None:
    class Caller(GenServer):
        def handle_call(self, message: Any, from_: Any, server: Any) -> Any:
            with pytest.raises(CallTimeout):
                server.call((message, "late"), timeout=0.01)
            message.open()
            return server.call("in time", timeout=PATIENCE_S), server

        def handle_info(self, message: Any, server: Any) -> Any:
            raise AssertionError(f"was sent {message!r}")

    caller = Caller.start(Echo.start())
    assert caller.call(Gate(), timeout=PATIENCE_S) == "in time"
    assert caller.call(Gate(), timeout=PATIENCE_S) == "in time"
    assert caller.is_alive()


def test_an_answer_that_is_kept_for_later_may_be_given_after_the_caller_has_gone() -> None:
    class Keeper(GenServer):
        def handle_call(self, message: Any, from_: Any, kept: list[Any]) -> Any:
            if message == "keep":
                kept.append(from_)
                return NoReply(kept)
            for one in kept:
                reply(one, "late")
            return len(kept), kept

    keeper = Keeper.start([])
    with pytest.raises(CallTimeout):
        keeper.call("keep", timeout=0.01)
    assert keeper.call("answer") == 1
    with pytest.raises(ReceiveTimeout):
        receive(0)


def test_messages_are_given_as_they_are() -> None:
    # OTP copies them; see docs/processes.md.
    message = {"a": [1]}
    assert Echo.start().call(message) is message


def test_no_time_to_wait_for_is_a_timeout_as_soon_as_nothing_waits() -> None:
    class Hasty(GenServer):
        def init(self, to: Any) -> Any:
            return Ok(to, timeout_ms=0)

        def handle_info(self, message: Any, to: Any) -> Any:
            to.send(message)
            return NoReply(to, timeout_ms=0) if message == "again" else to

    server = Hasty.start(self_ref())
    assert receive(PATIENCE_S) == Timeout()
    server.send("again")
    assert [receive(PATIENCE_S) for _ in range(2)] == ["again", Timeout()]
    with pytest.raises(ReceiveTimeout):
        receive(0)


@pytest.mark.parametrize("limit", [1, 2])
def test_there_is_room_for_as_many_messages_as_the_limit_says_and_for_no_more(limit: int) -> None:
    class Small(GenServer):
        mailbox_max = limit
        overflow = "drop_newest"

        def handle_cast(self, message: Any, to: Any) -> Any:
            message.wait() if isinstance(message, Gate) else to.send(message)
            return to

    server, gate = Small.start(self_ref()), Gate()
    server.cast(gate)
    gate.reached()
    for number in range(10):
        server.cast(number)
    gate.open()
    assert [receive(PATIENCE_S) for _ in range(limit)] == list(range(limit))
    server.stop()
    with pytest.raises(ReceiveTimeout):
        receive(0)


@pytest.mark.parametrize("kind", [CALL, ASK])
def test_who_puts_a_call_in_the_mailbox_in_the_moment_of_the_end_is_told(kind: int) -> None:
    server = Echo.start()
    process, from_ = server._process, From()
    server.stop()
    process._post((kind, "as if it had been alive a moment ago", from_))
    with pytest.raises(NoProcess):
        from_.get()
    assert process._waiting() == []


def test_a_turn_is_so_many_messages_and_the_rest_is_for_the_next_one() -> None:
    handled: list[int] = []

    class Listing(GenServer):
        def handle_cast(self, message: int, state: Any) -> Any:
            handled.append(message)
            return state

    server = Listing.start()
    process = server._process
    assert process._lock.acquire(timeout=PATIENCE_S)  # nobody else runs it
    for number in range(3 * BUDGET):
        server.cast(number)
    process._turn(BUDGET)
    assert handled == list(range(BUDGET))
    process._leave()
    server.stop()
    assert handled == list(range(3 * BUDGET))


def test_a_call_from_an_event_loop_that_was_given_up_is_not_kept() -> None:
    async def call() -> None:
        with pytest.raises(CallTimeout):
            await server.call_async((gate, "late"), timeout=0.01)

    server, gate = Echo.start(), Gate()
    asyncio.run(call())
    assert len(bonds.bonds_of(server._process).callers) == 0
    gate.open()
    assert server.call("in time") == "in time"
