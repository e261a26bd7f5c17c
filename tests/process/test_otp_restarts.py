"""Restarts as OTP's supervisor has them, where children make it hard, and whatever kind of supervisor they have."""

from __future__ import annotations

import importlib
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.process.supervised import (
    PATIENCE_S,
    Start,
    Worker,
    children_of,
    crash,
    end_of,
    ended,
    settle,
    started,
    told,
    worker,
)
from tinybeam.process import (
    DynamicSupervisor,
    Ignore,
    PartitionSupervisor,
    Supervisor,
    exit,
    receive,
    self_ref,
    upgrade,
)
from tinybeam.process.childspec import child_spec


class Moody(Worker):
    """Starts, and later has nothing to do, or cannot start, as the test says."""

    def init(self, to: Any, name: str, mood: list[Any]) -> Any:
        if mood and mood[0] == "ignore":
            to.send(("ignored", name))
            return Ignore()
        if mood:
            to.send(("failed", name))
            raise RuntimeError("failed by the test")
        return super().init(to, name)


def moody(name: str, mood: list[Any], **fields: Any) -> Any:
    return child_spec((Moody, self_ref(), name, mood), id=name, **fields)


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_a_child_that_has_nothing_to_do_when_it_is_started_again_is_kept_without_a_process(
    start: Start, strategy: str
) -> None:
    mood: list[Any] = []
    supervisor = start([moody("a", mood), worker("b")], strategy=strategy)
    told(2)
    mood.append("ignore")
    crash(children_of(supervisor)["a"])
    others = [] if strategy == "one_for_one" else [*ended("b"), *started("b")]
    assert told(2 + len(others)) == ended("a") + others[:1] + [("ignored", "a")] + others[1:]
    settle(supervisor)
    assert children_of(supervisor)["a"] is None
    assert Supervisor.count_children(supervisor) == (2, 1, 0, 2)
    mood.clear()
    assert Supervisor.restart_child(supervisor, "a") is children_of(supervisor)["a"]


def test_a_dynamic_child_that_has_nothing_to_do_when_it_is_started_again_is_forgotten() -> None:
    mood: list[Any] = []
    supervisor = DynamicSupervisor.start_link()
    child = DynamicSupervisor.start_child(supervisor, moody("a", mood))
    mood.append("ignore")
    crash(child)
    assert told(3) == started("a") + ended("a") + [("ignored", "a")]
    settle(supervisor)
    assert DynamicSupervisor.count_children(supervisor) == (0, 0, 0, 0)
    assert supervisor.stop()


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
@pytest.mark.parametrize("how", ["stop", "shutdown"])
def test_a_supervisor_can_be_ended_while_it_tries_in_vain_whatever_its_strategy(
    start: Start, strategy: str, how: str
) -> None:
    mood: list[Any] = []
    children = [worker("b"), moody("a", mood), worker("c")]
    inner = child_spec((Supervisor, children), id="inner", kwargs={"strategy": strategy, "max_restarts": 1_000_000})
    outer = start([inner])
    told(3)
    supervisor = children_of(outer)["inner"]
    mood.append("fail")
    crash(children_of(supervisor)["a"])
    for _ in range(10):
        receive(PATIENCE_S, want=lambda message: message == ("failed", "a"))
    if how == "stop":
        supervisor.stop("shutdown", timeout=PATIENCE_S)
    else:
        Supervisor.terminate_child(outer, "inner", timeout=PATIENCE_S)
    assert not supervisor.is_alive()
    mood.clear()


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_the_restarts_of_all_children_count_together(start: Start, strategy: str) -> None:
    names = ("a", "b", "c", "d")
    supervisor = start([worker(name) for name in names], strategy=strategy, max_restarts=3)
    for name in names:
        crash(children_of(supervisor)[name])
        if name != "d":
            settle(supervisor)
            assert children_of(supervisor)[name].call("name") == name
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_the_restarts_of_all_dynamic_children_count_together() -> None:
    supervisor = DynamicSupervisor.start(max_restarts=3)
    for child in [DynamicSupervisor.start_child(supervisor, worker(name)) for name in "abcd"]:
        crash(child)
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_children_that_are_not_started_again_do_not_count(start: Start) -> None:
    names = [str(number) for number in range(10)]
    supervisor = start([worker(name, restart="temporary") for name in names], max_restarts=0)
    for name in names:
        crash(children_of(supervisor)[name])
        settle(supervisor)
    assert children_of(supervisor) == {}


def test_restarts_are_counted_by_a_clock_that_nobody_can_set() -> None:
    assert Supervisor.clock is time.monotonic
    assert DynamicSupervisor.clock is time.monotonic


