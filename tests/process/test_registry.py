"""Registry: who is under which key, who is told of it, and names that it gives."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.process.agents import inside, next_message
from tests.process.supervised import Start
from tinybeam.errors import ConfigError
from tinybeam.process import (
    AlreadyStarted,
    Exit,
    GenServer,
    NoProcess,
    StartFailed,
    call,
    cast,
    exit,
    self_ref,
    send,
    unregister,
    whereis,
)
from tinybeam.process.agent import Agent
from tinybeam.process.childspec import ChildSpec
from tinybeam.process.registry import Registry, Via
from tinybeam.process.supervisor import Supervisor

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("empty_mailbox")


class Listener(GenServer):
    """Takes nobody's messages, but for the registry's."""

    mailbox_max = 0

    def init(self, told: Any) -> Any:
        return told

    def handle_info(self, message: Any, told: Any) -> Any:
        told.send(message)
        return told


@pytest.fixture
def start(starts: Start) -> Start:
    """Starts any process here, not only supervisors."""
    return starts


@pytest.fixture
def duplicate(start: Start) -> Any:
    return start(Registry.start, keys="duplicate", name="duplicate")


# Unique keys.


def test_a_process_is_found_under_its_key_until_it_ends(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, "unique", "ann", 42)
    assert Registry.lookup("unique", "ann") == Registry.lookup(unique, "ann") == [(person, 42)]
    person.stop()
    assert Registry.lookup("unique", "ann") == []
    assert Registry.count("unique") == 0


def test_a_unique_key_belongs_to_one_process(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, unique, "ann")
    with pytest.raises(AlreadyStarted, match="the key ann is Agent") as raised:
        Registry.register(unique, "ann")
    assert raised.value.ref is person
    assert Registry.lookup(unique, "ann") == [(person, None)]


def test_a_key_that_was_given_back_is_free(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, unique, "ann")
    inside(person, Registry.unregister, unique, "ann")
    Registry.register(unique, "ann")
    assert Registry.lookup(unique, "ann") == [(self_ref(), None)]
    Registry.unregister(unique, "ann")


def test_nobody_takes_away_what_is_another_s(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, unique, "ann")
    Registry.unregister(unique, "ann")
    Registry.unregister(unique, "nobody's")
    assert Registry.lookup(unique, "ann") == [(person, None)]


def test_only_the_owner_updates_its_value(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    inside(person, Registry.register, unique, "ann", 1)
    assert inside(person, Registry.update_value, unique, "ann", lambda old: old + 1) == (2, 1)
    assert Registry.lookup(unique, "ann") == [(person, 2)]
    assert Registry.update_value(unique, "ann", lambda old: old + 1) is None
    assert Registry.update_value(unique, "nobody's", lambda old: old + 1) is None


# Duplicate keys.


def test_a_duplicate_key_has_all_who_are_under_it_in_their_order(start: Start, duplicate: Any) -> None:
    people = [start(Agent.start, dict) for _ in range(3)]
    for number, person in enumerate([*people, people[0]]):
        inside(person, Registry.register, duplicate, "room", number)
    assert Registry.lookup(duplicate, "room") == [(people[0], 0), (people[1], 1), (people[2], 2), (people[0], 3)]
    assert Registry.values(duplicate, "room", people[0]) == [0, 3]
    assert Registry.keys(duplicate, people[0]) == ["room", "room"]
    inside(people[0], Registry.unregister, duplicate, "room")
    assert Registry.lookup(duplicate, "room") == [(people[1], 1), (people[2], 2)]
    assert Registry.keys(duplicate, people[0]) == []


def test_a_duplicate_registry_has_no_values_to_update_and_no_names(start: Start, duplicate: Any) -> None:
    Registry.register(duplicate, "room", 1)
    with pytest.raises(ValueError, match="duplicate keys"):
        Registry.update_value(duplicate, "room", lambda old: old)
    with pytest.raises(ValueError, match="duplicate keys"):
        Registry.via(duplicate, "room").register_name(self_ref())
    with pytest.raises(ValueError, match="duplicate keys"):
        Registry.via(duplicate, "room").whereis_name()
    Registry.unregister(duplicate, "room")


def test_who_comes_and_goes_meanwhile_disturbs_no_look_up(duplicate: Any) -> None:
    for number in range(500):
        Registry.register(duplicate, "room", number)
    over = threading.Event()

    def come_and_go() -> None:
        while not over.is_set():
            Registry.register(duplicate, "room", "guest")
            Registry.unregister(duplicate, "room")

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        steady = [value for ref, value in Registry.lookup(duplicate, "room") if ref is self_ref()]
        assert steady == list(range(500))
    over.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    Registry.unregister(duplicate, "room")


# Reading.


def test_entries_are_counted_matched_and_selected(start: Start, duplicate: Any) -> None:
    one, other = start(Agent.start, dict), start(Agent.start, dict)
    inside(one, Registry.register, duplicate, "room", 1)
    inside(one, Registry.register, duplicate, "hall", 2)
    inside(other, Registry.register, duplicate, "room", 3)
    assert Registry.count(duplicate) == 3
    assert Registry.keys(duplicate, one) == ["room", "hall"]
    assert Registry.match(duplicate, "room", lambda value: value > 1) == [(other, 3)]
    rows = Registry.select(duplicate, lambda key, ref, value: key == "room" or ref is one)
    assert sorted(rows, key=lambda row: row[2]) == [("room", one, 1), ("hall", one, 2), ("room", other, 3)]
    exit(one, "kill")
    assert Registry.select(duplicate, lambda *_: True) == [("room", other, 3)]


def test_dispatch_runs_in_the_process_that_calls_it_and_only_if_anybody_is_there(start: Start, unique: Any) -> None:
    person = start(Agent.start, dict)
    calls: list[Any] = []
    Registry.dispatch(unique, "ann", lambda entries: calls.append((self_ref(), entries)))
    assert calls == []
    inside(person, Registry.register, unique, "ann", 1)
    Registry.dispatch(unique, "ann", lambda entries: calls.append((self_ref(), entries)))
    assert calls == [(self_ref(), [(person, 1)])]


def test_a_registry_keeps_notes(unique: Any) -> None:
    assert Registry.meta(unique, "colour") is None
    assert Registry.meta(unique, "colour", "green") == "green"
    Registry.put_meta(unique, "colour", "red")
    assert Registry.meta("unique", "colour") == "red"
    Registry.delete_meta(unique, "colour")
    Registry.delete_meta(unique, "colour")
    assert Registry.meta(unique, "colour") is None


def test_what_cannot_be_a_key_leaves_nothing_behind(start: Start, unique: Any, duplicate: Any) -> None:
    person = start(Agent.start, dict)
    for registry in (unique, duplicate):
        with pytest.raises(TypeError, match="unhashable"):
            Registry.register(registry, ["a", "list"])
        assert Registry.count(registry) == 0
        assert self_ref()._process not in registry._process._bonds.links
    person.stop()


def test_wrong_options_are_refused_at_the_start() -> None:
    for options in ({"keys": "some"}, {"partitions": 0}, {"partitions": "many"}):
        with pytest.raises(StartFailed) as raised:
            Registry.start(**options)
        assert isinstance(raised.value.reason, ConfigError)


def test_partitions_change_nothing(start: Start) -> None:
    registry = start(Registry.start, keys="unique", partitions=4)
    for key in range(10):
        Registry.register(registry, key)
    assert sorted(Registry.keys(registry, self_ref())) == list(range(10))
    for key in range(10):
        Registry.unregister(registry, key)


# Listeners.


def test_listeners_are_told_of_each_change_in_its_order(start: Start) -> None:
    start(Listener.start, self_ref(), name="listener")
    registry = start(Registry.start, name="rooms", listeners=["listener", "nobody's"])
    person = start(Agent.start, dict)
    inside(person, Registry.register, registry, "ann", 1)
    inside(person, Registry.register, registry, "bob", 2)
    inside(person, Registry.unregister, registry, "ann")
    person.stop()
    assert [next_message(tuple) for _ in range(4)] == [
        ("register", "rooms", "ann", person, 1),
        ("register", "rooms", "bob", person, 2),
        ("unregister", "rooms", "ann", person, 1),
        ("unregister", "rooms", "bob", person, 2),
    ]


def test_a_registry_without_a_name_tells_its_ref(start: Start) -> None:
    listener = start(Listener.start, self_ref())
    registry = start(Registry.start, listeners=[listener])
    Registry.register(registry, "me")
    assert next_message(tuple) == ("register", registry, "me", self_ref(), None)
    Registry.unregister(registry, "me")
    assert next_message(tuple) == ("unregister", registry, "me", self_ref(), None)


# Via names.


def test_a_process_is_started_with_a_name_of_a_registry(start: Start, unique: Any) -> None:
    name = Registry.via("unique", "ann", "value")
    person = start(Agent.start, dict, name=name)
    assert Registry.lookup(unique, "ann") == [(person, "value")]
    assert whereis(name) is whereis(Via("unique", "ann")) is person
    with pytest.raises(AlreadyStarted) as raised:
        Agent.start(dict, name=name)
    assert raised.value.ref is person
    person.stop()
    assert whereis(name) is None
    start(Agent.start, dict, name=name)


def test_a_name_of_a_registry_is_a_destination(start: Start, unique: Any) -> None:
    name = Registry.via(unique, "ann")
    with pytest.raises(NoProcess):
        call(name, "hello")
    with pytest.raises(NoProcess):
        send(name, "hello")
    cast(name, "hello")
    start(Agent.start, lambda: 1, name=name)
    Agent.cast(name, lambda state: state + 1)
    assert Agent.get(name, lambda state: state) == 2
    unregister(name)
    assert whereis(name) is None
    with pytest.raises(NoProcess):
        unregister(name)


def test_without_a_registry_nobody_has_the_name(start: Start) -> None:
    name = Registry.via("nobody's", "ann")
    assert whereis(name) is None
    cast(name, "hello")
    with pytest.raises((NoProcess, StartFailed)):
        Agent.start(dict, name=name)


def test_a_registry_is_a_child_of_a_supervisor(start: Start) -> None:
    spec = ChildSpec(id="rooms", start=Registry.start_link, kwargs={"keys": "unique", "name": "rooms"})
    supervisor = start(Supervisor.start, [spec])
    Registry.register("rooms", "me")
    exit(whereis("rooms"), "kill")
    next_message(Exit)
    # It has ended, and the next one is empty; who has lived on registers again.
    Supervisor.count_children(supervisor)
    assert Registry.lookup("rooms", "me") == []
    supervisor.stop()
