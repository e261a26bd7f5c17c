"""Child specs and supervisors' options: what may be written, what it stands for, and what is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam.errors import ConfigError
from tinybeam.process import GenServer, StartFailed
from tinybeam.process.child_errors import BadSpec
from tinybeam.process.children import Children
from tinybeam.process.childspec import ChildSpec, child_spec, said_id
from tinybeam.process.supervisor import Supervisor


class Counter(GenServer): ...


class Sometimes(GenServer):
    restart = "transient"
    shutdown = 70


class OldStyle(GenServer):
    def shutdown(self) -> None:
        """A method of the user's, which has nothing to do with child specs."""


class Cache:
    """Not a process, but it knows how to start one."""

    def child_spec(self) -> ChildSpec:
        return ChildSpec(id="cache", start=Counter.start_link, args=(1,))


def test_the_defaults_are_those_of_otp() -> None:
    spec = ChildSpec(id=1, start=Counter.start_link)
    assert (spec.restart, spec.shutdown, spec.type, spec.significant) == ("permanent", 5000, "worker", False)


def test_a_supervisor_may_take_for_ever_to_shut_down() -> None:
    assert ChildSpec(id=1, start=Supervisor.start_link, type="supervisor").shutdown == "infinity"
    spec = child_spec((Supervisor, []))
    assert (spec.type, spec.shutdown, spec.args) == ("supervisor", "infinity", ([],))


def test_a_spec_is_pure_data() -> None:
    spec = child_spec(Counter)
    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.id = 2  # type: ignore[misc]
    assert spec == child_spec(Counter)


def test_a_class_is_its_own_id() -> None:
    assert child_spec(Counter).id is Counter
    assert child_spec((Counter, 1, 2)).args == (1, 2)


def test_a_class_says_how_it_is_restarted_and_shut_down() -> None:
    spec = child_spec(Sometimes)
    assert (spec.restart, spec.shutdown) == ("transient", 70)
    assert child_spec(Sometimes, restart="temporary").restart == "temporary"


def test_a_process_makes_its_spec_itself() -> None:
    spec = Sometimes.child_spec(1, id="one", shutdown="brutal_kill", name="uno")
    assert (spec.id, spec.args, spec.kwargs) == ("one", (1,), {"name": "uno"})
    assert (spec.restart, spec.shutdown) == ("transient", "brutal_kill")
    assert Counter.child_spec(name="counter").id == "counter"
    assert Supervisor.child_spec([Counter], strategy="one_for_all").kwargs == {"strategy": "one_for_all"}


def test_a_method_of_the_name_of_a_field_is_just_a_method() -> None:
    assert child_spec(OldStyle).shutdown == 5000


def test_anything_with_a_child_spec_is_a_child() -> None:
    assert child_spec(Cache()).id == "cache"
    assert child_spec(Cache(), id="other").id == "other"


def test_a_child_spec_that_returns_something_else_is_refused() -> None:
    class Wrong:
        def child_spec(self) -> Any:
            return {"id": 1}

    with pytest.raises(BadSpec, match="must return a ChildSpec"):
        child_spec(Wrong())


@pytest.mark.parametrize("child", [42, "counter", object, (), (42, 1), ("Counter",)], ids=repr)
def test_what_is_no_child_is_refused(child: Any) -> None:
    with pytest.raises(BadSpec, match="child "):
        child_spec(child)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", []),
        ("start", None),
        ("args", [1]),
        ("kwargs", ()),
        ("restart", "always"),
        ("restart", None),
        ("shutdown", -10),
        ("shutdown", 0),
        ("shutdown", True),
        ("shutdown", 1.5),
        ("shutdown", "brutal"),
        ("type", "boss"),
        ("significant", 1),
        ("significant", True),  # and permanent
    ],
)
def test_a_bad_field_is_refused_with_the_names_of_the_child_and_the_field(field: str, value: Any) -> None:
    fields: dict[str, Any] = {"id": "counter", "start": Counter.start_link} | {field: value}
    with pytest.raises(ConfigError, match=rf"^child (counter|\[\]): {field} must "):
        ChildSpec(**fields)


def test_a_change_of_an_unknown_field_is_refused() -> None:
    with pytest.raises(BadSpec, match="Counter.*restarts"):
        child_spec(Counter, restarts="temporary")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "one_for_none"}, "strategy must be one of"),
        ({"strategy": ["one_for_one"]}, "strategy must be one of"),
        ({"auto_shutdown": "always"}, "auto_shutdown must be one of"),
        ({"max_restarts": -1}, "max_restarts must be a whole number"),
        ({"max_restarts": float("inf")}, "max_restarts must be a whole number"),
        ({"max_restarts": True}, "max_restarts must be a whole number"),
        ({"max_seconds": 0}, "max_seconds must be a number"),
        ({"max_seconds": float("inf")}, "max_seconds must be a number"),
        ({"max_seconds": float("nan")}, "max_seconds must be a number"),
        ({"max_seconds": "5"}, "max_seconds must be a number"),
        ({"max_retries": 5}, "max_retries"),
    ],
)
def test_a_bad_option_is_refused_before_anything_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Supervisor.start_link([_never()], **options)


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (lambda: child_spec(Counter, id="never"), "child never: another child has this id"),
        (lambda: child_spec(Counter, restart="transient", significant=True), "child Counter: significant must not"),
        (lambda: 42, "child 42: must be a class"),
    ],
)
def test_a_bad_last_child_is_refused_before_the_first_starts(last: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Supervisor.start([_never(), last()])


def _never() -> ChildSpec:
    def start() -> Any:
        pytest.fail("it was started")

    return ChildSpec(id="never", start=start)


def test_what_is_refused_is_a_failed_start_too() -> None:
    with pytest.raises(StartFailed) as refused:
        Supervisor.start([42])
    assert refused.value.reason == "bad_spec"


def test_significant_children_are_welcome_where_they_matter() -> None:
    significant = child_spec(Counter, restart="temporary", significant=True)
    assert Children([significant], auto_shutdown="any_significant").specs == (significant,)


def test_ids_are_said_as_people_would() -> None:
    assert [said_id(one) for one in (Counter, "x", ("x", 1), 3)] == ["Counter", "x", "('x', 1)", "3"]
