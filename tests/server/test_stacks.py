"""Stacks of what runs elsewhere: they begin with the user's code, and end where it waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from types import coroutine
from typing import TYPE_CHECKING

from tinybeam.server.stacks import coroutine_stack, thread_stack

if TYPE_CHECKING:
    from tests.conftest import Gate


@coroutine
def pause() -> Generator[None, None, None]:
    yield


async def inner() -> None:
    await pause()


async def outer() -> None:
    await inner()


def test_the_stack_of_a_coroutine_goes_down_to_what_it_waits_for() -> None:
    waiting = outer()
    waiting.send(None)
    text = coroutine_stack(waiting)
    waiting.close()
    places = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.lstrip().startswith("File")]
    assert places == ["outer", "inner", "pause"]


def test_a_coroutine_that_is_done_has_none() -> None:
    done = inner()
    done.close()
    assert coroutine_stack(done) == ""
    assert coroutine_stack(None) == ""


def test_a_coroutine_that_waits_for_a_future_ends_at_its_await() -> None:
    async def main() -> str:
        task = asyncio.ensure_future(asyncio.sleep(30))
        await asyncio.sleep(0)

        async def waits() -> None:
            await task

        other = waits()
        running = asyncio.ensure_future(other)
        await asyncio.sleep(0)
        text = coroutine_stack(other)
        task.cancel()
        await asyncio.wait([running])
        return text

    assert asyncio.run(main()).rstrip().endswith("await task")


def test_the_stack_of_a_thread_is_without_what_drives_it(gate: Gate) -> None:
    thread = threading.Thread(target=gate.wait)
    thread.start()
    gate.reached()
    text = thread_stack(thread.ident)
    gate.open()
    thread.join()
    assert text.splitlines()[0].endswith("in wait")
    assert thread_stack(thread.ident) == ""
    assert thread_stack(None) == ""
