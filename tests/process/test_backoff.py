"""Back-off: a child that keeps failing is given longer and longer pauses, and does not bring its supervisor down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.process.supervised import PATIENCE_S, Start, children_of, crash, end_of, started, told, worker
from tinybeam.process import (
    ChildRestarting,
    DynamicSupervisor,
    GenServer,
    Supervisor,
    base_supervisor,
    cancel_timer,
    receive,
    send_after,
)
from tinybeam.process.child_errors import BadSpec
from tinybeam.process.childspec import ChildSpec, child_spec

# A pause that no test waits for, and one that is over at once.
LONG_MS = 10_000_000
SHORT_MS = 1


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that supervisors make; each is over at once."""
    made: list[float] = []

    def soon(to: Any, message: Any, delay_ms: float) -> Any:
        made.append(delay_ms)
        return send_after(to, message, 0)

    monkeypatch.setattr(base_supervisor, "send_after", soon)
    return made


def restarted(supervisor: Any, child_id: Any = "a") -> Any:
    """The child, when it has been started again."""
    assert told() == started(child_id)
    return children_of(supervisor)[child_id]


def test_the_pauses_double_up_to_the_longest(start: Start, pauses: list[float]) -> None:
    supervisor = start([worker("a", backoff_ms=(100, 1000))])
    for _ in range(6):
        child = restarted(supervisor)
        crash(child)
        assert told() == [("ended", "a")]
    restarted(supervisor)
    assert pauses == [100, 200, 400, 800, 1000, 1000]


def test_such_restarts_do_not_count(start: Start, pauses: list[float]) -> None:
    supervisor = start([worker("a", backoff_ms=(1, 1)), worker("b")], max_restarts=0)
    assert told(2) == started("a", "b")
    for _ in range(20):
        crash(children_of(supervisor)["a"])
        assert told(2) == [("ended", "a"), ("started", "a")]
    assert supervisor.is_alive()
    crash(children_of(supervisor)["b"])
    assert end_of(supervisor) == "shutdown"
    assert len(pauses) == 20


def test_after_a_quiet_time_the_pauses_begin_anew(start: Start, pauses: list[float]) -> None:
    now_s = [0.0]

    class Clocked(Supervisor):
        clock = staticmethod(lambda: now_s[0])

    supervisor = start([worker("a", backoff_ms=(100, 1000))], cls=Clocked)
    for ran_s in (0.0, 1.0, 0.9, 1.1, 0.0):
        child = restarted(supervisor)
        now_s[0] += ran_s
        crash(child)
        assert told() == [("ended", "a")]
    restarted(supervisor)
    assert pauses == [100, 200, 400, 100, 200]


def test_a_child_is_restarting_during_its_pause_and_the_supervisor_is_there_for_others(start: Start) -> None:
    supervisor = start([worker("a", backoff_ms=(LONG_MS, LONG_MS))])
    crash(restarted(supervisor))
    assert children_of(supervisor) == {"a": "restarting"}
    with pytest.raises(ChildRestarting):
        Supervisor.restart_child(supervisor, "a")
    Supervisor.terminate_child(supervisor, "a")
    assert children_of(supervisor) == {"a": None}
    assert told() == [("ended", "a")]


def test_a_pause_that_nobody_waits_for_any_more_starts_nothing(start: Start) -> None:
    supervisor = start([worker("a", backoff_ms=(LONG_MS, LONG_MS))])
    crash(restarted(supervisor))
    Supervisor.terminate_child(supervisor, "a")
    assert told() == [("ended", "a")]
    child = Supervisor.restart_child(supervisor, "a")
    assert told() == started("a")
    supervisor.send(base_supervisor.TryAgain("a"))  # what the timer of that pause sends
    assert children_of(supervisor) == {"a": child}


def test_the_timer_of_a_pause_goes_with_it(start: Start) -> None:
    supervisor = start([worker("a", backoff_ms=(LONG_MS, LONG_MS))])
    crash(restarted(supervisor))
    timer = next(iter(supervisor._process._roster)).backoff.timer
    assert cancel_timer(timer) is not None  # it ran
    timer = next(iter(supervisor._process._roster)).backoff.timer = send_after(supervisor, "x", LONG_MS)
    Supervisor.terminate_child(supervisor, "a")
    assert timer.to is None
    Supervisor.restart_child(supervisor, "a")
    assert told(2) == [("ended", "a"), ("started", "a")]
    crash(children_of(supervisor)["a"])
    timer = next(iter(supervisor._process._roster)).backoff.timer
    supervisor.stop()
    assert timer.to is None
    assert told() == [("ended", "a")]


def test_a_supervisor_ends_though_a_child_pauses(start: Start) -> None:
    supervisor = start([worker("a", backoff_ms=(LONG_MS, LONG_MS))])
    crash(restarted(supervisor))
    assert supervisor.stop(timeout=PATIENCE_S)
    assert told() == [("ended", "a")]


