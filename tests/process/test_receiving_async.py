"""Receive in an event loop: as receive, and the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tinybeam.process import (
    Call,
    Exit,
    GenServer,
    ReceiveTimeout,
    exit,
    process_flag,
    receive,
    receive_async,
    reply,
    self_ref,
)

PATIENCE_S = 30


def test_it_takes_what_is_there_and_waits_for_what_comes() -> None:
    async def main() -> list[Any]:
        me = self_ref()
        me.send("there")
        first = await receive_async(PATIENCE_S)
        sender = threading.Thread(target=me.send, args=("from a thread",))
        waiting = asyncio.ensure_future(receive_async(PATIENCE_S))
        await asyncio.sleep(0)
        sender.start()
        second = await waiting
        sender.join()
        return [first, second]

    assert asyncio.run(main()) == ["there", "from a thread"]


def test_what_is_not_wanted_stays_in_its_order() -> None:
    async def main() -> list[Any]:
        me = self_ref()
        for message in ("a", "b", "c"):
            me.send(message)
        waiting = asyncio.ensure_future(receive_async(PATIENCE_S, want=lambda message: message == "z"))
        await asyncio.sleep(0)
        for message in ("d", "z"):
            me.send(message)
        wanted = await waiting
        return [wanted, *[receive(0) for _ in range(4)]]

    assert asyncio.run(main()) == ["z", "a", "b", "c", "d"]


def test_what_comes_between_the_look_and_the_wait_is_seen() -> None:
    async def main() -> Any:
        me = self_ref()
        me.send("first")

        def want(message: Any) -> bool:
            if message == "first":
                me.send("second")
            return bool(message == "second")

        return await asyncio.wait_for(receive_async(want=want), PATIENCE_S)

    assert asyncio.run(main()) == "second"
    assert receive(0) == "first"


@pytest.mark.parametrize("timeout", [0, -1, 0.01])
def test_it_raises_when_nothing_comes_in_time(timeout: float) -> None:
    with pytest.raises(ReceiveTimeout, match="nothing came within"):
        asyncio.run(receive_async(timeout))


def test_one_that_is_cancelled_loses_no_message() -> None:
    async def main() -> Any:
        me = self_ref()
        waiting = asyncio.ensure_future(receive_async(PATIENCE_S))
        await asyncio.sleep(0)
        me.send("late")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return await receive_async(0)

    assert asyncio.run(main()) == "late"


def test_a_second_one_of_the_same_process_is_refused_and_the_first_goes_on() -> None:
    async def main() -> Any:
        me = self_ref()
        waiting = asyncio.ensure_future(receive_async(PATIENCE_S))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="waits in receive_async already"):
            await receive_async(PATIENCE_S)
        me.send("for the first")
        return await waiting

    assert asyncio.run(main()) == "for the first"


def test_calls_come_with_whom_to_answer_and_exits_as_messages() -> None:
    class Asking(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            me.send(("told", message.call("question", PATIENCE_S)))
            return state

    asking = Asking.start()
    me = self_ref()

    async def main() -> list[Any]:
        process_flag("trap_exit", True)
        asking.cast(me)
        call = await receive_async(PATIENCE_S, want=lambda message: isinstance(message, Call))
        reply(call.from_, "answer")
        told = await receive_async(PATIENCE_S)
        exit(me, "bad")
        return [call.message, told, await receive_async(PATIENCE_S)]

    question, told, ended = asyncio.run(main())
    assert (question, told) == ("question", ("told", "answer"))
    assert isinstance(ended, Exit)
    assert ended.reason == "bad"


def test_a_call_that_is_cancelled_is_forgotten_by_whom_it_was_for() -> None:
    class Silent(GenServer):
        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            from tinybeam.process import NoReply

            return NoReply(state)

    silent = Silent.start()

    async def main() -> None:
        waiting = asyncio.ensure_future(silent.call_async("never", None))
        await asyncio.sleep(0)
        assert len(silent._process._bonds.callers) == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert len(silent._process._bonds.callers) == 0
