"""Reports of requests whose handlers overran, by what the server knows of who runs them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.server import overdue
from tinybeam.server.overdue import RETURNED, STUCK
from tinybeam.server.pool import BlockingPool

# Its name in logs has zeros before it.
REQUEST = Request(0x00AB_0000_0000_0001, "GET", "/slow")
PATIENCE_S = 30


@pytest.fixture
def endpoint() -> Any:
    router = Router()
    router.get("/slow")(lambda request: "late")
    return router.compile().endpoints[0]


def report(runners: list[Any], pool: Any = None) -> None:
    nobody: Any = SimpleNamespace(runs={})
    overdue.report([(REQUEST.handle, 1500)], runners, pool or BlockingPool(print, 1), nobody)


def runner_of(request: Request | None, endpoint: Any, ident: int | None) -> Any:
    return SimpleNamespace(ident=ident, turn=SimpleNamespace(request=request, endpoint=endpoint))


def test_one_that_nobody_runs_is_told_by_the_name_that_it_has_everywhere(caplog: pytest.LogCaptureFixture) -> None:
    report([runner_of(None, None, None)])
    assert caplog.messages == [f"request {REQUEST.id} is overdue after 1.5 s; the client was told 504"]


def test_one_that_a_runner_is_at_is_told_with_its_route_and_what_has_become_of_it(
    endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    report([runner_of(REQUEST, endpoint, None)])
    [message] = caplog.messages
    assert REQUEST.id in message
    assert "/slow" in message
    assert RETURNED in message


def test_one_that_waits_for_a_thread_of_the_pool_is_taken_back(
    endpoint: Any, caplog: pytest.LogCaptureFixture, gate: Any
) -> None:
    def work(_endpoint: Any, request: Request, *_rest: Any) -> None:
        ran.append(request)
        gate.wait()

    ran: list[Request] = []
    other = Request(7, "GET", "/slow")
    pool = BlockingPool(work, 1)
    pool.deal((endpoint, other, (), None))
    gate.reached()
    pool.deal((endpoint, REQUEST, (), None))
    report([], pool)
    [message] = caplog.messages
    assert "it will not be run: all 1 threads for handlers that block were busy" in message
    overdue.report([(other.handle, 1500)], [], pool, SimpleNamespace(runs={}))  # type: ignore[arg-type]
    assert STUCK in caplog.messages[-1]
    assert "gate.wait()" in caplog.text
    gate.open()
    pool.close()
    assert ran == [other]
