"""Handlers that are `async def`: what holds for a `def` holds for them."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import HTTPError, Request, Response, Router, contract
from tinybeam.process import GenServer, receive, self_ref
from tinybeam.server.engine import Engine
from tinybeam.testing.live import LiveClient
from tinybeam.testing.local import LocalClient

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Serving, Until

PATIENCE_S = 30

pytestmark = pytest.mark.usefixtures("no_faults", "empty_mailbox")


@pytest.fixture(autouse=True, scope="module")
def no_thread_stays() -> Iterator[None]:
    yield
    loops = [thread for thread in threading.enumerate() if thread.name.startswith("tinybeam-loop")]
    for thread in loops:
        thread.join(PATIENCE_S)
    assert [thread.name for thread in loops if thread.is_alive()] == []


def crash_reports(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "tinybeam.crash"]


RESULTS = ["yay", "\xfc", b"\x00", {"a": 1}, [1], None, (201, "made"), (202, {"X-A": "b"}, b"c"), Response("r", 203)]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
def test_it_may_return_what_a_def_may(result: Any, serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.get("/async")
    async def soon(request: Request) -> Any:
        return result

    @router.get("/later")
    async def later(request: Request) -> Any:
        await asyncio.sleep(0)
        return result

    router.get("/def")(lambda request: result)
    conn = connect(serving(router).url)
    replies = []
    for path in ("/def", "/async", "/later"):
        conn.get(path)
        reply = conn.reply()
        replies.append((reply.status, reply.headers.get("content-type"), reply.headers.get("x-a"), reply.body))
    assert replies[0] == replies[1] == replies[2]


def test_parameters_are_given_by_name_and_methods_and_objects_may_be_async(serving: Serving, connect: Connect) -> None:
    router = Router()

    class Both:
        async def __call__(self, request: Request, b: int, a: str) -> object:
            return [a, b]

        async def method(self, request: Request, a: str) -> str:
            return a

    router.get("/both/{a}/{b:int}")(Both())
    router.get("/method/{a}")(Both().method)

    @router.fallback
    async def other(request: Request) -> Any:
        return 404, request.path

    conn = connect(serving(router).url)
    for path, body in (("/both/x/7", b'["x",7]'), ("/method/y", b"y"), ("/none", b"/none")):
        conn.get(path)
        assert conn.reply().body == body


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("late", [False, True], ids=["at once", "later"])
def test_whatever_it_raises_costs_one_request_a_500_and_nothing_else_anything(
    error: BaseException, late: bool, serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/crash")
    async def crash(request: Request) -> str:
        if late:
            await asyncio.sleep(0)
        raise error

    @router.get("/")
    async def index(request: Request) -> str:
        return "pong"

    conn = connect(serving(router).url)
    for _ in range(3):
        conn.get("/crash")
        reply = conn.reply()
        assert (reply.status, reply.body) == (500, b"Internal Server Error")
        conn.get("/")
        assert conn.reply().body == b"pong"
    assert len(crash_reports(caplog)) == 3
    record = crash_reports(caplog)[0]
    assert "/crash (" in record.getMessage()
    assert f"raised {type(error).__name__}" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_an_http_error_is_an_answer_and_what_cannot_be_sent_a_500(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/teapot")
    async def teapot(request: Request) -> str:
        raise HTTPError(418, "short and stout")

    @router.get("/object")
    async def unsendable(request: Request) -> object:
        return object()

    conn = connect(serving(router).url)
    conn.get("/teapot")
    assert conn.reply().status == 418
    assert crash_reports(caplog) == []
    conn.get("/object")
    assert conn.reply().status == 500


def test_a_cancellation_of_its_own_making_is_a_crash(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/")
    async def cancelled(request: Request) -> str:
        raise asyncio.CancelledError

    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().status == 500
    assert "raised CancelledError" in crash_reports(caplog)[0].getMessage()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_in_a_task_that_a_handler_makes_ends_neither_the_loop_nor_others(
    error: type[BaseException], serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()
    test = self_ref()

    async def leave() -> None:
        raise error

    @router.get("/leave")
    async def leaving(request: Request) -> str:
        await asyncio.create_task(leave())
        return "never"

    @router.get("/other")
    async def other(request: Request) -> str:
        test.send(asyncio.get_running_loop())
        me = asyncio.get_running_loop().create_future()
        test.send(me)
        return str(await me)

    url = serving(router).url
    waiting, conn = connect(url), connect(url)
    waiting.get("/other")
    loop, future = receive(PATIENCE_S), receive(PATIENCE_S)
    conn.get("/leave")
    assert conn.reply().status == 500
    loop.call_soon_threadsafe(future.set_result, "still here")
    assert waiting.reply().body == b"still here"
    assert "the loop goes on" in caplog.text


def test_its_context_is_its_own(serving: Serving, connect: Connect) -> None:
    router = Router()
    seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")

    @router.get("/")
    async def index(request: Request) -> str:
        before = seen.get()
        seen.set("something")
        return before

    @router.get("/def", blocking=False)
    def other(request: Request) -> str:
        seen.set("something of a runner")
        return "set"

    conn = connect(serving(router).url)
    for _ in range(3):
        conn.get("/def")
        assert conn.reply().body == b"set"
        conn.get("/")
        assert conn.reply().body == b"nothing"


def test_a_def_goes_on_while_an_async_def_blocks_the_loop_which_is_told_once(
    gate: Gate, serving: Serving, connect: Connect, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    router = Router()

    @router.get("/block")
    async def block(request: Request) -> str:
        gate.wait()
        return "done"

    router.get("/def")(lambda request: "quick")
    running = serving(router)
    blocked, conn = connect(running.url), connect(running.url)
    for round_ in range(2):
        blocked.get("/block")
        gate.reached()
        conn.get("/def")
        assert conn.reply().body == b"quick"
        if not round_:
            until(lambda: "has held up the event loop" in caplog.text)
            gate.open()
        assert blocked.reply().body == b"done"
    [record] = [record for record in caplog.records if "has held up" in record.getMessage()]
    assert re.match(r"GET /block \(.*test_async_handlers\.py:\d+\) has held up", record.getMessage())
    assert "gate.wait()" in record.getMessage()
    assert "loop.py" not in record.getMessage(), "how we got there is nobody's business"
    assert "base_events.py" not in record.getMessage()


def test_blocking_calls_go_to_threads_of_which_there_are_enough(gate: Gate, serving: Serving, connect: Connect) -> None:
    router = Router()

    @router.get("/")
    async def index(request: Request) -> str:
        await asyncio.to_thread(gate.wait)
        return "done"

    url = serving(router).url
    conns = [connect(url) for _ in range(40)]  # asyncio's own executor has 32 threads at most
    for conn in conns:
        conn.get("/")
    gate.reached(len(conns))
    gate.open()
    assert {conn.reply().body for conn in conns} == {b"done"}


def test_the_access_log_tells_of_them_too(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.access")
    router = Router()

    @router.post("/", body_bytes_max=5)
    async def echo(request: Request) -> bytes:
        return request.body

    conn = connect(serving(router, access_log=True).url)
    conn.post("/", b"hello")
    assert conn.reply().body == b"hello"
    until(lambda: any('"POST /" 200 5 ' in record.getMessage() for record in caplog.records))
    conn.send_unless_closed(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 6\r\n\r\nhello!")
    assert conn.reply().status == 413


class Echo(GenServer):
    def handle_call(self, message: Any, from_: Any, state: Any) -> Any:
        return (message, from_.caller is not None), state


def test_it_calls_processes_in_either_way(serving: Serving, connect: Connect) -> None:
    router = Router()
    echo = Echo.start()

    @router.get("/")
    async def index(request: Request) -> object:
        self_ref()
        return [echo.call("here"), await echo.call_async("there")]

    conn = connect(serving(router).url)
    conn.get("/")
    assert conn.reply().body == b'[["here",true],["there",true]]'
    echo.stop()


@pytest.mark.native_only("it is the native engine that is told so")
def test_answers_for_which_the_engine_has_no_memory_become_a_500(
    serving: Serving, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    router = Router()

    @router.get("/")
    async def index(request: Request) -> str:
        return "yay"

    conn = connect(serving(router).url)
    respond, refusals = Engine.respond, [contract.ENOMEM] * 2
    monkeypatch.setattr(Engine, "respond", lambda self, octets: refusals.pop() if refusals else respond(self, octets))
    conn.get("/")
    assert conn.reply().status == 500
    conn.get("/")
    assert conn.reply().body == b"yay"
    refusals[:] = [contract.ENOMEM]
    conn.get("/")
    assert conn.reply().body == b"yay"


def test_a_server_without_one_has_no_event_loop(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.get("/")(lambda request: ",".join(thread.name for thread in threading.enumerate()))
    conn = connect(serving(router).url)
    conn.get("/")
    assert b"tinybeam-loop" not in conn.reply().body


def test_it_may_return_an_iterator_of_parts(serving: Serving) -> None:
    router = Router()

    @router.get("/")
    async def index(request: Request) -> Any:
        await asyncio.sleep(0)
        return (part for part in ("y", "a", "y"))

    with LiveClient(serving(router).url) as client:
        for _ in range(2):
            assert client.get("/").body == b"yay"
    assert LocalClient(router).get("/").body == b"yay"
