"""The watch over the event loop: who holds it up is named once, and nobody else ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router
from tinybeam.router import Endpoint
from tinybeam.server import loop_watch
from tinybeam.server.loop_watch import LoopWatch
from tinybeam.server.task_run import TaskRun

if TYPE_CHECKING:
    from tests.server.conftest import Until


class FakeLoop:
    """A loop that is what the test says."""

    def __init__(self) -> None:
        self.runs: dict[int, Any] = {}
        self.turn: int | None = None
        self.stack = "somewhere"
        self.looks = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "turn":
            self.looks += 1
        return object.__getattribute__(self, name)


class Running(TaskRun):
    runs_now = True  # type: ignore[assignment]


def run_of(handle: int, endpoint: Endpoint) -> Running:
    return Running(endpoint, Request(handle, "GET", "/"), (), lambda run, answer: None)


@pytest.fixture
def endpoints() -> tuple[Endpoint, ...]:
    async def handler(request: Request) -> None:
        """Never run."""

    router = Router()
    for path in ("/a", "/b"):
        router.get(path)(handler)
    return router.compile().endpoints[:2]


@pytest.fixture
def fake() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def watch(fake: FakeLoop, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopWatch]:
    monkeypatch.setattr(loop_watch, "SAMPLE_S", 0.001)
    monkeypatch.setattr(loop_watch, "HELD_UP_S", 0.05)
    made = LoopWatch(fake)
    made.start()
    yield made
    made.close()


@pytest.fixture
def words(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "tinybeam.server")
    return lambda: [record.getMessage().split(" (")[0] for record in caplog.records]


def test_each_route_is_named_once(
    watch: LoopWatch, fake: FakeLoop, endpoints: Any, words: Callable[[], list[str]], until: Until
) -> None:
    fake.turn = 7
    fake.runs = {1: run_of(1, endpoints[0])}
    watch.wake()
    until(lambda: words() == ["GET /a"])
    fake.runs = {2: run_of(2, endpoints[1])}
    until(lambda: words() == ["GET /a", "GET /b"])
    looks = fake.looks
    fake.runs = {3: run_of(3, endpoints[0])}
    until(lambda: fake.looks > looks + 100)
    assert words() == ["GET /a", "GET /b"]


def test_what_is_no_request_is_named_as_such(
    watch: LoopWatch, fake: FakeLoop, endpoints: Any, words: Callable[[], list[str]], until: Until
) -> None:
    fake.turn = 7
    fake.runs = {1: TaskRun(endpoints[0], Request(1, "GET", "/"), (), lambda run, answer: None)}
    watch.wake()
    until(lambda: [word[:22] for word in words()] == ["a task or a callback h"])


def test_a_loop_that_waits_or_gets_on_is_not_held_up(
    watch: LoopWatch, fake: FakeLoop, endpoints: Any, words: Callable[[], list[str]], until: Until
) -> None:
    fake.runs = {1: run_of(1, endpoints[0])}
    watch.wake()
    began_s = time.monotonic()
    until(lambda: fake.looks > 10 and time.monotonic() - began_s > 0.1)
    turn = 0
    while time.monotonic() - began_s < 0.2:
        turn += 1
        fake.turn = turn
    assert words() == []


def test_it_sleeps_while_no_request_runs_and_is_woken_by_the_next(
    watch: LoopWatch, fake: FakeLoop, endpoints: Any, words: Callable[[], list[str]], until: Until
) -> None:
    fake.turn = 7
    until(lambda: watch._asleep)
    looks = fake.looks
    fake.runs = {1: run_of(1, endpoints[0])}
    time.sleep(0.02)
    assert fake.looks == looks  # though there is something: nobody has told it
    watch.wake()
    until(lambda: words() == ["GET /a"])
    fake.runs = {}
    until(lambda: watch._asleep)


def test_a_watch_that_comes_late_itself_blames_nobody(
    watch: LoopWatch,
    fake: FakeLoop,
    endpoints: Any,
    words: Callable[[], list[str]],
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
) -> None:
    """As on a machine that is busy with other things: the loop's thread does not get on, nor does the watch's."""
    monkeypatch.setattr(loop_watch, "SAMPLE_S", 0.06)
    fake.turn = 7
    fake.runs = {1: run_of(1, endpoints[0])}
    watch.wake()
    until(lambda: fake.looks > 5)
    assert words() == []
