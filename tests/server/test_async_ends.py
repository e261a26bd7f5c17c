"""How handlers that are `async def` end before they are done: deadlines, kills, drains and stops."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Request, Router
from tinybeam.process import receive, receive_async, self_ref
from tinybeam.server import loop

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Serving, Until

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("no_faults", "empty_mailbox")


def waiting_app(**options: Any) -> Router:
    """/wait tells the test who it is, waits for a message, and tells it how it has ended."""
    router = Router()
    test = self_ref()

    async def deeper() -> Any:
        return await receive_async(PATIENCE_S)

    @router.get("/wait", **options)
    async def wait(request: Request) -> str:
        test.send(self_ref())
        try:
            return f"was sent {await deeper()}"
        except asyncio.CancelledError:
            test.send("cancelled")
            raise
        finally:
            test.send("left")

    @router.get("/quick")
    async def quick(request: Request) -> str:
        return "quick"

    return router


def overdue(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if "is overdue" in record.getMessage()]


def test_one_that_overruns_is_answered_for_reported_with_its_line_and_cancelled(
    serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    running = serving(waiting_app(request_timeout_ms=50))
    conn = connect(running.url)
    conn.get("/wait")
    request = receive(PATIENCE_S)
    assert conn.reply().status == 504
    assert conn.rest() == b""
    assert [receive(PATIENCE_S), receive(PATIENCE_S)] == ["cancelled", "left"]
    until(lambda: not request.is_alive())
    [record] = overdue(caplog)
    assert re.fullmatch(
        r"request [0-9a-f]+ is overdue: GET /wait in GET /wait \(.*test_async_ends\.py:\d+\) after \d+\.\d s; "
        r"the client was told 504, and it was cancelled; it was at",
        record.getMessage(),
    ), record.getMessage()
    assert record.stack_info is not None
    assert "in deeper" in record.stack_info
    assert "await receive_async(PATIENCE_S)" in record.stack_info
    assert "in _run" not in record.stack_info, "how we got there is nobody's business"
    stats = running.stats()
    assert (stats["requests_overdue"], stats["handles_open"], stats["answers_refused"]) == (1, 0, 0)


def test_one_that_has_no_deadline_outlives_that_of_the_others(serving: Serving, connect: Connect) -> None:
    running = serving(waiting_app(request_timeout_ms=None), request_timeout_ms=50)
    conn = connect(running.url)
    conn.get("/wait")
    request = receive(PATIENCE_S)
    router_default = waiting_app()
    other = connect(serving(router_default, request_timeout_ms=50).url)
    other.get("/wait")
    assert other.reply().status == 504
    request.send("hello")
    assert conn.reply().body == b"was sent hello"


def test_the_deadline_of_one_that_blocks_the_loop_and_of_those_behind_it(
    gate: Gate, serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()
    ran: list[str] = []

    @router.get("/block")
    async def block(request: Request) -> str:
        gate.wait()
        return "late"

    @router.get("/behind")
    async def behind(request: Request) -> str:
        ran.append("behind")
        return "behind"

    running = serving(router, request_timeout_ms=50)
    first, second = connect(running.url), connect(running.url)
    first.get("/block")
    gate.reached()
    second.get("/behind")
    assert (first.reply().status, second.reply().status) == (504, 504)
    until(lambda: len(overdue(caplog)) == 2)
    texts = {record.getMessage().split(" in GET")[0].rsplit(" ")[-1]: record for record in overdue(caplog)}
    assert "its own answer will be refused; it is at" in texts["/block"].getMessage()
    assert "gate.wait()" in str(texts["/block"].stack_info)
    assert "it will not be run: the event loop was held up" in texts["/behind"].getMessage()
    gate.open()
    until(lambda: running.stats()["answers_refused"] == 1)
    until(lambda: running._server._scheduler.loop.runs == {})
    assert ran == []


def test_a_drain_waits_for_it(serving: Serving, connect: Connect) -> None:
    running = serving(waiting_app())
    conn = connect(running.url)
    conn.get("/wait")
    request = receive(PATIENCE_S)
    drained: list[bool] = []
    thread = threading.Thread(target=lambda: drained.append(running.drain(PATIENCE_S * 1000)))
    thread.start()
    request.send("hello")
    assert conn.reply().body == b"was sent hello"
    thread.join(PATIENCE_S)
    assert drained == [True]
    assert receive(PATIENCE_S) == "left"


def test_a_stop_cancels_it_waits_for_its_end_and_closes_the_connection(serving: Serving, connect: Connect) -> None:
    router = waiting_app()
    test = self_ref()

    async def leave_behind() -> None:
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            await asyncio.sleep(0)  # what it does at its end may take more than a turn
            test.send("the task that was left behind")

    @router.get("/leave")
    async def leave(request: Request) -> str:
        asyncio.get_running_loop().kept = asyncio.create_task(leave_behind())  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        return "left"

    running = serving(router)
    conn, other = connect(running.url), connect(running.url)
    conn.get("/wait")
    request = receive(PATIENCE_S)
    other.get("/leave")
    assert other.reply().body == b"left"
    running.stop()
    # All has happened by now.
    assert sorted(receive(0) for _ in range(3)) == ["cancelled", "left", "the task that was left behind"]
    assert not request.is_alive()
    assert conn.rest() == b""
    assert not running._server._scheduler.loop._thread.is_alive()


def test_one_that_does_not_heed_its_cancellation_is_left_behind_with_a_word(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CANCEL_S", 0.05)
    router = Router()
    test = self_ref()

    @router.get("/deaf")
    async def deaf(request: Request) -> str:
        test.send(self_ref())
        while True:
            try:
                await asyncio.sleep(PATIENCE_S)
            except asyncio.CancelledError:
                continue

    running = serving(router)
    connect(running.url).get("/deaf")
    request = receive(PATIENCE_S)
    running.stop()
    [text] = [record.getMessage() for record in caplog.records if "though it was cancelled" in record.getMessage()]
    assert "GET /deaf (" in text
    assert "await asyncio.sleep(PATIENCE_S)" in text
    assert not request.is_alive()


def test_a_loop_that_is_held_up_is_left_behind_by_a_stop_and_ends_by_itself(
    gate: Gate,
    serving: Serving,
    connect: Connect,
    until: Until,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "CANCEL_S", 0.05)
    router = Router()

    @router.get("/block")
    async def block(request: Request) -> str:
        gate.wait()
        return "late"

    running = serving(router)
    connect(running.url).get("/block")
    gate.reached()
    running.stop()
    assert "the event loop is held up, and is left behind; it is at" in caplog.text
    assert "gate.wait()" in caplog.text
    gate.open()
    until(lambda: not running._server._scheduler.loop._thread.is_alive())


def test_it_may_stop_the_server_itself(serving: Serving, connect: Connect) -> None:
    router = Router()
    test = self_ref()

    @router.get("/stop")
    async def stop(request: Request) -> str:
        running.stop()
        test.send("stopped")
        return "never read"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/stop")
    assert receive(PATIENCE_S) == "stopped"
    assert conn.rest() == b""
    running.wait()


def test_a_handler_that_returns_though_it_was_cancelled_is_refused(
    serving: Serving, connect: Connect, until: Until
) -> None:
    router = Router()

    @router.get("/", request_timeout_ms=20)
    async def stubborn(request: Request) -> str:
        try:
            await asyncio.sleep(PATIENCE_S)
        except asyncio.CancelledError:
            return "nevertheless"
        return "never"

    running = serving(router)
    conn = connect(running.url)
    conn.get("/")
    assert conn.reply().status == 504
    until(lambda: running.stats()["answers_refused"] == 1)


def test_what_is_raised_while_it_is_cancelled_is_reported(
    serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/", request_timeout_ms=20)
    async def clumsy(request: Request) -> str:
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            raise ValueError("scripted")

    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().status == 504
    until(lambda: "raised ValueError" in caplog.text)
