"""Ends of a registry and of those who are in it: nobody is found who has ended, and nothing is left behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.process.agents import inside, next_message
from tests.process.supervised import Start
from tinybeam.process import (
    Down,
    Exit,
    NoProcess,
    ProcessExited,
    bonds,
    exit,
    monitor,
    self_ref,
)
from tinybeam.process.agent import Agent
from tinybeam.process.registry import Registry

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


@pytest.fixture
def start(starts: Start) -> Start:
    """Starts any process here, not only supervisors."""
    return starts


# The ends of owners.


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_who_is_told_of_an_end_finds_no_entry_of_it(start: Start, keys: Any) -> None:
    registry = start(Registry.start, keys=keys)
    for _ in range(50):
        person = start(Agent.start, dict)
        inside(person, Registry.register, registry, "ann")
        monitor(person)
        threading.Thread(target=exit, args=(person, "kill")).start()
        assert next_message(Down).process is person
        assert Registry.lookup(registry, "ann") == []
        assert Registry.count(registry) == 0


@pytest.fixture
def dying(start: Start, gate: Any) -> Iterator[Callable[..., Any]]:
    """Gives a process that is dead, though its registrations have not been removed yet."""
    threads: list[threading.Thread] = []

    def make(registry: Any, key: str) -> Any:
        person = start(Agent.start, dict)
        with bonds.lock:
            bonds.bonds_of(person._process).on_end.append(lambda _ref: gate.wait())
        inside(person, Registry.register, registry, key)
        threads.append(threading.Thread(target=exit, args=(person, "kill")))
        threads[-1].start()
        gate.reached()
        return person

    yield make
    gate.open()
    for thread in threads:
        thread.join(PATIENCE_S)


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_one_that_is_just_ending_is_not_shown(start: Start, dying: Any, keys: Any) -> None:
    registry = start(Registry.start, keys=keys)
    person = dying(registry, "ann")
    monitor(person)
    assert next_message(Down).reason == "noproc"
    assert Registry.lookup(registry, "ann") == []
    assert Registry.count(registry) == 0
    if keys == "unique":
        assert Registry.via(registry, "ann").whereis_name() is None


def test_one_that_is_just_ending_keeps_nobody_off(start: Start, dying: Any, gate: Any) -> None:
    registry = start(Registry.start, keys="unique")
    person = dying(registry, "ann")
    monitor(person)
    Registry.register(registry, "ann", "mine")
    gate.open()
    next_message(Down)
    # The end of the former holder takes nothing away from the new one.
    assert Registry.lookup(registry, "ann") == [(self_ref(), "mine")]
    assert Registry.keys(registry, person) == []
    Registry.unregister(registry, "ann")


def test_nobody_registers_who_has_ended(start: Start, unique: Any, gate: Any) -> None:
    person = start(Agent.start, dict)
    outcomes: list[Any] = []
    told: list[Any] = []

    def register_late(_: Any) -> Any:
        gate.wait()
        try:
            Registry.register(unique, "ann")
        except NoProcess as error:
            outcomes.append(error)
        else:
            outcomes.append("registered")

    def ask() -> None:
        try:
            Agent.get(person, register_late)
        except ProcessExited as error:
            told.append(error.reason)

    thread = threading.Thread(target=ask)
    thread.start()
    gate.reached()
    exit(person, "kill")
    gate.open()
    thread.join(PATIENCE_S)
    assert told == ["killed"]
    assert [type(outcome) for outcome in outcomes] == [NoProcess]
    assert Registry.count(unique) == 0


def test_a_thousand_processes_that_register_while_they_are_killed_leave_nothing(start: Start, unique: Any) -> None:
    dice = random.Random(4)
    for seed in range(1000):
        person = start(Agent.start, dict)
        ready = threading.Barrier(2)
        delays = [dice.randrange(40), dice.randrange(40)]

        def register(person: Any = person, ready: Any = ready, spins: int = delays[0], seed: int = seed) -> None:
            ready.wait(PATIENCE_S)
            for _ in range(spins):
                pass
            for key in (seed, "common"):
                try:
                    inside(person, Registry.register, unique, key)
                except NoProcess:
                    return
                except Exception as error:  # noqa: BLE001 - it was killed in the middle
                    assert getattr(error, "reason", None) in ("killed", "noproc"), error  # noqa: PT017

        thread = threading.Thread(target=register)
        thread.start()
        ready.wait(PATIENCE_S)
        for _ in range(delays[1]):
            pass
        exit(person, "kill")
        assert Registry.lookup(unique, "common") == []
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        assert Registry.keys(unique, person) == []
    table = unique._process._table
    assert (table._owned, table._by_key, unique._process._bonds.links) == ({}, {}, {})


# The end of the registry.


def test_without_a_registry_there_is_nothing_to_ask(start: Start) -> None:
    registry = start(Registry.start)
    registry.stop()
    for gone in (registry, "nobody's"):
        for function in (Registry.lookup, Registry.register, Registry.unregister, Registry.meta):
            with pytest.raises(NoProcess, match="there is no registry"):
                function(gone, "ann")


def test_when_a_registry_fails_its_owners_fail_with_it(start: Start, unique: Any) -> None:
    person, former, stranger = (start(Agent.start, dict) for _ in range(3))
    for one in (person, former):
        inside(one, Registry.register, unique, one)
    inside(former, Registry.unregister, unique, former)
    Registry.register(unique, "me")
    monitor(person)
    exit(unique, "kill")
    assert next_message(Down)[1:] == (person, "killed")
    assert next_message(Exit) == (unique, "killed")
    assert former.is_alive()
    assert stranger.is_alive()


def test_a_registry_is_not_troubled_by_the_ends_of_its_owners(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, unique, "ann")
    exit(person, RuntimeError("boom"))
    person.stop()
    assert unique.is_alive()
    assert unique._process._bonds.links == {}


def test_a_registry_that_has_ended_is_not_kept_by_those_who_live_on(start: Start) -> None:
    registry = start(Registry.start)
    Registry.register(registry, "me")
    hooks = self_ref()._process._bonds.on_end
    assert len(hooks) == 1
    registry.stop()
    assert hooks == []
    assert next_message(Exit) == (registry, "normal")


def test_registering_and_giving_back_leaves_nothing_with_the_owner(start: Start, unique: Any) -> None:
    for _ in range(3):
        Registry.register(unique, "me")
        Registry.unregister(unique, "me")
    assert bonds.bonds_of(self_ref()._process).on_end == []