class Stubborn(GenServer):
    """Fails to start so often."""

    def init(self, to: Any, failures: list[int]) -> Any:
        to.send(("started", "stubborn"))
        if failures[0] > 0:
            failures[0] -= 1
            raise ValueError("not yet")
        return to

    def handle_cast(self, message: Any, state: Any) -> Any:
        raise message


def test_a_child_that_cannot_start_again_is_given_pauses_as_well(start: Start, me: Any, pauses: list[float]) -> None:
    failures = [0]
    supervisor = start([child_spec((Stubborn, me, failures), id="stubborn", backoff_ms=(100, 1000))], max_restarts=0)
    assert told() == started("stubborn")
    failures[0] = 5
    crash(children_of(supervisor)["stubborn"])
    assert told(6) == 6 * started("stubborn")
    assert pauses == [100, 200, 400, 800, 1000, 1000]
    assert supervisor.is_alive()


@pytest.mark.parametrize(
    ("strategy", "ends", "starts"),
    [
        ("one_for_one", ["b"], ["b"]),
        ("rest_for_one", ["b", "c"], ["b", "c"]),
        ("one_for_all", ["b", "c", "a"], ["a", "b", "c"]),
    ],
)
def test_those_that_depend_on_it_end_at_once_and_start_with_it(
    start: Start, strategy: str, ends: list[str], starts: list[str]
) -> None:
    supervisor = start(
        [worker("a"), worker("b", backoff_ms=(LONG_MS, LONG_MS)), worker("c")], strategy=strategy, max_restarts=0
    )
    assert told(3) == started("a", "b", "c")
    crash(children_of(supervisor)["b"])
    assert told(len(ends)) == [("ended", name) for name in ends]
    assert children_of(supervisor)["b"] == "restarting"
    supervisor.send(base_supervisor.TryAgain("b"))  # the pause is over
    assert told(len(starts)) == started(*starts)
    assert all(ref.is_alive() for ref in children_of(supervisor).values())


def test_children_of_a_dynamic_supervisor_are_given_pauses(pauses: list[float]) -> None:
    supervisor = DynamicSupervisor.start_link(max_restarts=0)
    DynamicSupervisor.start_child(supervisor, worker("a", backoff_ms=(100, 1000)))
    for _ in range(5):
        assert told() == started("a")
        [info] = DynamicSupervisor.which_children(supervisor)
        crash(info.child)
        assert told() == [("ended", "a")]
    assert told() == started("a")
    assert pauses == [100, 200, 400, 800, 1000]
    supervisor.stop()


def test_a_child_of_a_dynamic_supervisor_may_be_ended_in_its_pause() -> None:
    supervisor = DynamicSupervisor.start_link()
    child = DynamicSupervisor.start_child(supervisor, worker("a", backoff_ms=(LONG_MS, LONG_MS)))
    crash(child)
    assert [info.child for info in DynamicSupervisor.which_children(supervisor)] == ["restarting"]
    DynamicSupervisor.terminate_child(supervisor, child)
    assert DynamicSupervisor.which_children(supervisor) == []
    supervisor.send(base_supervisor.TryAgain(child))
    assert DynamicSupervisor.which_children(supervisor) == []
    supervisor.stop()
    assert told(2) == [("started", "a"), ("ended", "a")]


def test_a_real_pause_ends(start: Start) -> None:
    supervisor = start([worker("a", backoff_ms=(SHORT_MS, SHORT_MS))])
    crash(restarted(supervisor))
    assert told(2) == [("ended", "a"), ("started", "a")]


def test_a_class_may_say_what_its_pauses_are() -> None:
    class Flaky(GenServer):
        backoff_ms = (5, 50)

    assert child_spec(Flaky).backoff_ms == (5, 50)
    assert Flaky.child_spec(backoff_ms=(1, 2)).backoff_ms == (1, 2)


@pytest.mark.parametrize("wrong", [(0, 5), (5, 4), (1.0, 2), (True, 5), (1, 2, 3), [1, 2, 3], 5, "12", (None, None)])
def test_pauses_that_are_none_are_refused(wrong: Any) -> None:
    with pytest.raises(BadSpec, match="backoff_ms must be the first and the longest pause in milliseconds"):
        ChildSpec(id="a", start=GenServer.start_link, backoff_ms=wrong)


def test_nobody_is_told_of_pauses_twice(start: Start, pauses: list[float], caplog: pytest.LogCaptureFixture) -> None:
    supervisor = start([worker("a", backoff_ms=(100, 1000))])
    crash(restarted(supervisor))
    assert told(2) == [("ended", "a"), ("started", "a")]
    lines = [record.getMessage() for record in caplog.records if "supervisor" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].endswith("it is started again in 100 ms")
    with pytest.raises(TimeoutError):
        receive(0)
