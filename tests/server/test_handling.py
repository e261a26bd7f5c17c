"""One request, from its match to its answer: whatever happens in it, there is exactly one answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pykka
import pytest

from tinybeam import HTTPError, Request, Response, Router
from tinybeam.server import RunningServer, run_request

if TYPE_CHECKING:
    from tests.conftest import RawConn

    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]

pytestmark = pytest.mark.usefixtures("no_faults")


class Custom(BaseException):
    """Not even an Exception."""


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


ERRORS = [
    ValueError("bad"),
    SystemExit(3),
    KeyboardInterrupt(),
    GeneratorExit(),
    StopIteration(),
    RecursionError(),
    MemoryError(),
    UnprintableError(),
    Custom("custom"),
]
UNSENDABLE = [
    object(),
    {1, 2},
    (200, {"X": "a\r\nb: c"}, "text"),
    (200, {"a b": "c"}, "text"),
    (200, {"Content-Length": "1"}, "text"),
    (99, "status"),
    (204, "a body"),
    (1, 2, 3, 4),
    "\ud800",
    {"key": "\ud800"},
    Response,
    HTTPError(404, headers={"X": "a\nb"}),
    HTTPError(404, "\ud800"),
]


def name(value: object) -> str:
    return repr(value)[:40]


class Witness(pykka.ThreadingActor):
    def on_receive(self, message: Any) -> str:
        return "alive"


def request(path: str, method: str = "GET") -> Request:
    return Request(handle=0x2A, method=method, path_raw=path)


def reports(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "tinybeam.crash"]


def raising(error: BaseException) -> Router:
    """An app that raises it in a handler, in a guard, and in a handler that runs in the pool."""
    router = Router()

    def crash(request: Request) -> str:
        raise error

    def suspicious() -> bool:
        raise error

    router.get("/handler")(crash)
    router.get("/pooled", blocking=True)(crash)
    router.get("/guard", when=suspicious)(crash)
    router.get("/")(lambda request: "pong")
    return router


@pytest.mark.parametrize("error", ERRORS, ids=name)
@pytest.mark.parametrize("where", ["handler", "pooled", "guard"])
def test_whatever_is_raised_costs_one_request_a_500_and_nothing_else_anything(
    where: str, error: BaseException, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    witness = Witness.start()
    try:
        running = serving(raising(error))
        conn = connect(running.url)
        for _ in range(3):
            conn.get(f"/{where}")
            reply = conn.reply()
            assert (reply.status, reply.body) == (500, b"Internal Server Error")
            conn.get("/")
            assert conn.reply().body == b"pong"
        assert running.ref.is_alive()
        assert witness.ask("alive?") == "alive"
    finally:
        witness.stop()
    assert len(reports(caplog)) == 3
    report = reports(caplog)[0]
    place = "the router" if where == "guard" else f"/{where} ("
    assert place in report.getMessage()
    assert f"raised {type(error).__name__}" in report.getMessage()
    assert report.exc_info is not None
    assert report.exc_info[1] is error


@pytest.mark.parametrize("result", UNSENDABLE, ids=name)
@pytest.mark.parametrize("pooled", [False, True], ids=["runner", "pool"])
def test_a_result_that_cannot_be_sent_is_a_500_with_a_report(
    pooled: bool, result: Any, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/", blocking=pooled or None)
    def give(request: Request) -> Any:
        if isinstance(result, HTTPError):
            raise result
        return result

    conn = connect(serving(router).url)
    conn.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\nGET /missing HTTP/1.1\r\nHost: t\r\n\r\n")
    assert [conn.reply().status for _ in range(2)] == [500, 404]
    assert len(reports(caplog)) == 1


@pytest.mark.parametrize("pooled", [False, True], ids=["runner", "pool"])
def test_an_http_error_is_answered_with_its_own_status_and_is_no_crash(
    pooled: bool, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/", blocking=pooled or None)
    def refuse(request: Request) -> str:
        raise HTTPError(418, "short and stout", headers={"X-Pot": "tea"})

    conn = connect(serving(router).url)
    conn.get("/")
    reply = conn.reply()
    assert (reply.status, reply.body, reply.headers["x-pot"]) == (418, b"short and stout", "tea")
    assert reports(caplog) == []


def test_an_http_error_of_a_guard_is_answered_too(serving: Serving, connect: Connect) -> None:
    router = Router()

    def known() -> bool:
        raise HTTPError(401, "who are you?")

    router.get("/", when=known)(lambda request: "hello")
    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().status == 401


# By itself, as the client without a socket uses it.


def test_run_request_gives_the_handler_s_answer() -> None:
    router = Router()
    router.get("/users/{id:int}")(lambda request, id: {"id": id})
    assert run_request(router.compile(), request("/users/7")) == (0x2A, 2, b'{"id":7}')


def test_run_request_gives_404_where_nothing_matches() -> None:
    assert run_request(Router().compile(), request("/none"))[1] == 404


@pytest.mark.parametrize("error", ERRORS, ids=name)
@pytest.mark.parametrize("where", ["handler", "guard"])
def test_run_request_never_raises(where: str, error: BaseException) -> None:
    answer = run_request(raising(error).compile(), request(f"/{where}"))
    assert answer[:2] == (0x2A, 500)
