"""Requests and processes: what a full mailbox, a crash, a death and a slow process do to clients, and what not."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import Router
from tinybeam.process import (
    GenServer,
    Supervisor,
    TaskSupervisor,
    call,
    cast,
    exit,
    monitor,
    receive,
    self_ref,
    whereis,
)
from tinybeam.process.messages import CAST

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Serving, Until

pytestmark = pytest.mark.usefixtures("no_faults")

PATIENCE_S = 30


class Counter(GenServer):
    """Counts; waits at a gate, or crashes, if it is cast one or anything else."""

    def handle_call(self, message: Any, from_: Any, count: int) -> Any:
        return count + 1, count + 1

    def handle_cast(self, message: Any, count: int) -> Any:
        if hasattr(message, "wait"):
            message.wait()
            return count
        raise ValueError(message)


def counting(**attributes: Any) -> Router:
    """An app with a counter below its supervisor."""
    router = Router()
    one = type("Small", (Counter,), attributes)
    router.children([Supervisor.child_spec([one.child_spec(0, name="counter")], max_restarts=1_000_000)])

    @router.get("/count")
    def count(request: Any) -> str:
        return str(call("counter", "count"))

    @router.get("/crash")
    def crash(request: Any) -> str:
        call("counter", "count")
        raise SystemExit(3)

    router.get("/plain")(lambda request: "plain")
    return router


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_a_request_that_finds_a_full_mailbox_is_answered_503(
    limit: int, serving: Serving, connect: Connect, gate: Gate, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tinybeam.crash")
    url = serving(counting(mailbox_max=limit, blocking=limit > 0)).url
    conns = [connect(url) for _ in range(limit)]
    counter = whereis("counter")
    if limit:
        counter.cast(gate)
    else:
        counter._process._post((CAST, gate, None))  # `cast` is refused
    gate.reached()
    for waiting, conn in enumerate(conns):
        conn.get("/count")
        until(lambda waiting=waiting: len(counter._process._waiting()) > waiting)
    late = connect(url)
    for _ in range(3):
        late.get("/count")
        reply = late.reply()
        assert (reply.status, reply.body) == (503, b"too much waits to be done; try again later")
        late.get("/plain")
        assert late.reply().body == b"plain"
    assert [record.levelno for record in caplog.records if record.name == "tinybeam.crash"] == [logging.WARNING] * 3
    assert "GET /count" in caplog.text
    gate.open()
    assert sorted(int(conn.reply().body) for conn in conns) == list(range(1, limit + 1))


def test_crashes_of_handlers_change_nothing_in_a_process_that_they_have_called(
    serving: Serving, connect: Connect
) -> None:
    conn = connect(serving(counting()).url)
    crash_log = logging.getLogger("tinybeam.crash")
    crash_log.disabled = True  # tracebacks would say nothing new
    try:
        for number in range(1, 1001):
            path, status = ("/crash", 500) if number % 10 == 0 else ("/count", 200)
            conn.get(path)
            reply = conn.reply()
            assert reply.status == status
            assert status == 500 or int(reply.body) == number
    finally:
        crash_log.disabled = False


def test_a_request_that_waits_for_a_process_that_crashes_is_answered_500_and_the_next_one_finds_it_anew(
    serving: Serving, connect: Connect, gate: Gate, until: Until
) -> None:
    url = serving(counting(blocking=True)).url
    conns = [connect(url) for _ in range(5)]
    counter = whereis("counter")
    counter.cast(gate)
    counter.cast("crash")
    gate.reached()
    for waiting, conn in enumerate(conns, start=1):
        conn.get("/count")
        until(lambda waiting=waiting: len(counter._process._waiting()) > waiting)
    gate.open()
    assert [conn.reply().status for conn in conns] == [500] * 5
    until(lambda: whereis("counter") not in (None, counter))
    for number, conn in enumerate(conns, start=1):
        conn.get("/count")
        assert int(conn.reply().body) == number


def test_a_crash_after_the_answer_costs_the_client_nothing(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.children([TaskSupervisor.child_spec(name="afterwards")])
    test = self_ref()

    def crash(answered: threading.Event) -> None:
        test.send(self_ref())
        assert answered.wait(PATIENCE_S)
        raise ValueError("too late to matter")

    answered = threading.Event()

    @router.get("/later")
    def later(request: Any) -> str:
        TaskSupervisor.start_child("afterwards", crash, answered)
        return "done"

    conn = connect(serving(router).url)
    conn.get("/later")
    assert conn.reply().body == b"done"
    watch = monitor(receive(PATIENCE_S))
    answered.set()
    down = receive(PATIENCE_S)
    assert (down.monitor, repr(down.reason)) == (watch, "ValueError('too late to matter')")
    conn.get("/later")
    assert conn.reply().body == b"done"
    receive(PATIENCE_S)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3)], ids=repr)
def test_a_crash_while_the_body_is_on_its_way_is_answered_and_no_octet_of_it_is_taken_for_a_request(
    error: BaseException, serving: Serving, connect: Connect
) -> None:
    def refuse(request: Any) -> bool:
        raise error

    router = Router()
    router.get("/plain")(lambda request: "plain")
    router.post("/guarded", when=refuse)(lambda request: "in")
    url = serving(router).url
    conn = connect(url)
    smuggled = b"GET /plain HTTP/1.1\r\nHost: t\r\n\r\n"
    conn.send(b"POST /guarded HTTP/1.1\r\nHost: t\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
    assert conn.reply().status == 500
    conn.send_unless_closed(smuggled)
    with contextlib.suppress(OSError):
        conn.end()
    assert b"plain" not in conn.rest()
    other = connect(url)
    other.get("/plain")
    assert other.reply().body == b"plain"


def test_no_thread_and_no_process_stays_when_a_server_with_children_has_stopped(
    serving: Serving, connect: Connect, until: Until
) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        running = serving(counting(), standby_idle_ms=100)
        conn = connect(running.url)
        for path in ("/count", "/crash", "/count"):
            conn.get(path)
            conn.reply()
        cast("counter", "crash")
        running.stop()
        assert whereis("counter") is None
    until(lambda: set(threading.enumerate()) <= before)


def test_a_request_that_is_killed_while_it_waits_for_a_process_frees_its_client_and_not_the_process(
    serving: Serving, connect: Connect, gate: Gate, until: Until
) -> None:
    running = serving(counting(blocking=True))
    conn, counter = connect(running.url), whereis("counter")
    counter.cast(gate)
    gate.reached()
    conn.get("/count")
    until(lambda: counter._process._waiting())
    [row] = running.requests()
    exit(row.ref, "kill")
    assert conn.reply().status == 503
    assert counter.is_alive()
    gate.open()
    assert counter.call("count") == 2  # what it was asked for it has done
