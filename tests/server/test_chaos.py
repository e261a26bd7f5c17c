"""Processes and requests are killed at random under load: each request is answered, and all is whole afterwards."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

from tinybeam import Router
from tinybeam.errors import ProcessError
from tinybeam.process import GenServer, Supervisor, call, exit, whereis

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import Connect, Serving

CLIENTS = 20
REQUESTS = 150
NAMES = [f"chaos-{number}" for number in range(5)]


class Counter(GenServer):
    """Counts, until it is killed."""

    def init(self) -> int:
        return 0

    def handle_call(self, message: Any, from_: Any, count: int) -> Any:
        return count, count + 1


def app() -> Router:
    router = Router()
    children = [Counter.child_spec(name=name) for name in NAMES]
    # So many restarts are meant; that a supervisor gives up is another test's.
    router.children([Supervisor.child_spec(children, max_restarts=1_000_000, id="counters")])

    @router.get("/count/{number:int}")
    def count(request: Any, number: int) -> str:
        return str(call(NAMES[number], "count"))

    return router


class Client(threading.Thread):
    """Asks one after the other, and keeps what it was told."""

    def __init__(self, connect: Connect, url: str, seed: int) -> None:
        super().__init__()
        self._connect, self._url = connect, url
        self._random = random.Random(seed)
        self.told: list[int] = []
        self.closed = 0

    def run(self) -> None:
        conn = self._connect(self._url)
        while len(self.told) + self.closed < REQUESTS:
            try:
                conn.get(f"/count/{self._random.randrange(len(NAMES))}")
                self.told.append(conn.reply().status)
            except (ConnectionError, EOFError):
                self.closed += 1
                conn = self._connect(self._url)


def test_every_request_is_answered_while_processes_and_requests_are_killed(
    serving: Serving, connect: Connect, until: Callable[[Callable[[], object]], None]
) -> None:
    running = serving(app(), standby_idle_ms=100)
    before = threading.active_count()
    clients = [Client(connect, running.url, seed) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    chosen = random.Random(7)
    killed = 0
    while any(client.is_alive() for client in clients):
        victim = whereis(chosen.choice(NAMES))
        if victim is not None:
            exit(victim, chosen.choice(["kill", "shutdown", ValueError("scripted")]))
            killed += 1
        for request in running.requests()[:1]:
            exit(request.ref, "kill")
    for client in clients:
        client.join()
    assert killed > 0
    assert {status for client in clients for status in client.told} <= {200, 500, 503}
    assert sum(len(client.told) for client in clients) >= CLIENTS * REQUESTS * 0.9
    for name in NAMES:
        while True:
            try:
                call(name, "count")
                break
            except ProcessError:
                continue  # it is being started again
    conn = connect(running.url)
    for number in range(500):
        conn.get(f"/count/{number % len(NAMES)}")
        assert conn.reply().status == 200
    # Those that were on stand-by, and the crew's, have gone; and a runner or two may have come.
    until(lambda: threading.active_count() <= before + 2)
