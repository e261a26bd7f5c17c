"""PartitionSupervisor: the same child several times, and keys that find one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tinybeam.errors import ConfigError
from tinybeam.process import GenServer, NoProcess, Stop, bonds, call, cast, monitor, receive, self_ref, send
from tinybeam.process.childspec import child_spec
from tinybeam.process.dynamic_supervisor import DynamicSupervisor
from tinybeam.process.partition_supervisor import PartitionSupervisor
from tinybeam.process.supervisor import Supervisor

PATIENCE_S = 30

Start = Callable[..., Any]


class Cell(GenServer):
    """Tells what it was started with, and ends as it is told."""

    def init(self, *args: Any) -> Any:
        return args

    def handle_call(self, message: Any, from_: Any, args: Any) -> Any:
        return args, args

    def handle_cast(self, message: Any, args: Any) -> Any:
        return Stop(message)

    def handle_info(self, message: Any, args: Any) -> Any:
        message.send(("info", args))
        return args


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a supervisor, and sees to it that nothing of it is left."""
    self_ref()
    before = set(bonds.processes)
    supervisors = []

    def start_link(*args: Any, **options: Any) -> Any:
        supervisors.append(PartitionSupervisor.start_link(*args, **options))
        return supervisors[-1]

    yield start_link
    for supervisor in supervisors:
        supervisor.stop(timeout=PATIENCE_S)
    assert bonds.processes == before


def partition_of(supervisor: Any, key: Any) -> Any:
    return PartitionSupervisor.via(supervisor, key).whereis_name()


def test_every_partition_is_a_child_of_its_own(start: Start) -> None:
    supervisor = start((Cell, "x"), partitions=3, name="cells")
    children = Supervisor.which_children("cells")
    assert [info.id for info in children] == [0, 1, 2]
    assert [info.child.call("args") for info in children] == [("x",)] * 3
    assert PartitionSupervisor.partitions(supervisor) == PartitionSupervisor.partitions("cells") == 3


def test_there_are_as_many_as_processors_unless_it_is_said_otherwise(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    assert PartitionSupervisor.partitions(start(Cell)) == 5
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert PartitionSupervisor.partitions(start(Cell)) == 1


def test_a_number_counts_round_and_any_other_key_always_finds_the_same(start: Start) -> None:
    supervisor = start(Cell, partitions=3)
    refs = [info.child for info in Supervisor.which_children(supervisor)]
    assert [refs.index(partition_of(supervisor, number)) for number in (0, 1, 2, 3, 7, -2)] == [0, 1, 2, 0, 1, 2]
    keys = [("user", number) for number in range(100)]
    found = [partition_of(supervisor, key) for key in keys]
    assert found == [partition_of(supervisor, key) for key in keys]
    assert set(found) == set(refs)


def test_a_key_that_has_no_hash_is_refused(start: Start) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        partition_of(start(Cell, partitions=2), [])


def test_a_via_is_a_destination(start: Start) -> None:
    start((Cell, "x"), partitions=2, name="cells")
    via = PartitionSupervisor.via("cells", "ada")
    assert call(via, "args") == ("x",)
    send(via, self_ref())
    assert receive(PATIENCE_S, want=lambda message: type(message) is tuple) == ("info", ("x",))
    watch = monitor(via)
    cast(via, "normal")
    assert receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch).reason == "normal"


def test_every_partition_may_have_arguments_of_its_own(start: Start) -> None:
    supervisor = start((Cell, "x"), partitions=3, with_arguments=lambda args, partition: (*args, partition))
    assert [partition_of(supervisor, number).call("args") for number in range(3)] == [("x", 0), ("x", 1), ("x", 2)]


def test_a_key_finds_the_partition_that_was_started_again(start: Start) -> None:
    supervisor = start((Cell, "x"), partitions=2)
    first = partition_of(supervisor, 1)
    watch = monitor(first)
    first.cast("oops")
    receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch)
    for _ in range(2):
        Supervisor.count_children(supervisor)
    second = partition_of(supervisor, 1)
    assert second is not first
    assert second.call("args") == ("x",)


def test_a_partition_that_has_ended_is_nobody(start: Start) -> None:
    supervisor = start(child_spec(Cell, restart="temporary"), partitions=2)
    Supervisor.terminate_child(supervisor, 1)
    assert partition_of(supervisor, 1) is None
    assert partition_of(supervisor, 0) is not None


def test_its_children_may_be_supervisors(start: Start) -> None:
    pool = child_spec(DynamicSupervisor, kwargs={"max_children": 1})
    start(pool, partitions=2, name="pools")
    for key in range(2):
        session = DynamicSupervisor.start_child(partition_of("pools", key), (Cell, key))
        assert session.call("args") == (key,)
    assert Supervisor.count_children("pools") == (2, 2, 2, 0)


def test_options_are_those_of_a_supervisor(start: Start) -> None:
    supervisor = start(Cell, partitions=2, strategy="one_for_all", max_restarts=7)
    first, other = partition_of(supervisor, 0), partition_of(supervisor, 1)
    watch = monitor(other)
    first.cast("oops")
    receive(PATIENCE_S, want=lambda message: getattr(message, "monitor", None) is watch)
    for _ in range(2):
        Supervisor.count_children(supervisor)
    assert partition_of(supervisor, 1) not in (None, other)


@pytest.mark.parametrize(
    "options", [{"partitions": 0}, {"partitions": 1.5}, {"strategy": "none"}, {"max_restarts": -1}]
)
def test_a_bad_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))):
        PartitionSupervisor.start(Cell, **options)


def test_where_there_is_no_partition_supervisor_there_is_no_partition(start: Start) -> None:
    other = Supervisor.start_link([])
    for nobody in ("nobody", other):
        with pytest.raises(NoProcess, match="there is no PartitionSupervisor"):
            partition_of(nobody, 1)
    other.stop()
    stopped = start(Cell, partitions=1)
    stopped.stop()
    with pytest.raises(NoProcess):
        PartitionSupervisor.partitions(stopped)
