"""Plugs and before_send through a running server, whoever runs the handler: a runner, the pool, or the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from msgspec.structs import replace

from tinybeam import HTTPError, Request, Response, Router
from tinybeam.process import MailboxFull
from tinybeam.testing.local import LocalClient

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Serving

pytestmark = pytest.mark.usefixtures("no_faults")

PATIENCE_S = 30


def marking(mark: str) -> Any:
    """A plug that has each answer say that it was there."""

    def plug(request: Request) -> Request:
        def mark_it(response: Response) -> Response:
            response.add_header("X-Mark", f"{mark}:{response.status}")
            return response

        request.before_send(mark_it)
        return request

    return plug


def refuse(request: Request) -> Any:
    return (401, "who are you") if "authorization" not in request.headers else request


def answer_of(name: str) -> Any:
    match name:
        case "text":
            return "text"
        case "json":
            return {"a": 1}
        case "none":
            return None
        case "error":
            raise HTTPError(418, "tea")
        case "crash":
            raise SystemExit(3)
        case "full":
            raise MailboxFull("too much")
        case "unsendable":
            return object()
        case "parts":
            return iter(["one ", "two"])
        case _:
            return Response("made", 201)


ANSWERS = [
    ("text", 200, b"text"),
    ("json", 200, b'{"a":1}'),
    ("none", 204, b""),
    ("error", 418, b"tea"),
    ("crash", 500, b"Internal Server Error"),
    ("full", 503, b"too much waits to be done; try again later"),
    ("unsendable", 500, b"Internal Server Error"),
    ("parts", 200, b"one two"),
    ("made", 201, b"made"),
]


def app_of(kind: str, *plugs: Any) -> Router:
    router = Router(through=plugs)
    if kind == "async":

        @router.get("/{name}")
        async def answer_later(request: Request, name: str) -> Any:
            await asyncio.sleep(0)
            return answer_of(name)
    else:

        @router.get("/{name}", blocking=True if kind == "pooled" else None)
        def answer(request: Request, name: str) -> Any:
            return answer_of(name)

    return router


KINDS = ["quick", "logged", "pooled", "async"]


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=PATIENCE_S)


@pytest.mark.parametrize("kind", KINDS)
def test_before_send_sees_every_answer_whoever_runs_the_handler(kind: str, serving: Serving) -> None:
    running = serving(app_of(kind, marking("a"), marking("b")), access_log=kind == "logged")
    for name, status, body in ANSWERS:
        reply = get(f"{running.url}/{name}")
        assert (reply.status_code, reply.content) == (status, body), name
        assert reply.headers.get_list("x-mark") == [f"b:{status}", f"a:{status}"], name


@pytest.mark.parametrize("kind", KINDS)
def test_a_handler_may_ask_for_it_without_any_plug(kind: str, serving: Serving) -> None:
    running = serving(with_own_mark(kind), access_log=kind == "logged")
    for _ in range(2):
        for name, status, _ in ANSWERS:
            assert get(f"{running.url}/{name}").headers.get_list("x-mark") == [f"own:{status}"], name


def with_own_mark(kind: str) -> Router:
    router, mark = Router(), marking("own")
    if kind == "async":

        @router.get("/{name}")
        async def answer_later(request: Request, name: str) -> Any:
            return answer_of(mark(request) and name)
    else:

        @router.get("/{name}", blocking=True if kind == "pooled" else None)
        def answer(request: Request, name: str) -> Any:
            return answer_of(mark(request) and name)

    return router


def test_without_a_server_it_is_the_same() -> None:
    for kind in ("quick", "async"):
        client = LocalClient(app_of(kind, marking("a"), marking("b")))
        for name, status, body in ANSWERS:
            reply = client.get(f"/{name}")
            assert (reply.status, reply.body) == (status, body)
            assert reply.headers.get_all("x-mark") == [f"b:{status}", f"a:{status}"]
        client.close()


def test_what_a_plug_answers_is_seen_by_those_before_it(serving: Serving) -> None:
    running = serving(app_of("quick", marking("outer"), refuse, marking("inner")))
    reply = get(f"{running.url}/text")
    assert (reply.status_code, reply.text) == (401, "who are you")
    assert reply.headers.get_list("x-mark") == ["outer:401"]
    reply = get(f"{running.url}/text", authorization="me")
    assert reply.headers.get_list("x-mark") == ["inner:200", "outer:200"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), HTTPError(404, "not even this")])
def test_what_before_send_raises_is_a_crash_and_the_others_are_skipped(
    kind: str, error: BaseException, serving: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(request: Request) -> Request:
        def raise_it(response: Response) -> Response:
            raise error

        request.before_send(raise_it)
        return request

    running = serving(app_of(kind, marking("skipped"), raising, marking("first")), access_log=kind == "logged")
    for name in ("text", "parts"):
        caplog.clear()
        reply = get(f"{running.url}/{name}")
        assert "x-mark" not in reply.headers
        reports = [record.getMessage() for record in caplog.records if record.name == "tinybeam.crash"]
        if isinstance(error, HTTPError):
            assert (reply.status_code, reply.text) == (404, "not even this")
            assert reports == []
        else:
            assert (reply.status_code, reply.text) == (500, "Internal Server Error")
            assert len(reports) == 1
            assert type(error).__name__ in reports[0]


def test_a_crash_whose_before_send_crashes_is_reported_twice_and_answered_once(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def raising(request: Request) -> Request:
        request.before_send(lambda _response: 1 / 0)  # type: ignore[arg-type, return-value]
        return request

    running = serving(app_of("quick", raising))
    conn = connect(running.url)
    for _ in range(2):
        caplog.clear()
        conn.get("/crash")
        assert conn.reply().status == 500
        reports = [record.getMessage() for record in caplog.records if record.name == "tinybeam.crash"]
        assert [report.rpartition(" ")[2] for report in reports] == ["SystemExit", "ZeroDivisionError"]


def test_an_error_may_be_made_a_stream_and_a_stream_an_error(serving: Serving) -> None:
    def swap(request: Request) -> Request:
        def other(response: Response) -> Response:
            return Response("whole", 404) if response.source is not None else Response.stream(iter(["in ", "parts"]))

        request.before_send(other)
        return request

    running = serving(app_of("quick", swap))
    assert get(f"{running.url}/crash").text == "in parts"
    assert get(f"{running.url}/error").text == "in parts"
    assert get(f"{running.url}/parts").status_code == 404


def test_the_head_of_a_stream_waits_for_before_send_and_its_parts_do_not(serving: Serving, connect: Connect) -> None:
    order: list[str] = []
    router = Router(through=[marking("a")])

    @router.get("/")
    async def parts(request: Request) -> Any:
        async def source() -> AsyncIterator[str]:
            order.append("source")
            yield "part"

        def see(response: Response) -> Response:
            order.append("seen")
            return response

        request.before_send(see)
        return source()

    reply = get(serving(router).url)
    assert (reply.text, reply.headers["x-mark"]) == ("part", "a:200")
    assert order == ["seen", "source"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_head_is_told_what_get_is_told(method: str, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(app_of("quick", marking("a"))).url)
    for name in ("text", "crash", "made"):
        conn.get(f"/{name}", method)
        reply = conn.reply(method)
        assert reply.headers["x-mark"].startswith("a:")
        assert int(reply.headers["content-length"]) > 0


def test_constants_beneath_plugs_are_seen_too(serving: Serving, connect: Connect) -> None:
    router = Router()
    router.get("/alone", do="yay")
    with router.scope("/", through=[marking("a")]):
        router.get("/", do="yay")
    conn = connect(serving(router).url)
    assert [mark_at(conn, path) for path in ("/", "/alone")] == ["a:200", None]


def mark_at(conn: RawConn, path: str) -> str | None:
    conn.get(path)
    reply = conn.reply()
    assert reply.body == b"yay"
    return reply.headers.get("x-mark")


def test_what_the_router_answers_by_itself_is_seen_by_its_plugs_alone(serving: Serving, connect: Connect) -> None:
    router = Router(through=[marking("router")])
    with router.scope("/", through=[marking("scope")]):
        router.get("/a")(lambda request: "a")
    conn = connect(serving(router).url)
    for method, path, status in (("GET", "/none", 404), ("POST", "/a", 405), ("OPTIONS", "/a", 204)):
        conn.get(path, method, "Content-Length: 0\r\n")
        reply = conn.reply()
        assert (reply.status, reply.headers["x-mark"]) == (status, f"router:{status}")


def test_private_files_are_not_told_to_those_who_must_not_know(
    serving: Serving, connect: Connect, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("secret")
    router = Router()
    with router.scope("/private", through=[refuse]):
        router.static("/", tmp_path)
    conn = connect(serving(router).url)
    for path in ("/private/a.txt", "/private/b.txt", "/private/", "/private/../private/a.txt"):
        conn.get(path)
        reply = conn.reply()
        assert reply.status in (401, 404)
        assert b"secret" not in reply.body
    conn.get("/private/a.txt", extra="Authorization: me\r\n")
    assert conn.reply().body == b"secret"


def test_a_plug_that_blocks_holds_up_nobody_else(serving: Serving, connect: Connect, gates: Any) -> None:
    gate = gates()

    def wait(request: Request) -> Request:
        gate.wait()
        return request

    router = Router()
    router.get("/slow", through=[wait])(lambda request: threading.current_thread().name)
    router.get("/quick")(lambda request: "quick")
    running = serving(router)
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/slow")
    gate.reached()
    quick.get("/quick")
    assert quick.reply().body == b"quick"
    gate.open()
    assert slow.reply().status == 200


def test_what_goes_wrong_in_a_plug_is_reported_with_the_route(
    serving: Serving, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def forgetful(request: Request) -> Any:
        return None

    conn = connect(serving(app_of("quick", forgetful)).url)
    conn.get("/text")
    assert conn.reply().status == 500
    [report] = [record for record in caplog.records if record.name == "tinybeam.crash"]
    assert report.levelno == logging.ERROR
    assert "in GET /{name} (" in report.getMessage()
    assert report.exc_info is not None
    assert "forgetful returned None; return the request" in str(report.exc_info[1])


def test_pipelined_requests_do_not_see_each_others(serving: Serving, connect: Connect) -> None:
    def own(request: Request) -> Request:
        number = request.query["n"]

        def mark(response: Response) -> Response:
            response.add_header("X-Number", number)
            return response

        if int(number) % 2:
            request.before_send(mark)
        return request

    conn = connect(serving(app_of("quick", own)).url)
    conn.send(b"".join(f"GET /text?n={n} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for n in range(40)))
    found = [conn.reply().headers.get("x-number") for _ in range(40)]
    assert found == [str(n) if n % 2 else None for n in range(40)]


# Bodies that come in parts.


def upload_app(*plugs: Any, **options: Any) -> Router:
    router = Router(through=plugs)

    @router.post("/", stream=True, **options)
    def upload(request: Request) -> Any:
        return {"octets": sum(len(part) for part in request.stream())}

    return router


LARGE = 300_000


def test_a_plug_may_refuse_an_upload_before_it_comes(serving: Serving, connect: Connect) -> None:
    conn = connect(serving(upload_app(marking("a"), refuse)).url)
    conn.send(f"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: {LARGE}\r\n\r\n".encode())
    reply = conn.reply()
    assert (reply.status, reply.headers["x-mark"]) == (401, "a:401")


@pytest.mark.parametrize("swaps", [False, True])
def test_the_handler_reads_what_plugs_have_left_of_a_body(swaps: bool, serving: Serving, connect: Connect) -> None:
    def peek(request: Request) -> Request:
        assert request.read(10) == b"x" * 10
        return replace(request, path_raw="/other") if swaps else request

    conn = connect(serving(upload_app(marking("a"), peek)).url)
    for _ in range(2):
        conn.post("/", b"x" * LARGE)
        reply = conn.reply()
        assert reply.body == b'{"octets":%d}' % (LARGE - 10)
        assert reply.headers["x-mark"] == "a:200"


def test_a_body_that_a_plug_has_read_whole_is_the_successors_too(serving: Serving, connect: Connect) -> None:
    def read(request: Request) -> Request:
        assert len(request.body) == LARGE
        return replace(request, path_raw="/other")

    router = Router()
    router.post("/", stream=True, through=[read])(lambda request: str(len(request.body)))
    conn = connect(serving(router).url)
    conn.post("/", b"x" * LARGE)
    assert conn.reply().body == str(LARGE).encode()


def test_the_answer_to_a_request_that_was_never_whole_is_seen(serving: Serving, connect: Connect) -> None:
    conn = connect(serving(upload_app(marking("a"))).url)
    conn.send(f"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: {LARGE}\r\n\r\n".encode() + b"x" * 100_000)
    conn.end()
    octets = conn.rest()
    assert octets.startswith(b"HTTP/1.1 400 ")
    assert b"X-Mark: a:400" in octets
