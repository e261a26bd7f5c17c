"""Answers of handlers that are files: what is sent, what is said with it, and who sees it before it goes."""

from __future__ import annotations

import http.client
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.filing import app_of, few_files, logged
from tinybeam import HTTPError, Request, Response, Router, native
from tinybeam.errors import ConfigError
from tinybeam.http import File, FileFields
from tinybeam.plugs import compress
from tinybeam.testing.local import LocalClient

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Rig, Serving

NOTHING_SAID = FileFields(b"", b"", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return few_files(tmp_path)


@pytest.mark.parametrize("wrap", [lambda path: path, lambda path: (200, path), Response.file])
def test_a_path_is_that_file(folder: Path, serving: Serving, connect: Connect, wrap: Any) -> None:
    conn = connect(serving(app_of(lambda: wrap(folder / "a.css"))).url)
    for extra, body in (("", b"0123456789"), ("Range: bytes=2-4\r\n", b"234")):
        conn.get("/", extra=extra)
        reply = conn.reply()
        assert (reply.body, reply.headers["content-type"]) == (body, "text/css; charset=utf-8")


def test_what_the_handler_says_is_sent_with_it(folder: Path, serving: Serving, connect: Connect) -> None:
    said = {"headers": [("Set-Cookie", "a=" + "b" * 3000), ("Set-Cookie", "c=d")], "cache_control": "private"}
    app = app_of(lambda: Response.file(folder / "huge.bin", filename="Größe.csv", **said))  # type: ignore[arg-type]
    conn = connect(serving(app).url)
    conn.get("/", extra="Range: bytes=0-9\r\n")
    reply = conn.reply()
    assert reply.status == 206
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers[
        "content-disposition"
    ] == "attachment; filename=\"Große.csv\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.csv".replace("Große", "Gro_e")
    assert reply.headers["cache-control"] == "private"
    assert reply.headers["set-cookie"] == "c=d"


def test_ranges_and_conditions_are_for_those_who_read(folder: Path, serving: Serving, connect: Connect) -> None:
    conn = connect(serving(app_of(lambda: folder / "a.css")).url)
    extra = "Range: bytes=2-4\r\nIf-None-Match: *\r\n"
    for method, status in (("GET", 304), ("HEAD", 304), ("POST", 200), ("PUT", 200), ("DELETE", 200)):
        conn.get("/", method, extra)
        reply = conn.reply(method)
        assert (reply.status, len(reply.body)) == (status, 10 if status == 200 else 0)


def test_a_file_may_be_the_body_of_an_error(folder: Path, serving: Serving, connect: Connect) -> None:
    (folder / "404.html").write_text("<p>not here")
    conn = connect(serving(app_of(lambda: (404, folder / "404.html"))).url)
    for _ in range(2):
        conn.get("/", extra="If-None-Match: *\r\n")
        reply = conn.reply()
        assert (reply.status, reply.body) == (404, b"<p>not here")
        assert "etag" not in reply.headers


@pytest.mark.parametrize("name", ["a.css", "large.bin"])
def test_a_file_may_be_the_answer_to_an_upload(folder: Path, serving: Serving, connect: Connect, name: str) -> None:
    (folder / "large.bin").write_bytes(b"L" * (1 << 21))
    router = Router()

    @router.post("/", stream=True)
    def upload(request: Request) -> Path:
        assert request.read(5) == b"first"
        return folder / name

    conn = connect(serving(router).url)
    conn.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100005\r\n\r\nfirst")
    conn.send_unless_closed(b"x" * 100000 + b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nfirst")
    for _ in range(2):
        reply = conn.reply()
        assert (reply.status, len(reply.body)) == (200, (folder / name).stat().st_size)


def test_plugs_see_a_file_before_it_is_sent(folder: Path, serving: Serving, connect: Connect) -> None:
    seen: list[str] = []

    def guard(request: Request) -> Request:
        def secure(response: Response) -> Response:
            seen.append(repr(response))
            response.set_header("X-Frame-Options", "DENY")
            return response

        request.before_send(secure)
        return request

    router = Router(through=[guard, compress(body_bytes_min=0)])
    router.static("/assets", folder)

    @router.get("/files/{name}")
    def file(request: Request, name: str) -> Response:
        return Response.file(folder / name, filename="x", cache_control="no-cache", headers={"X-A": "b"})

    @router.get("/replaced")
    def replaced(request: Request) -> Path:
        request.before_send(lambda response: Response("another"))
        return folder / "a.css"

    conn = connect(serving(router).url)
    accept = "Accept-Encoding: gzip\r\n"
    for path in ("/files/a.css", "/assets/a.css"):
        conn.get(path, extra=f"Range: bytes=2-4\r\n{accept}")
        reply = conn.reply()
        assert (reply.status, reply.body, reply.headers["x-frame-options"]) == (206, b"234", "DENY")
    for path in ("/files/none", "/assets/none"):
        conn.get(path, extra=accept)
        reply = conn.reply()
        assert (reply.status, reply.headers["x-frame-options"]) == (404, "DENY")
        assert {"cache-control", "content-disposition"}.isdisjoint(reply.headers)
    conn.get("/replaced")
    assert conn.reply().body == b"another"
    assert seen == [
        f"<Response 200, the file {folder / 'a.css'}>",
        f"<Response 200, the file {folder / 'a.css'}>",
        f"<Response 200, the file {folder / 'none'}>",
        "<Response 404, 21 octets>",
        "<Response 200, 7 octets>",
    ]


def test_the_access_log_has_what_was_answered(folder: Path, serving: Serving, connect: Connect, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "tinybeam.access")
    conn = connect(serving(app_of(lambda: folder / "a.css"), access_log=True).url)
    for extra in ("", "Range: bytes=2-4\r\n", "If-None-Match: *\r\n"):
        conn.get("/", extra=extra)
        conn.reply()
    lines = [record.getMessage() for record in caplog.records if record.name == "tinybeam.access"]
    assert [line.split('" ')[1].rpartition(" ")[0] for line in lines] == ["200 10", "206 3", "304 0"]


def test_a_handler_may_send_another_file_in_place_of_one_that_it_misses(
    folder: Path, serving: Serving, connect: Connect
) -> None:
    router = Router()

    @router.get("/{name}")
    def file(request: Request, name: str) -> Path:
        path = folder / name
        if not path.exists():
            raise HTTPError(404, "no such report")
        return path

    conn = connect(serving(router).url)
    conn.get("/none")
    assert conn.reply().body == b"no such report"


def test_an_engine_that_is_closed_has_no_use_for_a_file(rig: Rig, folder: Path) -> None:
    file = File(str(folder / "a.css"), None, None, False)
    rig.client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    [request] = rig.requests()
    assert rig.engine.send_file(request.handle, file, NOTHING_SAID, 200, None, head=False) == (200, 10)
    assert rig.engine.send_file(request.handle, file, NOTHING_SAID, 200, None, head=False) is None
    rig.flush()
    assert rig.reply() == (200, b"0123456789")
    with pytest.raises(FileNotFoundError):
        rig.engine.send_file(request.handle, file._replace(path="/none"), NOTHING_SAID, 200, None, head=False)
    with pytest.raises(native.NativeError, match="out of its range"):
        rig.engine.send_file(request.handle, file, NOTHING_SAID, 204, None, head=False)
    rig.engine.close()
    assert rig.engine.send_file(request.handle, file, NOTHING_SAID, 200, None, head=False) is None


@pytest.mark.parametrize("do", [Path("a"), Response.file("a"), (200, Path("a")), Response.stream(["a"]), iter(["a"])])
def test_a_constant_is_whole(do: object) -> None:
    with pytest.raises(ConfigError, match=r"do= takes an answer that is whole.*router\.static"):
        Router().get("/", do=do)


def test_the_local_client_gets_the_same_files(folder: Path, serving: Serving, caplog: Any) -> None:
    caplog.set_level(logging.INFO, "tinybeam.server")
    router = Router()

    @router.route("/{name:path}", "*")
    def file(request: Request, name: str) -> Response:
        return Response.file(name, root=folder, headers={"X-A": "b"}, filename=f"my {name or 'x'}".replace("/", "-"))

    @router.get("/missing")
    async def missing(request: Request) -> Path:
        return folder / "none"

    live = http.client.HTTPConnection(serving(router).url.removeprefix("http://"))
    local = LocalClient(router)
    for method in ("GET", "HEAD", "POST"):
        for path in ("/a.css", "/none", "/..%2fa.css", "/", "/a.css/", "/missing"):
            for headers in (
                {},
                {"If-None-Match": '"x"'},
                {"Range": "bytes=2-5"},
                {"Range": "bytes=10-"},
                {"If-Match": "x"},
            ):
                live.request(method, path, headers=headers)
                reply = live.getresponse()
                body = reply.read()
                ours = local.request(method, path, headers=headers)
                assert (ours.status, ours.body) == (reply.status, body), (method, path)
                for name in (
                    "etag",
                    "last-modified",
                    "content-type",
                    "content-length",
                    "content-range",
                    "content-disposition",
                    "x-a",
                ):
                    assert ours.headers.get(name) == reply.headers.get(name), (method, path, name)
    assert len(logged(caplog)) == 2 * 2 * 5
    local.close()
    live.close()
