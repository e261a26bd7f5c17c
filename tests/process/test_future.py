"""Calls from code that runs in an event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from tinybeam.process import CallTimeout, GenServer, NoProcess, ProcessExited


class Gate(GenServer):
    """Answers when it is let through."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        if isinstance(message, threading.Event):
            message.wait(30)
        if message == "crash":
            raise ValueError("scripted")
        return message, state

    def pass_through(self, gate: threading.Event) -> str:
        gate.wait(30)
        return "through"


def test_the_loop_goes_on_while_a_call_waits() -> None:
    async def main() -> list[Any]:
        first, second = Gate.start(), Gate.start()
        gate = threading.Event()
        waiting = asyncio.gather(first.call_async(gate), second.proxy().pass_through(gate), second.call_async("after"))
        await asyncio.sleep(0)  # the loop's turn, not a span of time
        gate.set()
        answers = await waiting
        assert await first.stop(block=False)
        assert await second.stop(block=False)
        return answers[1:]

    assert asyncio.run(main()) == ["through", "after"]


def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    async def main() -> None:
        gate = Gate.start()
        with pytest.raises(ProcessExited, match="scripted"):
            await gate.call_async("crash")
        with pytest.raises(NoProcess):
            await gate.call_async("anything")

    asyncio.run(main())


def test_a_call_that_is_not_answered_in_time_says_so_and_its_late_answer_goes_nowhere() -> None:
    async def main() -> Any:
        gate, late = Gate.start(), threading.Event()
        with pytest.raises(CallTimeout, match="no answer within"):
            await gate.call_async(late, timeout=0.01)
        late.set()
        answer = await gate.call_async("next")
        await gate.stop(block=False)
        return answer

    assert asyncio.run(main()) == "next"


def test_an_answer_that_is_there_is_awaited_at_once() -> None:
    async def main() -> Any:
        gate = Gate.start()
        future = gate.ask("there", block=False)
        assert future.get(timeout=30) == "there"
        answer = await future
        await gate.stop(block=False)
        return answer

    assert asyncio.run(main()) == "there"


def test_an_answer_that_comes_after_the_loop_has_closed_harms_nobody() -> None:
    gate, late = Gate.start(), threading.Event()

    async def leave() -> None:
        gate.ask(late, block=False)
        asyncio.ensure_future(gate.call_async("never awaited to its end"))
        await asyncio.sleep(0)

    asyncio.run(leave())
    late.set()
    assert gate.call("still there") == "still there"
    gate.stop()
