"""Names: who has which, and when it is free again."""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from tinybeam.process import (
    AlreadyStarted,
    GenServer,
    NoProcess,
    StartFailed,
    call,
    cast,
    exit,
    monitor,
    receive,
    register,
    registered,
    send,
    unregister,
    whereis,
)

PATIENCE_S = 30


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads give way to each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Named(GenServer):
    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return (state, message), state

    def handle_cast(self, message: Any, state: Any) -> Any:
        message.send("cast")
        return state

    def handle_info(self, message: Any, state: Any) -> Any:
        message.send("info")
        return state


def test_a_name_stands_for_its_process_in_calls_casts_and_sends(me: Any) -> None:
    one = Named.start(1, name="one")
    assert whereis("one") is one
    assert registered() == ["one"]
    assert call("one", "m") == (1, "m")
    cast("one", me)
    send("one", me)
    assert [receive(PATIENCE_S), receive(PATIENCE_S)] == ["cast", "info"]


def test_a_ref_is_a_destination_as_well(me: Any) -> None:
    one = Named.start(1)
    assert call(one, "m") == (1, "m")
    cast(one, me)
    send(one, me)
    assert [receive(PATIENCE_S), receive(PATIENCE_S)] == ["cast", "info"]


def test_a_name_that_nobody_has(me: Any) -> None:
    assert whereis("nobody") is None
    with pytest.raises(NoProcess, match="nobody"):
        call("nobody", "m")
    cast("nobody", "m")
    with pytest.raises(NoProcess):
        send("nobody", "m")
    with pytest.raises(NoProcess):
        unregister("nobody")


def test_a_name_is_taken_once() -> None:
    one = Named.start(name="one")
    with pytest.raises(AlreadyStarted) as raised:
        Named.start(name="one")
    assert raised.value.ref is one
    with pytest.raises(AlreadyStarted):
        register("one", Named.start())


def test_a_start_whose_name_is_taken_does_not_run_init(me: Any) -> None:
    class Telling(GenServer):
        def init(self) -> Any:
            me.send("init")

    Named.start(name="one")
    with pytest.raises(AlreadyStarted):
        Telling.start(name="one")
    me.send("last")
    assert receive(PATIENCE_S) == "last"


@pytest.mark.parametrize("end", [lambda one: one.stop(), lambda one: exit(one, "kill")])
def test_the_name_is_free_when_the_process_has_ended(end: Callable[[Any], None]) -> None:
    one = Named.start(name="one")
    end(one)
    assert whereis("one") is None
    assert registered() == []
    assert Named.start(name="one") is not one


def test_who_is_told_of_an_end_finds_the_name_free() -> None:
    for _ in range(50):
        one = Named.start(name="one")
        monitor(one)
        exit(one, "bye")
        receive(PATIENCE_S)
        Named.start(name="one").stop()


def test_the_name_is_free_when_init_has_failed() -> None:
    class Failing(GenServer):
        def init(self) -> Any:
            raise ValueError

    with pytest.raises(StartFailed):
        Failing.start(name="failing")
    assert registered() == []


def test_a_name_can_be_taken_away() -> None:
    one = Named.start(name="one")
    unregister("one")
    assert whereis("one") is None
    other = Named.start(name="one")
    one.stop()
    assert whereis("one") is other


def test_a_process_may_have_several_names_and_any_hashable_one() -> None:
    one = Named.start(name="one")
    register(("a", 2), one)
    assert whereis(("a", 2)) is one
    one.stop()
    assert registered() == []


def test_who_has_ended_cannot_be_named() -> None:
    one = Named.start()
    one.stop()
    with pytest.raises(NoProcess):
        register("one", one)
    assert registered() == []


def test_pykkas_registry_knows_the_named_ones_for_as_long_as_they_live() -> None:
    one = Named.start(name="one")
    register("second name", one)
    assert pykka.ActorRegistry.get_all() == [one]
    unregister("one")
    assert pykka.ActorRegistry.get_all() == [one]
    unregister("second name")
    assert pykka.ActorRegistry.get_all() == []
    register("third", one)
    exit(one, "kill")
    assert pykka.ActorRegistry.get_all() == []


def test_a_name_is_known_while_init_runs(gate: Any, threads: Any) -> None:
    class Slow(GenServer):
        def init(self) -> Any:
            gate.wait()
            return "ready"

        def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
            return state, state

    threads(lambda: Slow.start(name="slow"))
    gate.reached()
    threads(gate.open)
    assert call("slow", "m", PATIENCE_S) == "ready"


@pytest.mark.usefixtures("hasty")
def test_of_many_that_want_a_name_one_gets_it(threads: Callable[..., threading.Thread]) -> None:
    for _ in range(30):
        outcomes: list[str] = []
        barrier = threading.Barrier(4)

        def want(outcomes: list[str] = outcomes, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                Named.start(name="wanted")
                outcomes.append("got it")
            except AlreadyStarted:
                outcomes.append("too late")

        for thread in [threads(want) for _ in range(4)]:
            thread.join(PATIENCE_S)
        assert sorted(outcomes) == ["got it"] + ["too late"] * 3
        whereis("wanted").stop()


@pytest.mark.usefixtures("hasty")
def test_no_name_outlives_its_process_however_names_and_ends_meet(threads: Callable[..., threading.Thread]) -> None:
    for seed in range(200):
        rnd = random.Random(seed)
        one = Named.start()
        barrier = threading.Barrier(2)

        def name(one: Any = one, barrier: threading.Barrier = barrier, count: int = rnd.randrange(1, 4)) -> None:
            barrier.wait()
            for number in range(count):
                try:
                    register(("racing", number), one)
                except NoProcess:
                    return

        thread = threads(name)
        barrier.wait()
        exit(one, "kill")
        thread.join(PATIENCE_S)
        assert registered() == []
        assert pykka.ActorRegistry.get_all() == []
