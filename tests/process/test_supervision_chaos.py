"""Supervision under random failures: the tree is whole afterwards, every child runs once, and nothing is left over."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tinybeam.process import GenServer, ProcessExited, StartFailed, Stop, bonds, exit, self_ref
from tinybeam.process.child_errors import ChildNotFound, ChildPresent, ChildRunning
from tinybeam.process.childspec import ChildSpec, child_spec
from tinybeam.process.dynamic_supervisor import DynamicSupervisor
from tinybeam.process.errors import AlreadyStarted
from tinybeam.process.supervisor import Supervisor

SCHEDULES = 10_000
BATCHES = 10
PATIENCE_S = 30

REASONS: list[Any] = ["kill", "kill", "oops", "shutdown", ("shutdown", "x"), "normal", RuntimeError("oops")]


class Worker(GenServer):
    """Ends as it is told."""

    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return message, state

    def handle_cast(self, message: Any, state: Any) -> Any:
        if isinstance(message, Exception):
            raise message
        return Stop(message)


class Trapping(Worker):
    trap_exit = True

    def handle_info(self, message: Any, state: Any) -> Any:
        return state


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What crashes here does so on purpose, a hundred thousand times."""
    logger = logging.getLogger("tinybeam.process")
    logger.disabled = True
    yield
    logger.disabled = False


def supervisors_and_workers() -> set[Any]:
    """All processes but the guests of threads."""
    return {process._actor_ref for process in list(bonds.processes) if isinstance(process, GenServer)}


# Random trees, and random kills.


def random_tree(dice: random.Random, depth: int) -> ChildSpec:
    """A supervisor of up to three children, which may be supervisors."""
    children = []
    for number in range(dice.randint(1, 3)):
        if depth > 1 and dice.random() < 0.5:
            children.append(child_spec(random_tree(dice, depth - 1), id=number))
        else:
            restart = dice.choice(["permanent", "permanent", "permanent", "transient", "temporary"])
            children.append(child_spec(dice.choice([Worker, Trapping]), id=number, restart=restart))
    options = {
        "strategy": dice.choice(["one_for_one", "one_for_all", "rest_for_one"]),
        "max_restarts": dice.choice([0, 1, 3, 1_000_000]),
    }
    return ChildSpec(id=0, start=Supervisor.start_link, args=(children,), kwargs=options, type="supervisor")


def refs_below(supervisor: Any) -> list[Any] | None:
    """All that run below a supervisor; None when one of them does not run that should."""
    refs = []
    for info in Supervisor.which_children(supervisor):
        if info.child is None:
            if Supervisor.get_childspec(supervisor, info.id).restart == "permanent":
                return None
        elif info.child == "restarting" or not info.child.is_alive():
            return None
        else:
            refs.append(info.child)
            if info.type == "supervisor":
                below = refs_below(info.child)
                if below is None:
                    return None
                refs.extend(below)
    return refs