def test_a_child_that_has_been_added_and_one_that_was_started_by_hand_are_started_again_as_all_others(
    start: Start,
) -> None:
    supervisor = start([worker("a")], strategy="rest_for_one")
    Supervisor.start_child(supervisor, worker("b"))
    Supervisor.terminate_child(supervisor, "a")
    Supervisor.restart_child(supervisor, "a")
    assert told(4) == started("a", "b") + ended("a") + started("a")
    crash(children_of(supervisor)["a"])
    assert told(4) == ended("a", "b") + started("a", "b")
    crash(children_of(supervisor)["b"])
    assert told(2) == ended("b") + started("b")


@pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
def test_who_gave_up_had_ended_the_others_only_once(start: Start, strategy: str) -> None:
    supervisor = start([worker("a"), worker("b"), worker("c")], strategy=strategy, max_restarts=0)
    told(3)
    crash(children_of(supervisor)["b"])
    assert told(3) == ended("b", "c", "a")
    assert end_of(supervisor) in ("shutdown", "noproc")


def test_a_supervisor_that_is_transient_and_gave_up_is_not_started_again(start: Start) -> None:
    # It ends with "shutdown", which is orderly: in OTP too.
    inner = child_spec((Supervisor, [worker("a")]), id="inner", restart="transient", kwargs={"max_restarts": 0})
    outer = start([inner])
    told()
    supervisor = children_of(outer)["inner"]
    crash(children_of(supervisor)["a"])
    end_of(supervisor)
    settle(outer)
    assert children_of(outer) == {"inner": None}


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
def test_a_log_that_raises_keeps_no_child_from_being_started_again(kind: type[Any]) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise SystemExit(3)

    supervisor = Supervisor.start([worker("a")]) if kind is Supervisor else DynamicSupervisor.start()
    if kind is DynamicSupervisor:
        DynamicSupervisor.start_child(supervisor, worker("a"))
    [info] = Supervisor.which_children(supervisor)
    logger, broken = logging.getLogger("tinybeam.process"), Broken()
    logger.addHandler(broken)
    try:
        crash(info.child, "oops")
        assert told(3) == started("a") + ended("a") + started("a")
        assert supervisor.stop()
    finally:
        logger.removeHandler(broken)


CODE = """
from tinybeam.process import GenServer

class Cell(GenServer):
    version = {}
    def handle_call(self, message, from_, state):
        return self.version, state
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "upgraded_cell.py").write_text(CODE.format(1))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield importlib.import_module("upgraded_cell")
    del sys.modules["upgraded_cell"]


@pytest.mark.parametrize("kind", ["partitions", "dynamic", "below"])
def test_whatever_supervises_them_children_are_started_again_with_upgraded_code(module: Any, kind: str) -> None:
    supervisor: Any
    if kind == "partitions":
        supervisor = PartitionSupervisor.start(module.Cell, partitions=1)
        before = children_of(supervisor)[0]
    elif kind == "dynamic":
        supervisor = DynamicSupervisor.start()
        before = DynamicSupervisor.start_child(supervisor, module.Cell)
    else:
        supervisor = Supervisor.start([child_spec((Supervisor, [module.Cell]), id="inner")])
        before = children_of(supervisor)["inner"]
    Path(module.__file__).write_text(CODE.format(2))
    upgrade(module)
    exit(before, "kill")
    end_of(before)
    settle(supervisor)
    [info] = Supervisor.which_children(supervisor)
    child = info.child
    assert child is not before
    if kind == "below":
        [child] = children_of(child).values()
    assert child.call("version") == 2
    supervisor.stop()


SHOP = """
from tinybeam.process import Children, GenServer, Supervisor

class Cell(GenServer):
    version = {0}
    def handle_call(self, message, from_, state):
        return self.version, state

class Shop(Supervisor):
    def init(self):
        return Children([Cell], max_restarts={0})
"""


def test_an_upgrade_of_a_supervisor_keeps_its_children_and_its_options(module: Any) -> None:
    # OTP would call init again; see docs/processes.md.
    path = Path(module.__file__)
    path.write_text(SHOP.format(1))
    importlib.reload(module)
    shop = module.Shop.start()
    before = children_of(shop)
    path.write_text(SHOP.format(22))
    upgrade(module)
    assert children_of(shop) == before
    [cell] = before.values()
    assert cell.call("version") == 22
    exit(cell, "kill")
    end_of(cell)
    settle(shop)
    [cell] = children_of(shop).values()
    assert cell.call("version") == 22
    exit(cell, "kill")  # one more than may be
    assert end_of(shop) in ("shutdown", "noproc")
