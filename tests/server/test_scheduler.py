"""The scheduler's part in Python: its runners, what it learns of routes, and what it does about faults."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router, native
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.server import RunningServer, runner
from tinybeam.server.judge import FORGIVEN_AFTER
from tinybeam.server.scheduler import FAULTS_MAX, FAULTS_WITHIN_S, Scheduler

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn

    Gates = Callable[[], Gate]
    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]
    Until = Callable[[Callable[[], object]], None]


# Long enough that nothing but a gate makes a handler look blocked, on a machine that is busy with other things too.
TAKEOVER_MS = 100


class Witness:
    """An app with a route that blocks when it is told to; notes in which threads it ran."""

    def __init__(self, serving: Serving, connect: Connect, blocking: bool | None = None, **settings: Any) -> None:
        self.threads: list[str] = []
        self.gate: Gate | None = None
        router = Router()
        router.get("/quick")(lambda request: "quick")

        @router.get("/suspect", blocking=blocking)
        def suspect(request: Request) -> str:
            self.threads.append(threading.current_thread().name)
            if self.gate is not None:
                self.gate.wait()
            return "done"

        self.running = serving(router, takeover_ms=TAKEOVER_MS, **settings)
        self.conn, self.other = connect(self.running.url), connect(self.running.url)

    def run(self) -> str:
        """Requests the route, which does not block; the kind of thread that it ran in."""
        self.conn.get("/suspect")
        assert self.conn.reply().body == b"done"
        return self.threads[-1].rpartition("-")[0]

    def block(self, gate: Gate) -> None:
        """Requests the route, and lets it block until another request was answered."""
        self.gate = gate
        self.conn.get("/suspect")
        gate.reached()
        self.other.get("/quick")
        assert self.other.reply().body == b"quick"
        self.gate = None
        gate.open()
        assert self.conn.reply().body == b"done"


RUNNER, POOL = "tinybeam-runner", "tinybeam-blocking"


# What it learns.


def test_one_hiccup_does_not_send_a_route_to_the_pool(serving: Serving, connect: Connect, gate: Gate) -> None:
    witness = Witness(serving, connect)
    witness.block(gate)
    assert [witness.run() for _ in range(10)] == [RUNNER] * 10
    stats = witness.running.stats()
    assert (stats["takeovers"], stats["pool_threads"]) == (1, 0)


def test_a_route_that_blocks_twice_runs_in_the_pool(serving: Serving, connect: Connect, gates: Gates) -> None:
    witness = Witness(serving, connect)
    witness.block(gates())
    witness.block(gates())
    assert witness.run() == POOL
    assert witness.running.stats()["pool_threads"] == 1


def test_a_route_that_stops_blocking_comes_back(serving: Serving, connect: Connect, gates: Gates, until: Until) -> None:
    witness = Witness(serving, connect)
    witness.block(gates())
    witness.block(gates())
    assert [witness.run() for _ in range(FORGIVEN_AFTER)] == [POOL] * FORGIVEN_AFTER
    until(lambda: witness.run() == RUNNER)  # the pool answers first and tells the judge then


def test_a_route_in_the_pool_takes_no_scheduler_from_a_runner(serving: Serving, connect: Connect, gates: Gates) -> None:
    witness = Witness(serving, connect)
    for _ in range(4):
        witness.block(gates())
    assert witness.running.stats()["takeovers"] == 2


def test_a_route_that_is_said_to_block_is_pooled_at_once(serving: Serving, connect: Connect, gate: Gate) -> None:
    witness = Witness(serving, connect, blocking=True)
    assert [witness.run() for _ in range(40)] == [POOL] * 40
    witness.block(gate)
    assert witness.running.stats()["takeovers"] == 0


def test_a_route_that_is_said_not_to_block_is_never_pooled(serving: Serving, connect: Connect, gates: Gates) -> None:
    witness = Witness(serving, connect, blocking=False)
    for _ in range(4):
        witness.block(gates())
    assert witness.run() == RUNNER
    stats = witness.running.stats()
    assert (stats["takeovers"], stats["pool_threads"]) == (4, 0)


def test_a_fallback_is_judged_as_routes_are(serving: Serving, connect: Connect, gates: Gates) -> None:
    router = Router()
    router.get("/quick")(lambda request: "quick")
    waits = [gates(), gates(), gates()]
    upcoming = iter(waits)

    @router.fallback
    def any_other(request: Request) -> str:
        next(upcoming).wait()
        return "done"

    running = serving(router, takeover_ms=TAKEOVER_MS)
    conn, other = connect(running.url), connect(running.url)
    for wait in waits:
        conn.get("/any")
        wait.reached()
        other.get("/quick")
        assert other.reply().body == b"quick"
        wait.open()
        assert conn.reply().body == b"done"
    assert waits[2].threads[0].startswith(POOL)


def test_pooled_requests_run_side_by_side_up_to_the_threads_there_may_be(
    serving: Serving, connect: Connect, gate: Gate
) -> None:
    router = Router()

    @router.get("/", blocking=True)
    def wait(request: Request) -> str:
        gate.wait()
        return "done"

    running = serving(router, threads=3)
    conns = [connect(running.url) for _ in range(5)]
    for conn in conns:
        conn.get("/")
    gate.reached(3)
    gate.open()
    assert [conn.reply().body for conn in conns] == [b"done"] * 5
    assert len(set(gate.threads)) == 3


class LineCounter(logging.Handler):
    """Lets a test wait for lines: the pool answers first and logs then."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.written = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage().split('"')[1])
        self.written.release()


