"""One stream as its producer sees it: what is gathered, what more is wanted, and engines without memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tinybeam import Request, Response, Router, contract
from tinybeam.http import KIND_ASK, KIND_CUT, KIND_END, KIND_LAST, KIND_PART
from tinybeam.process import this_thread
from tinybeam.server.outbox import Outbox
from tinybeam.server.stream import WINDOW_BYTES, WINDOW_BYTES_MAX, Stream


class Office:
    """An engine that notes what it is given and says what it is told to, and all else that a stream needs."""

    access_log = False

    def __init__(self) -> None:
        self.engine: Any = self
        self.pushed: list[tuple[int, bytes]] = []
        self.code = contract.OK
        self.forgotten: list[int] = []

    def push(self, _handle: int, kind: int, octets: bytes) -> int:
        self.pushed.append((kind, octets))
        return self.code

    def forget(self, handle: int) -> None:
        self.forgotten.append(handle)


class Runner:
    """Whose thread this is."""

    taken = False

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.outbox = Outbox()

    def let_go(self) -> None:
        """It does not wait."""

    def visitor(self) -> None:
        """It runs no request."""


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def stream(office: Office) -> Stream:
    router = Router()
    router.get("/")(lambda request: None)
    return Stream(office, Request(7, "GET", "/"), router.compile().endpoints[0], Response.stream([]))


@pytest.fixture
def runner(office: Office) -> Iterator[Runner]:
    """This thread is a runner's."""
    here = this_thread()
    outer, here.runner = here.runner, Runner(office)
    yield here.runner
    here.runner = outer


def turn(stream: Stream, credit: int, *parts: Any) -> int:
    stream.begin()
    for part in parts:
        credit = stream.put(part, credit)
    return stream.flush(credit)


def test_what_a_runner_gathers_in_a_turn_goes_together(stream: Stream, office: Office, runner: Runner) -> None:
    assert turn(stream, 100, "one ", b"", bytearray(b"two")) == 93
    assert office.pushed == [(KIND_PART, b"one two")]
    assert turn(stream, 93) == 93
    assert len(office.pushed) == 1


def test_in_another_thread_each_part_goes_at_once(stream: Stream, office: Office) -> None:
    assert turn(stream, 6, "one", "two") == 0
    assert office.pushed == [(KIND_PART, b"one"), (KIND_ASK, b"two")]


def test_in_a_runner_that_was_taken_each_part_goes_at_once(stream: Stream, office: Office, runner: Runner) -> None:
    runner.taken = True
    assert turn(stream, 6, "one", "two") == 0
    assert office.pushed == [(KIND_PART, b"one"), (KIND_PART, b"two"), (KIND_ASK, b"")]


@pytest.mark.parametrize(
    ("room", "credit"),
    [
        (0, 0),
        (1, WINDOW_BYTES),
        (WINDOW_BYTES + 1, WINDOW_BYTES + 1),
        (WINDOW_BYTES_MAX * 2, WINDOW_BYTES_MAX),
        (contract.EBADHANDLE, 0),
    ],
)
def test_the_credit_is_what_the_socket_takes_at_once_within_bounds(
    stream: Stream, office: Office, runner: Runner, room: int, credit: int
) -> None:
    office.code = room
    assert turn(stream, 3, "four") == credit
    assert office.pushed == [(KIND_ASK, b"four")]


def test_the_end_comes_with_the_last_parts_where_there_are_some(stream: Stream, office: Office, runner: Runner) -> None:
    stream.begin()
    stream.put("one ", 100)
    stream.put("two", 96)
    stream.done()
    assert office.pushed == [(KIND_LAST, b"one two")]
    assert office.forgotten == [7]
    stream.done()
    stream.broken(None)
    assert len(office.pushed) == 1


def test_the_end_comes_by_itself_where_there_are_none(stream: Stream, office: Office) -> None:
    stream.done()
    assert office.pushed == [(KIND_END, b"")]


def test_what_was_gathered_by_one_that_was_ended_by_others_is_dropped(
    stream: Stream, office: Office, runner: Runner
) -> None:
    stream.begin()
    stream.put("one", 100)
    stream.broken(None)
    assert stream.put("two", 97) == 0
    assert stream.flush(0) == 0
    assert office.pushed == [(KIND_CUT, b"")]


def test_an_end_that_there_is_no_memory_for_is_none(
    stream: Stream, office: Office, runner: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    stream.begin()
    stream.put("one", 100)
    office.code = contract.ENOMEM
    stream.done()
    assert office.pushed == [(KIND_LAST, b"one"), (KIND_CUT, b"")]
    assert "no memory for a part" in caplog.text


def test_parts_that_there_is_no_memory_for_break_the_answer_off(stream: Stream, office: Office, runner: Runner) -> None:
    stream.begin()
    credit = stream.put("one", 100)
    office.code = contract.ENOMEM
    with pytest.raises(MemoryError) as caught:
        stream.flush(credit)
    stream.broken(caught.value)
    assert office.pushed == [(KIND_PART, b"one"), (KIND_CUT, b"")]
