"""What the scheduler learns of routes: which of them block, and how many runners it needs."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router
from tinybeam.server.judge import FORGIVEN_AFTER

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Gates, MakeWitness, Serving, Until

# As long as a Witness's, for the same reason.
TAKEOVER_MS = 100
RUNNER, POOL = "tinybeam-runner", "tinybeam-blocking"


def test_one_hiccup_does_not_send_a_route_to_the_pool(gate: Gate, make_witness: MakeWitness) -> None:
    witness = make_witness()
    witness.block(gate)
    assert [witness.run() for _ in range(10)] == [RUNNER] * 10
    stats = witness.running.stats()
    assert (stats["takeovers"], stats["pool_threads"]) == (1, 0)


def test_a_route_that_blocks_twice_runs_in_the_pool(gates: Gates, make_witness: MakeWitness) -> None:
    witness = make_witness()
    witness.block(gates())
    witness.block(gates())
    assert witness.run() == POOL
    assert witness.running.stats()["pool_threads"] == 1


def test_a_route_that_stops_blocking_comes_back(gates: Gates, until: Until, make_witness: MakeWitness) -> None:
    witness = make_witness()
    witness.block(gates())
    witness.block(gates())
    assert [witness.run() for _ in range(FORGIVEN_AFTER)] == [POOL] * FORGIVEN_AFTER
    until(lambda: witness.run() == RUNNER)  # the pool answers first and tells the judge then


def test_a_route_in_the_pool_takes_no_scheduler_from_a_runner(gates: Gates, make_witness: MakeWitness) -> None:
    witness = make_witness()
    for _ in range(4):
        witness.block(gates())
    assert witness.running.stats()["takeovers"] == 2


def test_a_route_that_is_said_to_block_is_pooled_at_once(gate: Gate, make_witness: MakeWitness) -> None:
    witness = make_witness(blocking=True)
    assert [witness.run() for _ in range(40)] == [POOL] * 40
    witness.block(gate)
    assert witness.running.stats()["takeovers"] == 0


def test_a_route_that_is_said_not_to_block_is_never_pooled(gates: Gates, make_witness: MakeWitness) -> None:
    witness = make_witness(blocking=False)
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


def test_a_pooled_request_is_logged_once(caplog: pytest.LogCaptureFixture, make_witness: MakeWitness) -> None:
    caplog.set_level(logging.INFO, "tinybeam.access")
    counter = LineCounter()
    witness = make_witness(blocking=True, access_log=True)
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
