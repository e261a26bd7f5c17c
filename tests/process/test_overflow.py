"""What becomes of a message when as many wait as may."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.process import CallTimeout, GenServer, MailboxFull, ProcessExited, exit

PATIENCE_S = 30
HOLD = object()


class Noting(GenServer):
    """Keeps what it was sent; HOLD waits at the gate."""

    def init(self, gate: Any) -> Any:
        self.gate = gate
        return []

    def handle_call(self, message: Any, from_: Any, seen: Any) -> Any:
        return list(seen), seen

    def handle_cast(self, message: Any, seen: Any) -> Any:
        if message is HOLD:
            self.gate.wait()
            return seen
        return [*seen, message]

    handle_info = handle_cast


@pytest.fixture
def held(gate: Any) -> Callable[..., Any]:
    """Starts a process that is in the middle of a message."""

    def start(maximum: int, policy: str) -> Any:
        class Bounded(Noting):
            mailbox_max = maximum
            overflow = policy  # type: ignore[assignment]

        server = Bounded.start(gate)
        # Past the bound, since with none there would be no way in.
        server._process._post((1, HOLD, None))
        gate.reached()
        return server

    return start


@pytest.mark.parametrize("maximum", [1, 2, 5, 40])
def test_one_more_than_may_wait_is_refused(held: Any, gate: Any, maximum: int) -> None:
    server = held(maximum, "refuse")
    for number in range(maximum):
        server.cast(number)
    for say in (server.cast, server.send, server.tell, server.ask, lambda m: server.call(m, 0.5)):
        with pytest.raises(MailboxFull, match=f"{maximum} messages"):
            say("one more")
    gate.open()
    assert _settled(server) == list(range(maximum))


@pytest.mark.parametrize("maximum", [0, 1, 2, 5, 40])
def test_the_oldest_goes(held: Any, gate: Any, maximum: int) -> None:
    server = held(maximum, "drop_oldest")
    for number in range(100):
        (server.cast if number % 2 else server.send)(number)
    gate.open()
    assert _settled(server) == list(range(100 - maximum, 100))


@pytest.mark.parametrize("maximum", [0, 1, 2, 5, 40])
def test_the_newest_goes(held: Any, gate: Any, maximum: int) -> None:
    server = held(maximum, "drop_newest")
    for number in range(100):
        (server.cast if number % 2 else server.send)(number)
    gate.open()
    assert _settled(server) == list(range(maximum))


def _settled(server: Any) -> Any:
    """What a server has seen that takes no calls while something waits."""
    while True:
        try:
            return server.call("", PATIENCE_S)
        except MailboxFull:
            pass


@pytest.mark.parametrize("policy", ["refuse", "drop_oldest", "drop_newest"])
def test_a_call_is_never_dropped_but_refused(held: Any, gate: Any, policy: str) -> None:
    server = held(1, policy)
    server.cast(1)
    with pytest.raises(MailboxFull):
        server.call("", 5.0)
    gate.open()
    assert _settled(server) == [1]


def test_a_call_that_waits_is_not_dropped_for_a_newer_message(held: Any, gate: Any, threads: Any, until: Any) -> None:
    server = held(2, "drop_oldest")
    answers: list[Any] = []
    threads(lambda: answers.append(server.call("", PATIENCE_S)))
    until(lambda: len(server._process._box) == 1)
    for number in range(10):
        server.cast(number)
    gate.open()
    until(lambda: answers)
    assert answers == [[]]
    assert _settled(server) == [9]


def test_with_no_room_at_all_an_idle_process_takes_calls(gate: Any) -> None:
    class None_(Noting):  # noqa: N801
        mailbox_max = 0

    server = None_.start(gate)
    assert server.call("") == []
    assert server.call("", 0.9) == []  # handled in another thread
    with pytest.raises(MailboxFull):
        server.cast("x")


def test_with_no_room_at_all_a_busy_process_refuses_calls(held: Any, gate: Any) -> None:
    server = held(0, "refuse")
    for timeout in (5.0, 0.9):
        with pytest.raises(MailboxFull):
            server.call("", timeout)
    gate.open()


def test_the_bound_does_not_keep_a_process_from_being_ended(held: Any, gate: Any) -> None:
    server = held(1, "refuse")
    server.cast(1)
    stopped = server.stop(block=False)
    gate.open()
    assert stopped.get(timeout=PATIENCE_S) is True
    server = held(0, "refuse")
    exit(server, "kill")
    assert not server.is_alive()


def test_there_is_room_again_when_messages_were_handled(held: Any, gate: Any) -> None:
    server = held(3, "refuse")
    for number in range(3):
        server.cast(number)
    gate.open()
    _settled(server)
    for number in range(3, 6):
        server.cast(number)
        _settled(server)
    assert _settled(server) == list(range(6))


def test_messages_whose_operators_are_wrong_are_dropped_nevertheless(held: Any, gate: Any) -> None:
    class Odd:
        def __eq__(self, other: object) -> bool:
            raise AssertionError("nobody asked for ==")

        __hash__ = None  # type: ignore[assignment]

    server = held(2, "drop_oldest")
    for _ in range(5):
        server.send(Odd())
    last = object()
    server.send(last)
    gate.open()
    assert _settled(server)[-1] is last


@pytest.fixture
def hasty() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("seed", range(4))
def test_to_drop_the_oldest_loses_no_call(threads: Callable[..., threading.Thread], gate: Any, seed: int) -> None:
    class Bounded(Noting):
        mailbox_max = 24
        overflow = "drop_oldest"

        def handle_cast(self, message: Any, seen: Any) -> Any:
            return seen

    server = Bounded.start(gate)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        rnd = random.Random(seed * 10 + number)
        try:
            for index in range(1500):
                if rnd.random() < 0.2:
                    with contextlib.suppress(MailboxFull):
                        server.call("", 0.99)
                else:
                    server.cast(index)
        except (CallTimeout, ProcessExited) as error:
            failures.append(error)

    for thread in [threads(work, number) for number in range(4)]:
        thread.join(PATIENCE_S)
    assert failures == []
    assert server.is_alive()