def wait_until_whole(root: Any) -> set[Any]:
    """Asks the tree until it is whole: all that lives hangs in it, once. Each call waits for what is under way."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            refs = refs_below(root)
        except ProcessExited:  # one of the supervisors ended while we asked: another round
            refs = None
        living = supervisors_and_workers() - {root}
        if refs is not None and len(refs) == len(set(refs)) and set(refs) == living:
            return living
        assert root.is_alive()
        assert time.monotonic() < until_s, f"not whole: {refs}, and alive are {living}"
        time.sleep(0)


def hurt(dice: random.Random, victim: Any) -> None:
    """One of the ways to end a process."""
    reason = dice.choice(REASONS)
    if isinstance(reason, str | tuple) and (victim.actor_class is Supervisor or dice.random() < 0.6):
        exit(victim, reason)
    elif victim.actor_class is not Supervisor:
        victim.cast("killed" if reason == "kill" else reason)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_tree_is_whole_after_any_kills(batch: int) -> None:
    self_ref()
    for seed in range(batch, SCHEDULES, BATCHES):
        assert supervisors_and_workers() == set(), f"left over before seed {seed}"
        dice = random.Random(seed)
        # The tree's own limits may be reached; what stands above them all never gives up.
        root = Supervisor.start_link([random_tree(dice, 3)], max_restarts=1_000_000)
        for _ in range(dice.randint(1, 3)):
            living = sorted(supervisors_and_workers() - {root}, key=lambda ref: ref.id)
            victims = dice.sample(living, min(len(living), dice.randint(1, 3)))
            for victim in victims:
                hurt(dice, victim)
            if dice.random() < 0.5:
                sync(victims)
                wait_until_whole(root)
        # Every signal that was sent has been heeded before the tree is asked for the last time.
        sync(supervisors_and_workers() - {root})
        wait_until_whole(root)
        assert root.stop(), f"seed {seed}"
        assert supervisors_and_workers() == set(), f"left over after seed {seed}"


def sync(refs: Any) -> None:
    """Calls them: what was sent to them before has been handled afterwards."""
    for ref in refs:
        with contextlib.suppress(ProcessExited):
            if ref.actor_class is Supervisor:
                Supervisor.count_children(ref)
            else:
                ref.call("are you there?")


@pytest.mark.parametrize("seed", range(20))
def test_a_stop_in_the_midst_of_it_leaves_nothing(seed: int) -> None:
    self_ref()
    for number in range(50):
        dice = random.Random(seed * 1000 + number)
        root = Supervisor.start_link([random_tree(dice, 3)], max_restarts=1_000_000)
        living = sorted(supervisors_and_workers() - {root}, key=lambda ref: ref.id)
        for victim in dice.sample(living, dice.randint(1, len(living))):
            hurt(dice, victim)
        assert root.stop(timeout=PATIENCE_S)
        # Those whose supervisor was killed hear of it, and end, by themselves.
        until_s = time.monotonic() + PATIENCE_S
        while supervisors_and_workers():
            assert time.monotonic() < until_s, f"left over: {supervisors_and_workers()}"
            time.sleep(0)


@pytest.mark.parametrize("seed", range(20))
def test_children_that_come_and_go_by_the_hundred_are_all_accounted_for(seed: int) -> None:
    self_ref()
    dice = random.Random(seed)
    supervisor = DynamicSupervisor.start_link(max_restarts=1_000_000)
    for _ in range(300):
        living = supervisors_and_workers() - {supervisor}
        if not living or dice.random() < 0.6:
            restart = dice.choice(["permanent", "transient", "temporary"])
            DynamicSupervisor.start_child(supervisor, child_spec(dice.choice([Worker, Trapping]), restart=restart))
        elif dice.random() < 0.5:
            hurt(dice, dice.choice(sorted(living, key=lambda ref: ref.id)))
        else:
            with contextlib.suppress(ChildNotFound):  # it has just ended by itself
                DynamicSupervisor.terminate_child(supervisor, dice.choice(sorted(living, key=lambda ref: ref.id)))
    sync(supervisors_and_workers() - {supervisor})
    for _ in range(2):
        children = {info.child for info in DynamicSupervisor.which_children(supervisor)}
    assert children == supervisors_and_workers() - {supervisor}
    supervisor.stop()
    assert supervisors_and_workers() == set()


# A supervisor beside a model of it.

IDS = st.integers(0, 5)


class Calls(RuleBasedStateMachine):
    """Any calls in any order: the model is a dict of id -> (restart, whether it runs), in the order of the children."""

    @initialize()
    def begin(self) -> None:
        self_ref()
        self.supervisor = Supervisor.start_link([], max_restarts=1_000_000)
        self.model: dict[int, tuple[str, bool]] = {}

    def teardown(self) -> None:
        if hasattr(self, "supervisor"):
            self.supervisor.stop()
            assert supervisors_and_workers() == set()

    @rule(child_id=IDS, restart=st.sampled_from(["permanent", "transient", "temporary"]), fails=st.booleans())
    def start_child(self, child_id: int, restart: str, fails: bool) -> None:
        def fail() -> Any:
            raise RuntimeError("failed by the test")

        spec = child_spec(Worker, id=child_id, restart=restart, **({"start": fail} if fails else {}))
        if child_id in self.model:
            with pytest.raises(AlreadyStarted if self.model[child_id][1] else ChildPresent):
                Supervisor.start_child(self.supervisor, spec)
        elif fails:
            with pytest.raises(StartFailed):
                Supervisor.start_child(self.supervisor, spec)
        else:
            Supervisor.start_child(self.supervisor, spec)
            self.model[child_id] = (restart, True)

    @rule(child_id=IDS)
    def terminate_child(self, child_id: int) -> None:
        if child_id not in self.model:
            with pytest.raises(ChildNotFound):
                Supervisor.terminate_child(self.supervisor, child_id)
        else:
            Supervisor.terminate_child(self.supervisor, child_id)
            self.has_ended(child_id)

    @rule(child_id=IDS, delete=st.booleans())
    def restart_or_delete_child(self, child_id: int, delete: bool) -> None:
        ask: Any = Supervisor.delete_child if delete else Supervisor.restart_child
        if child_id not in self.model or self.model[child_id][1]:
            with pytest.raises(ChildRunning if child_id in self.model else ChildNotFound):
                ask(self.supervisor, child_id)
            return
        ask(self.supervisor, child_id)
        if delete:
            del self.model[child_id]
        else:
            self.model[child_id] = (self.model[child_id][0], True)

    @rule(child_id=IDS, reason=st.sampled_from(["normal", "shutdown", ("shutdown", 1), "oops", "kill"]))
    def end(self, child_id: int, reason: Any) -> None:
        restart, runs = self.model.get(child_id, ("", False))
        if not runs:
            return
        ref = self.children()[child_id]
        if reason == "kill":
            exit(ref, reason)
        else:
            ref.cast(reason)
            sync([ref])
        if restart == "temporary" or (restart == "transient" and reason not in ("oops", "kill")):
            self.has_ended(child_id)
        else:
            sync([self.supervisor])
            assert self.children()[child_id] is not ref

    def has_ended(self, child_id: int) -> None:
        restart, _ = self.model[child_id]
        if restart == "temporary":
            del self.model[child_id]
        else:
            self.model[child_id] = (restart, False)

    def children(self) -> dict[Any, Any]:
        return {info.id: info.child for info in Supervisor.which_children(self.supervisor)}

    @invariant()
    def the_children_are_the_models(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        sync([self.supervisor])
        children = self.children()
        assert [(child_id, ref is not None) for child_id, ref in children.items()] == [
            (child_id, runs) for child_id, (_, runs) in self.model.items()
        ]
        running = {ref for ref in children.values() if ref is not None}
        assert running == supervisors_and_workers() - {self.supervisor}
        assert Supervisor.count_children(self.supervisor)[:2] == (len(children), len(running))


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
