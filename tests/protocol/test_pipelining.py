"""Requests that do not wait for answers: RFC 9112 section 9.3.2."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn
    from tests.protocol.conftest import CountingApp

    Gates = Callable[[], Gate]
    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


def post(path: str, body: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.fixture
def router(gate: Gate) -> Router:
    router = Router()
    router.get("/constant", do="constant")
    router.get("/{n:int}")(lambda request, n: str(n))

    @router.get("/wait", blocking=True)
    def wait(request: Request) -> str:
        gate.wait()
        return "waited"

    return router


def assert_goes_on(other: RawConn) -> None:
    """Another connection is answered many times: long enough for what is held back to show, were it not."""
    for _ in range(20):
        other.send(get("/1"))
        assert other.reply().body == b"1"


def test_answers_come_in_the_order_of_the_requests_whichever_is_ready_first(
    router: Router, gates: Gates, serving: Serving, connect: Connect
) -> None:
    waits = [gates() for _ in range(4)]
    finished: list[int] = []
    done = threading.Semaphore(0)

    @router.get("/each/{n:int}", blocking=True)
    def each(request: Request, n: int) -> str:
        waits[n].wait()
        finished.append(n)
        done.release()
        return f"each {n}"

    conn = connect(serving(router).url)
    conn.send(b"".join(get(f"/each/{n}") for n in range(4)))
    for n in (3, 1, 2, 0):
        waits[n].reached()
        waits[n].open()
        assert done.acquire(timeout=30)
    assert finished == [3, 1, 2, 0]
    assert [conn.reply().body for _ in range(4)] == [b"each 0", b"each 1", b"each 2", b"each 3"]


def test_a_quick_answer_and_a_constant_wait_behind_a_slow_one(
    router: Router, gate: Gate, serving: Serving, connect: Connect
) -> None:
    running = serving(router)
    conn = connect(running.url)
    conn.send(get("/wait") + get("/constant") + get("/1") + get("/constant"))
    gate.reached()
    other = connect(running.url)
    other.send(get("/1"))
    assert other.reply().body == b"1"
    gate.open()
    assert [conn.reply().body for _ in range(4)] == [b"waited", b"constant", b"1", b"constant"]


def test_an_unsafe_method_waits_for_the_answers_before_it(
    router: Router, gate: Gate, serving: Serving, connect: Connect
) -> None:
    """A client could not tell in which order they took effect, else."""
    order: list[str] = []

    @router.get("/note", blocking=True)
    def note(request: Request) -> str:
        gate.wait()
        order.append("get")
        return "noted"

    @router.post("/change")
    def change(request: Request) -> str:
        order.append("post")
        return "changed"

    running = serving(router)
    conn, other = connect(running.url), connect(running.url)
    conn.send(get("/note") + post("/change", "x"))
    gate.reached()
    assert_goes_on(other)
    assert order == []
    gate.open()
    assert [conn.reply().body for _ in range(2)] == [b"noted", b"changed"]
    assert order == ["get", "post"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PURGE"])
def test_what_comes_behind_an_unsafe_method_waits_for_its_answer(
    method: str, router: Router, gate: Gate, serving: Serving, connect: Connect
) -> None:
    order: list[str] = []

    @router.route("/change", methods=[method], blocking=True)
    def change(request: Request) -> str:
        gate.wait()
        order.append("change")
        return "changed"

    @router.get("/read")
    def read(request: Request) -> str:
        order.append("read")
        return "read"

    running = serving(router)
    conn, other = connect(running.url), connect(running.url)
    conn.send(post("/change", "").replace(b"POST", method.encode()) + get("/read"))
    gate.reached()
    assert_goes_on(other)
    assert order == []
    gate.open()
    assert [conn.reply().body for _ in range(2)] == [b"changed", b"read"]
    assert order == ["change", "read"]


def test_a_malformed_second_request_does_not_cost_the_first_its_answer(conn: RawConn, app: CountingApp) -> None:
    conn.send(get("/first") + b"G@T / HTTP/1.1\r\n\r\n" + get("/smuggled"))
    assert conn.reply().status == 200
    refusal = conn.reply()
    assert (refusal.status, refusal.headers["connection"]) == (400, "close")
    assert conn.rest() == b""
    assert app.seen == ["GET /first"]


def test_not_even_when_the_first_one_is_slow(router: Router, gate: Gate, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(router).url)
    conn.send(get("/wait") + b"nonsense\r\n\r\n")
    gate.reached()
    gate.open()
    assert [conn.reply().status for _ in range(2)] == [200, 400]
    assert conn.rest() == b""


@pytest.mark.parametrize("settings", [{"pipeline_requests_max": 4}, {"batch_requests_max": 3}, {"handles_max": 2}])
def test_more_requests_than_fit_at_once_are_all_answered(conn: RawConn, app: CountingApp) -> None:
    conn.send(b"".join(post(f"/{n}", str(n)) if n % 5 == 0 else get(f"/{n}") for n in range(200)))
    assert [conn.reply().body for _ in range(200)] == [str(n).encode() if n % 5 == 0 else b"" for n in range(200)]
    assert len(app.seen) == 200


def test_a_pipeline_that_comes_octet_by_octet_is_the_same_pipeline(conn: RawConn, app: CountingApp) -> None:
    for octet in get("/a") + post("/b", "body") + get("/c"):
        conn.send(bytes([octet]))
    assert [conn.reply().body for _ in range(3)] == [b"", b"body", b""]
    assert app.seen == ["GET /a", "POST /b", "GET /c"]
