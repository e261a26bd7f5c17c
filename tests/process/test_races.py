"""Everything at once, in as many orders as threads can be made to take: nothing is lost, run twice, or left hanging.

Each run has a seed. The orders themselves are the operating system's, so a run that fails may have to be repeated.
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.errors import ProcessError
from tinybeam.process import (
    CallTimeout,
    GenServer,
    NoReply,
    ReceiveTimeout,
    bonds,
    exit,
    link,
    receive,
    reply,
    unlink,
)
from tinybeam.process.introspection import resume, suspend

PATIENCE_S = 30
ROUNDS = 1500


@pytest.fixture(autouse=True)
def hasty() -> Iterator[None]:
    """Threads give way to each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Watchful(GenServer):
    """Would notice two threads in itself, and messages of one sender in a wrong order."""

    def init(self) -> Any:
        self.inside = False
        return {}

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        self._enter()
        match message:
            case "later":
                self.actor_ref.cast(("reply", from_))
                self.inside = False
                return NoReply(state)
            case "crash":
                self.inside = False
                raise ValueError
        self.inside = False
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        self._enter()
        match message:
            case ("reply", from_):
                reply(from_, "later")
            case ("number", sender, number):
                assert state.get(sender, -1) < number, "out of order"
                state[sender] = number
        self.inside = False
        return state

    def handle_info(self, message: Any, state: Any) -> Any:
        return state

    def _enter(self) -> None:
        assert not self.inside, "two messages at a time"
        self.inside = True


class Dropping(Watchful):
    mailbox_max = 20
    overflow = "drop_oldest"


class Refusing(Watchful):
    mailbox_max = 3


class Receiving(Watchful):
    def handle_info(self, message: Any, state: Any) -> Any:
        with contextlib.suppress(ReceiveTimeout):
            receive(0.001, want=lambda message: message == "info")
        return state


class Stress:
    """Some processes, and threads that do everything to them."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.kinds = (Watchful, Dropping, Refusing, Receiving, Watchful)
        self.refs: list[Any] = [kind.start() for kind in self.kinds]
        self.lock = threading.Lock()
        self.failures: list[Any] = []

    def work(self, number: int) -> None:
        rnd = random.Random(self.seed * 1000 + number)
        for index in range(ROUNDS):
            which = rnd.randrange(len(self.refs))
            ref = self.refs[which]
            try:
                self._do(rnd, ref, (number, index))
            except CallTimeout as error:
                self.failures.append(error)
                return
            except (ProcessError, ValueError):
                pass
            if not ref.is_alive():
                with self.lock:
                    if self.refs[which] is ref:
                        self.refs[which] = ref.actor_class.start()

    def _do(self, rnd: random.Random, ref: Any, mark: tuple[int, int]) -> None:
        match rnd.randrange(14):
            case 0 | 1:
                assert ref.call(mark, PATIENCE_S) == mark
            case 2:
                assert ref.call(mark, 0.999 * PATIENCE_S if rnd.random() < 0.5 else None) == mark
            case 3 if ref.actor_class is not Dropping:
                assert ref.call("later", PATIENCE_S) == "later"
            case 4:
                assert ref.ask(mark, timeout=PATIENCE_S) == mark
            case 5:
                assert ref.ask(mark, block=False).get(timeout=PATIENCE_S) == mark
            case 6 | 7:
                ref.cast(("number", (mark[0], ref), mark[1]))
            case 8:
                for part in range(30):
                    ref.cast(("number", (mark[0], ref), mark[1] + part / 100))
            case 9:
                ref.send("info")
            case 10:
                link(ref)
                unlink(ref)
            case 11 if rnd.random() < 0.2:
                suspend(ref, PATIENCE_S)
                resume(ref, PATIENCE_S)
            case 12 if rnd.random() < 0.1:
                rnd.choice((lambda: ref.stop(timeout=PATIENCE_S), lambda: ref.call("crash", PATIENCE_S)))()
            case 13 if rnd.random() < 0.1:
                exit(ref, rnd.choice(("kill", "bye", "normal")))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_everybody_is_answered_or_told(
    seed: int, threads: Callable[..., threading.Thread], until: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "tinybeam.process")  # the crashes here are meant
    stress = Stress(seed)
    for thread in [threads(stress.work, number) for number in range(5)]:
        thread.join(PATIENCE_S * 4)
    assert stress.failures == []
    for ref in stress.refs:
        process = ref._process
        if process is not None:
            until(lambda process=process: process._dead or not (process._box or process._batch))
        ref.stop(timeout=PATIENCE_S)
    assert not any(isinstance(one, Watchful) for one in list(bonds.processes))


@pytest.mark.parametrize("seed", range(4))
def test_no_cast_is_lost_while_a_process_falls_idle_again_and_again(
    seed: int, threads: Callable[..., threading.Thread], until: Any
) -> None:
    class Counting(GenServer):
        def init(self) -> Any:
            return 0

        def handle_cast(self, message: Any, count: Any) -> Any:
            return count + 1

        def handle_call(self, message: Any, from_: Any, count: Any) -> Any:
            return count, count

    servers = [Counting.start() for _ in range(3)]
    each = 1500

    def work(number: int) -> None:
        rnd = random.Random(seed * 10 + number)
        for _ in range(each):
            rnd.choice(servers).cast("")
            if rnd.random() < 0.1:
                rnd.choice(servers).call("", PATIENCE_S)

    for thread in [threads(work, number) for number in range(4)]:
        thread.join(PATIENCE_S * 2)
    # Nobody calls them here, which would handle what waits: they must come to it by themselves.
    until(lambda: not any(server._process._box or server._process._batch for server in servers))
    assert sum(server.call("") for server in servers) == 4 * each


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_between_two_messages_stops_nobody_else(seed: int, threads: Callable[..., threading.Thread]) -> None:
    """Who ends a process empties its mailbox, while another thread may be about to take a message out of it."""
    rnd = random.Random(seed)
    bystander = Watchful.start()
    for _ in range(150):
        ref = Watchful.start()

        def flood(ref: Any = ref) -> None:
            for number in range(40):
                ref.cast(("number", 0, number))

        thread = threads(flood)
        for _ in range(rnd.randrange(40)):
            ref.cast("x")
        exit(ref, "kill")
        thread.join(PATIENCE_S)
    bystander.cast("x")
    assert bystander.call("y", 0.99) == "y"


@pytest.mark.parametrize("seed", range(3))
def test_messages_that_come_as_a_receive_ends_are_handled(
    seed: int, threads: Callable[..., threading.Thread], me: Any
) -> None:
    class Brief(GenServer):
        def handle_cast(self, message: Any, state: Any) -> Any:
            try:
                receive(0.0005, want=lambda _: False)
            except ReceiveTimeout:
                me.send(message)
            return state

    server = Brief.start()

    def work(number: int) -> None:
        for index in range(100):
            server.cast((number, index))

    for number in range(3):
        threads(work, number)
    came = [receive(PATIENCE_S) for _ in range(300)]
    for number in range(3):
        assert [index for sender, index in came if sender == number] == list(range(100))
