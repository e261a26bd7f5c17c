"""Mixed load: quick, slow, raising, pooled and pipelined requests at once; none is lost, doubled, or another's."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Router
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import RawConn

    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]

pytestmark = pytest.mark.usefixtures("no_faults")

THREADS, EACH = 8, 1250
KINDS = ["quick"] * 8 + ["slow", "stubborn", "spin", "pooled", "pooled", "crash", "post"]


def make_app(runs: list[int]) -> Router:
    """Its routes answer with the ids of the path and of a header, and note that they ran."""
    router = Router()

    def reply(request: Request, n: int) -> str:
        runs.append(n)  # which is atomic
        return f"{request.path} {request.headers['x-id']}"

    def slow(request: Request, n: int) -> str:
        threading.Event().wait(0.002)  # longer than a tick of the monitor, which is what is tested
        return reply(request, n)

    router.get("/quick/{n:int}")(reply)
    router.get("/pooled/{n:int}", blocking=True)(reply)
    router.get("/slow/{n:int}")(slow)
    router.get("/stubborn/{n:int}", blocking=False)(slow)  # it goes on costing its runner the scheduler

    @router.get("/spin/{n:int}")
    def spin(request: Request, n: int) -> str:
        sum(range(20_000))
        return reply(request, n)

    @router.get("/crash/{n:int}")
    def crash(request: Request, n: int) -> str:
        reply(request, n)
        raise SystemExit(n)

    @router.post("/post/{n:int}")
    def post(request: Request, n: int) -> str:
        assert request.text() == f"body {n}"
        return reply(request, n)

    return router


def kind_of(n: int) -> str:
    return KINDS[n % len(KINDS)]


def octets_of(n: int) -> bytes:
    kind = kind_of(n)
    head = f"{'POST' if kind == 'post' else 'GET'} /{kind}/{n} HTTP/1.1\r\nHost: t\r\nX-Id: {n}\r\n"
    body = f"body {n}" if kind == "post" else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{head}{length}\r\n{body}".encode()


def answer_of(n: int) -> tuple[int, bytes]:
    if kind_of(n) == "crash":
        return 500, b"Internal Server Error"
    return 200, f"/{kind_of(n)}/{n} {n}".encode()


def drive(conn: RawConn, ids: list[int], wrong: list[str]) -> None:
    """Sends the requests in pipelines of mixed lengths, and notes each answer that is not the one expected."""
    length = ids[0] % 13
    while ids:
        length = length % 13 + 1
        some, ids = ids[:length], ids[length:]
        conn.send(b"".join(octets_of(n) for n in some))
        for n in some:
            reply = conn.reply()
            if (reply.status, reply.body) != answer_of(n):
                wrong.append(f"{n}: {reply.status} {reply.body!r}")
    conn.end()
    if rest := conn.rest():
        wrong.append(f"more than the answers: {rest[:80]!r}")


def test_ten_thousand_mixed_requests_are_each_answered_once_with_their_own_id(
    serving: Serving, connect: Connect
) -> None:
    runs: list[int] = []
    wrong: list[str] = []
    running = serving(make_app(runs))
    drivers = [
        threading.Thread(target=drive, args=(connect(running.url), list(range(at, at + EACH)), wrong))
        for at in range(0, THREADS * EACH, EACH)
    ]
    crash_log = logging.getLogger("tinybeam.crash")
    crash_log.disabled = True  # hundreds of tracebacks would say nothing new
    try:
        for thread in drivers:
            thread.start()
        for thread in drivers:
            thread.join()
    finally:
        crash_log.disabled = False
    assert wrong == []
    assert sorted(runs) == list(range(THREADS * EACH))
    stats = running.stats()
    assert stats["requests"] == THREADS * EACH
    assert (stats["answers_refused"], stats["answers_late"], stats["handles_open"]) == (0, 0, 0)