def test_a_pooled_request_is_logged_once(serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tinybeam.access")
    counter = LineCounter()
    witness = Witness(serving, connect, blocking=True, access_log=True)
    logging.getLogger("tinybeam.access").addHandler(counter)
    try:
        for _ in range(3):
            assert witness.run() == POOL
            assert counter.written.acquire(timeout=30)
        witness.other.get("/quick")
        assert witness.other.reply().body == b"quick"
    finally:
        logging.getLogger("tinybeam.access").removeHandler(counter)
    assert counter.lines == ["GET /suspect"] * 3 + ["GET /quick"]


def test_runners_that_were_needed_for_a_burst_retire(
    serving: Serving, connect: Connect, gate: Gate, until: Until
) -> None:
    router = Router()
    router.get("/quick")(lambda request: "quick")

    @router.get("/{n:int}", blocking=False)
    def wait(request: Request, n: int) -> str:
        gate.wait()
        return "done"

    running = serving(router, standby_idle_ms=1)
    conns = [connect(running.url) for _ in range(10)]
    for n, conn in enumerate(conns):
        conn.get(f"/{n}")
    gate.reached(10)
    assert running.stats()["runners"] >= 11
    gate.open()
    assert [conn.reply().body for conn in conns] == [b"done"] * 10
    until(lambda: running.stats()["runners"] == 2)  # one that polls, one on stand-by
    until(lambda: sum(thread.name.startswith(RUNNER) for thread in threading.enumerate()) == 2)
    conns[0].get("/quick")
    assert conns[0].reply().body == b"quick"


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
    serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(serving, connect, blocking=True)
    refuse_threads(monkeypatch, POOL)
    witness.conn.get("/suspect")
    reply = witness.conn.reply()
    assert (reply.status, b"no thread left" in reply.body) == (503, True)
    monkeypatch.undo()
    assert witness.run() == POOL


@pytest.mark.usefixtures("no_faults")
def test_a_runner_that_cannot_be_had_costs_no_request(
    serving: Serving, connect: Connect, gate: Gate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness(serving, connect)
    refuse_threads(monkeypatch, RUNNER)
    witness.block(gate)
    assert witness.run() == RUNNER
    assert "cannot start another runner" in caplog.text
    assert witness.running.stats()["runners"] == 2  # its place at the engine is free again


# By itself, without an engine.


class NoPort:
    number = 0

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


def make_scheduler(engine: object, on_broken: Callable[[BaseException], None] = lambda error: None) -> Scheduler:
    return Scheduler(
        engine,  # type: ignore[arg-type]
        Router().compile(),
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


def test_an_engine_without_a_place_for_another_runner_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    make_scheduler(FakeEngine(NativeError("too many runners", native.ELIMIT))).start_runner()
    assert "too many runners" in caplog.text


def test_an_engine_that_was_just_closed_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    make_scheduler(FakeEngine(NativeError("the engine is closed", native.ESHUTDOWN))).start_runner()
    assert caplog.text == ""


def test_a_case_that_another_thread_has_just_settled_is_no_crash() -> None:
    router = Router()
    router.get("/")(lambda request: "done")
    endpoint = router.compile().endpoints[0]
    request = Request(handle=7, method="GET", path_raw="/")
    assert make_scheduler(FakeEngine()).run_judged(endpoint, request, ()) == (7, 1, "done")


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
    scheduler = make_scheduler(FakeEngine(), broken.append)
    for _ in range(20):
        assert scheduler.on_fault(NoPort(), ValueError())  # type: ignore[arg-type]
        clock.now += FAULTS_WITHIN_S / FAULTS_MAX + 0.01
    assert broken == []


def test_more_faults_than_may_be_within_the_time_break_it(clock: Clock) -> None:
    broken: list[BaseException] = []
    scheduler = make_scheduler(FakeEngine(), broken.append)
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


# Faults of a live server.


def fault_times(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """The next batches cannot be decoded."""
    decode = runner._decode
    left = [None] * times

    def faulty(view: memoryview) -> list[Request]:
        if left:
            left.pop()
            raise MemoryError("scripted")
        return decode(view)

    monkeypatch.setattr(runner, "_decode", faulty)


def test_a_fault_costs_its_batch_a_500_each_and_nothing_else(
    serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness(serving, connect)
    fault_times(monkeypatch, 1)
    witness.conn.send(b"GET /suspect HTTP/1.1\r\nHost: t\r\n\r\n" * 3)
    assert [witness.conn.reply().status for _ in range(3)] == [500, 500, 500]
    assert witness.run() == RUNNER
    assert "runner 0 faulted" in caplog.text
    assert "MemoryError: scripted" in caplog.text


def test_a_server_that_faults_again_and_again_stops_and_says_so(
    serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness(serving, connect)
    fault_times(monkeypatch, 100)
    for _ in range(FAULTS_MAX):
        witness.conn.get("/suspect")
        assert witness.conn.reply().status == 500
    witness.conn.get("/suspect")
    witness.running.wait()
    assert "the server gives up" in caplog.text
    assert not witness.running.ref.is_alive()
    with pytest.raises(ConnectionRefusedError):
        connect(witness.running.url)
