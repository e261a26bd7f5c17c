"""The scheduler's part in Python: threads that cannot be had, and how many faults it takes to break it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router, contract
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.process import ready
from tinybeam.router import RouteTable
from tinybeam.server.runner import Runner
from tinybeam.server.scheduler import FAULTS_MAX, FAULTS_WITHIN_S, Scheduler
from tinybeam.server.turn import Turn

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import MakeWitness

RUNNER, POOL = "tinybeam-runner", "tinybeam-blocking"


# Threads that cannot be had.


def refuse_threads(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """From now on the operating system has no thread left for those whose name begins so."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(prefix):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_a_pooled_request_without_a_thread_is_answered_503(
    monkeypatch: pytest.MonkeyPatch, make_witness: MakeWitness
) -> None:
    witness = make_witness(blocking=True)
    refuse_threads(monkeypatch, POOL)
    witness.conn.get("/suspect")
    reply = witness.conn.reply()
    assert (reply.status, b"no thread left" in reply.body) == (503, True)
    monkeypatch.undo()
    assert witness.run() == POOL


@pytest.mark.usefixtures("no_faults")
def test_a_runner_that_cannot_be_had_costs_no_request(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, make_witness: MakeWitness
) -> None:
    witness = make_witness()
    refuse_threads(monkeypatch, RUNNER)
    witness.block(gate)
    assert witness.run() == RUNNER
    assert "cannot start another runner" in caplog.text
    assert witness.running.stats()["runners"] == 2  # its place at the engine is free again


# By itself, without an engine.


class NoPort:
    number = 0
    engine = None

    def close(self) -> None:
        pass


class FakeEngine:
    """Gives ports that are never polled, because no thread starts; or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def open_port(self) -> NoPort:
        if self.error is not None:
            raise self.error
        return NoPort()


def make_scheduler(
    engine: object,
    table: RouteTable | None = None,
    on_broken: Callable[[BaseException], None] = lambda error: None,
) -> Scheduler:
    return Scheduler(
        engine,  # type: ignore[arg-type]
        Router().compile() if table is None else table,
        Config(),
        on_wake=lambda: None,
        on_signal=lambda: None,
        on_drained=lambda: None,
        on_broken=on_broken,
    )


def test_no_thread_for_the_first_runner_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_threads(monkeypatch, RUNNER)
    scheduler = make_scheduler(FakeEngine())
    with pytest.raises(OSError, match="no thread left"):
        scheduler.start()
    assert scheduler.runners == {}


def test_a_scheduler_that_ended_before_it_had_begun_drives_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = make_scheduler(FakeEngine())
    monkeypatch.setattr(Runner, "start", lambda runner: None)
    monkeypatch.setattr(scheduler, "start_runner", scheduler.close)  # the first runner has faulted too often by now
    driver = ready.driver
    try:
        scheduler.start()
        assert ready.driver is driver
    finally:
        ready.release(scheduler)


def test_an_engine_without_a_place_for_another_runner_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    make_scheduler(FakeEngine(NativeError("too many runners", contract.ELIMIT))).start_runner()
    assert "too many runners" in caplog.text


def test_an_engine_that_was_just_closed_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    make_scheduler(FakeEngine(NativeError("the engine is closed", contract.ESHUTDOWN))).start_runner()
    assert caplog.text == ""


def test_a_case_that_another_thread_has_just_settled_is_no_crash() -> None:
    router = Router()
    router.get("/")(lambda request: "done")
    endpoint = router.compile().endpoints[0]
    request = Request(handle=7, method="GET", path_raw="/")
    assert make_scheduler(FakeEngine()).run_judged(Turn(), endpoint, request, ()) == (7, 1, "done")


def test_a_request_that_is_dealt_to_the_pool_is_the_runners_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router()
    router.get("/", blocking=True)(lambda request: "done")
    table = router.compile()
    scheduler = make_scheduler(FakeEngine(), table)
    turn, request, seen = Turn(), Request(handle=7, method="GET", path_raw="/"), []
    turn.request = request
    monkeypatch.setattr(scheduler.pool, "deal", lambda work: seen.append((work[1], turn.request)))
    assert scheduler.run_judged(turn, table.endpoints[0], request, ()) is None
    assert seen == [(request, None)]


def test_a_request_that_is_dealt_to_the_event_loop_is_the_runners_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handler(request: Request) -> str:
        return "done"

    router = Router()
    router.get("/")(handler)
    table = router.compile()
    scheduler = make_scheduler(FakeEngine(), table)
    turn, request, seen = Turn(), Request(handle=7, method="GET", path_raw="/"), []
    turn.request = request
    monkeypatch.setattr(scheduler.loop, "deal", lambda *work: seen.append((work[1], turn.request)))
    assert scheduler.run_judged(turn, table.endpoints[0], request, ()) is None
    assert seen == [(request, None)]


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("tinybeam.server.scheduler.time", clock)
    return clock


def test_faults_far_apart_never_break_it(clock: Clock) -> None:
    broken: list[BaseException] = []
    scheduler = make_scheduler(FakeEngine(), on_broken=broken.append)
    for _ in range(20):
        assert scheduler.on_fault(NoPort(), ValueError())  # type: ignore[arg-type]
        clock.now += FAULTS_WITHIN_S / FAULTS_MAX + 0.01
    assert broken == []


def test_more_faults_than_may_be_within_the_time_break_it(clock: Clock) -> None:
    broken: list[BaseException] = []
    scheduler = make_scheduler(FakeEngine(), on_broken=broken.append)
    error = ValueError()
    for _ in range(FAULTS_MAX):
        assert scheduler.on_fault(NoPort(), error)  # type: ignore[arg-type]
    clock.now += FAULTS_WITHIN_S
    assert not scheduler.on_fault(NoPort(), error)  # type: ignore[arg-type]
    assert broken == [error]


def test_a_log_that_raises_does_not_end_a_runner_that_faulted(clock: Clock) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise SystemExit

    server_log = logging.getLogger("tinybeam.server")
    server_log.addFilter(refuse)
    try:
        assert make_scheduler(FakeEngine()).on_fault(NoPort(), ValueError())  # type: ignore[arg-type]
    finally:
        server_log.removeFilter(refuse)
