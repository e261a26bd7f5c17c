"""The event loop by itself: how requests come to it, and how answers leave it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router
from tinybeam.http import Answer
from tinybeam.router import Endpoint
from tinybeam.server.loop import EventLoop

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Until

PATIENCE_S = 30

Answers = SimpleQueue[list[Answer]]


@pytest.fixture
def answers() -> Answers:
    return SimpleQueue()


@pytest.fixture
def loop(answers: Answers) -> Iterator[EventLoop]:
    made = EventLoop(answers.put)
    made.start()
    yield made
    made.close()
    made._thread.join(PATIENCE_S)
    assert not made._thread.is_alive()


def endpoint(handler: Callable[..., object]) -> Endpoint:
    router = Router()
    router.get("/")(handler)
    return router.compile().endpoints[0]


def request(handle: int) -> Request:
    return Request(handle, "GET", "/")


async def index(request: Request) -> str:
    return "yay"


def test_what_was_dealt_in_one_turn_is_answered_in_one(loop: EventLoop, answers: Answers, gate: Gate) -> None:
    async def block(request: Request) -> str:
        gate.wait()
        return "done"

    loop.deal(endpoint(block), request(1), ())
    gate.reached()
    for handle in range(2, 12):
        loop.deal(endpoint(index), request(handle), ())
    gate.open()
    assert answers.get(timeout=PATIENCE_S) == [(1, 1, "done")]
    assert answers.get(timeout=PATIENCE_S) == [(handle, 1, "yay") for handle in range(2, 12)]
    assert loop.runs == {}


def test_nothing_is_lost_among_many_threads_that_deal(loop: EventLoop, answers: Answers) -> None:
    def deal(first: int) -> None:
        for handle in range(first, first + 500):
            loop.deal(endpoint_, request(handle), ())

    endpoint_ = endpoint(index)
    threads = [threading.Thread(target=deal, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    seen: list[int] = []
    while len(seen) < 1500:
        seen += [one[0] for one in answers.get(timeout=PATIENCE_S)]
    for thread in threads:
        thread.join()
    assert sorted(seen) == [*range(500), *range(1000, 1500), *range(2000, 2500)]


def test_one_that_is_cancelled_before_it_has_begun_never_does(loop: EventLoop, answers: Answers, gate: Gate) -> None:
    ran: list[int] = []

    async def block(request: Request) -> str:
        gate.wait()
        return "done"

    async def note(request: Request) -> str:
        ran.append(request.handle)
        return "noted"

    loop.deal(endpoint(block), request(1), ())
    gate.reached()
    for handle in (2, 3):
        loop.deal(endpoint(note), request(handle), ())
    loop.cancel(loop.runs[2])
    gate.open()
    found = [answers.get(timeout=PATIENCE_S), answers.get(timeout=PATIENCE_S)]
    assert [[one[0] for one in batch] for batch in found] == [[1], [3]]
    assert ran == [3]
    assert loop.runs == {}


def test_who_stops_the_loop_stops_nothing(loop: EventLoop, answers: Answers) -> None:
    async def stop(request: Request) -> str:
        asyncio.get_running_loop().stop()
        return "stopped?"

    for handle in (1, 2):
        loop.deal(endpoint(stop), request(handle), ())
        assert answers.get(timeout=PATIENCE_S)[0][0] == handle


def test_a_request_that_comes_after_the_end_is_dropped_and_a_second_end_is_none(
    loop: EventLoop, answers: Answers
) -> None:
    for _ in range(2):
        loop.close()
    assert not loop._thread.is_alive()
    loop.deal(endpoint(index), request(1), ())
    assert answers.empty()


def test_what_is_dealt_before_the_end_and_not_begun_is_dropped(loop: EventLoop, answers: Answers, gate: Gate) -> None:
    ran: list[int] = []

    async def block(request: Request) -> str:
        gate.wait()
        return "done"

    async def note(request: Request) -> None:
        ran.append(request.handle)

    loop.deal(endpoint(block), request(1), ())
    gate.reached()
    loop.deal(endpoint(note), request(2), ())
    ending = threading.Thread(target=loop.close)
    ending.start()
    while not loop._closed:
        ending.join(0.001)
    gate.open()
    ending.join(PATIENCE_S)
    assert answers.get(timeout=PATIENCE_S) == [(1, 1, "done")]
    assert (ran, loop.runs) == ([], {})


def test_what_is_dealt_while_the_tasks_come_to_their_ends_is_dropped(
    loop: EventLoop, answers: Answers, gate: Gate
) -> None:
    ran: list[int] = []

    async def slow_end(request: Request) -> None:
        ran.append(request.handle)
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            await asyncio.to_thread(gate.wait)

    loop.deal(endpoint(slow_end), request(1), ())
    while not ran:
        threading.Event().wait(0.001)
    ending = threading.Thread(target=loop.close)
    ending.start()
    gate.reached()
    loop.deal(endpoint(slow_end), request(2), ())
    gate.open()
    ending.join(PATIENCE_S)
    assert (ran, loop.runs) == ([1], {})


def test_an_exit_at_the_end_of_one_task_disturbs_no_other_at_its_own(loop: EventLoop, answers: Answers) -> None:
    told: list[str] = []

    async def leave() -> None:
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            raise SystemExit

    async def slow_end(request: Request) -> None:
        told.append("begun")
        leaving = asyncio.create_task(leave())
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            await asyncio.wait([leaving])
            await asyncio.sleep(0.01)
            told.append("ended")

    loop.deal(endpoint(slow_end), request(1), ())
    while not told:
        threading.Event().wait(0.001)
    loop.close()
    assert told == ["begun", "ended"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_loop_whose_threads_cannot_be_had_says_so_and_leaves_nothing(
    which: int, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, started = threading.Thread.start, []

    def refuse(self: threading.Thread) -> None:
        if len(started) == which:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    loop = EventLoop(answers.put)
    with pytest.raises(RuntimeError):
        loop.start()
    loop.close()
    assert [thread.is_alive() for thread in started] == [False] * which
    assert loop._loop.is_closed()


def test_an_async_generator_that_is_left_open_is_closed_at_the_end(loop: EventLoop, answers: Answers) -> None:
    told: list[str] = []
    kept: list[Any] = []

    async def numbers() -> Any:
        try:
            yield 1
            yield 2
        finally:
            told.append("closed")

    async def first(request: Request) -> object:
        generator = numbers()
        kept.append(generator)
        return [await anext(generator)]

    loop.deal(endpoint(first), request(1), ())
    assert answers.get(timeout=PATIENCE_S) == [(1, 2, b"[1]")]
    loop.close()
    assert told == ["closed"]


def test_a_respond_that_raises_costs_nobody_else_anything(until: Until) -> None:
    given: list[Any] = []

    def respond(batch: list[Answer]) -> None:
        given.append(batch)
        if len(given) == 1:
            raise ValueError("scripted")

    loop = EventLoop(respond)
    loop.start()
    for handle in (1, 2):
        loop.deal(endpoint(index), request(handle), ())
        until(lambda: len(given) == handle)  # noqa: B023
    loop.close()
