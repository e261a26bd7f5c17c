"""A server runs processes between its batches, for as long as it is there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from tinybeam import Router
from tinybeam.process import GenServer, exit, ready, self_ref
from tinybeam.process.crew import crew

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import Connect, Serving

PATIENCE_S = 30


class Placed(GenServer):
    """Says in which thread its casts are run."""

    def handle_cast(self, message: Any, state: Any) -> Any:
        message(threading.current_thread().name)
        return state


class Flood(GenServer):
    """Always has a message of its own waiting."""

    def handle_cast(self, message: Any, state: int) -> int:
        self_ref().cast(message)
        return state + 1


class Stuck(GenServer):
    """Blocks when it is told to."""

    def handle_cast(self, message: Any, state: Any) -> Any:
        entered, let_go = message
        entered.set()
        let_go.wait(PATIENCE_S)
        return state


def app() -> Router:
    router = Router()
    router.get("/")(lambda request: "yay")
    return router


def place_of(placed: Any) -> str:
    """Where a cast is run."""
    found: list[str] = []
    told = threading.Event()

    def tell(name: str) -> None:
        found.append(name)
        told.set()

    placed.cast(tell)
    assert told.wait(PATIENCE_S)
    return found[0]


def test_the_last_server_that_started_runs_what_is_ready_and_the_crew_when_there_is_none(serving: Serving) -> None:
    placed = Placed.start()
    assert place_of(placed) == "tinybeam-process"
    first = serving(app())
    assert place_of(placed).startswith("tinybeam-runner")
    before = ready.driver
    second = serving(app())
    assert ready.driver is not before
    assert place_of(placed).startswith("tinybeam-runner")
    second.stop()
    assert ready.driver is before
    assert place_of(placed).startswith("tinybeam-runner")
    first.stop()
    assert ready.driver is crew
    assert place_of(placed) == "tinybeam-process"
    placed.stop()


def test_a_process_that_floods_itself_keeps_no_request_waiting(serving: Serving, connect: Connect) -> None:
    floods = [Flood.start(0) for _ in range(50)]
    conn = connect(serving(app()).url)
    for flood in floods:
        flood.cast("again")
    for _ in range(200):
        conn.get("/")
        assert conn.reply().body == b"yay"
    for flood in floods:
        exit(flood, "kill")


def test_a_process_that_blocks_its_runner_keeps_neither_requests_nor_processes_waiting(
    serving: Serving, connect: Connect
) -> None:
    stuck, placed = [Stuck.start() for _ in range(5)], Placed.start()
    running = serving(app())
    conn = connect(running.url)
    gates = [(threading.Event(), threading.Event()) for _ in stuck]
    for one, (entered, let_go) in zip(stuck, gates, strict=True):
        one.cast((entered, let_go))
        assert entered.wait(PATIENCE_S)
        conn.get("/")
        assert conn.reply().body == b"yay"
        assert place_of(placed).startswith("tinybeam-runner")
    for _, let_go in gates:
        let_go.set()
    for one in (*stuck, placed):
        one.stop()


def test_the_route_that_ran_before_is_not_blamed_for_a_process_that_blocks(serving: Serving, connect: Connect) -> None:
    router, stuck = app(), Stuck.start()
    places: list[str] = []

    @router.get("/cast/{n:int}")
    def cast(request: Any, n: int) -> str:
        places.append(threading.current_thread().name)
        stuck.cast(gates[n])
        return "cast"

    gates = [(threading.Event(), threading.Event()) for _ in range(10)]
    conn = connect(serving(router).url)
    for n, (entered, let_go) in enumerate(gates):
        conn.get(f"/cast/{n}")
        assert conn.reply().body == b"cast"
        assert entered.wait(PATIENCE_S)
        # Somebody else answers, so the scheduler has been taken.
        conn.get("/")
        assert conn.reply().body == b"yay"
        let_go.set()
    assert all(name.startswith("tinybeam-runner") for name in places)
    stuck.stop()


def test_a_handler_that_calls_a_busy_process_waits_for_it_and_nobody_else_does(
    serving: Serving, connect: Connect, until: Callable[[Callable[[], object]], None]
) -> None:
    router, stuck = app(), Stuck.start()

    @router.get("/stop")
    def stop(request: Any) -> str:
        return str(stuck.stop())

    running = serving(router)
    waiting, other = connect(running.url), connect(running.url)
    entered, let_go = threading.Event(), threading.Event()
    stuck.cast((entered, let_go))
    assert entered.wait(PATIENCE_S)
    waiting.get("/stop")
    for _ in range(10):
        other.get("/")
        assert other.reply().body == b"yay"
    let_go.set()
    assert waiting.reply().body == b"True"
