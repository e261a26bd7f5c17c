"""Answers of handlers that are files: what the client is told when they cannot be sent, and that nothing stays open."""

from __future__ import annotations

import errno
import http.client
import logging
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import HTTPError, Request, Response, Router, native
from tinybeam.errors import ConfigError
from tinybeam.http import File, FileFields
from tinybeam.plugs import compress
from tinybeam.server.engine import Engine
from tinybeam.testing.local import LocalClient

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Rig, Serving, Until

pytestmark = pytest.mark.native_only("the portable engine has files read by Python; tests/portable/test_files.py")

HUGE = 64 << 20
NOTHING_SAID = FileFields(b"", b"", None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.css").write_bytes(b"0123456789")
    (tmp_path / "huge.bin").touch()
    os.truncate(tmp_path / "huge.bin", HUGE)
    return tmp_path


def app_of(result: Callable[[], object], **options: Any) -> Router:
    """A router that answers / with this, whatever the method."""
    router = Router()

    @router.route("/", "*", **options)
    def handler(request: Request) -> object:
        return result()

    return router


def open_files(folder: Path) -> int:
    """How many descriptors of this process are of files in the folder."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith(str(folder))
        except OSError:  # the one that listdir itself had
            continue
    return count


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    """Level and text of what the server has logged of files, from where the text speaks of them on."""
    found = [(record.levelno, record.getMessage()) for record in caplog.records if record.name == "tinybeam.server"]
    return [(level, text[text.index("cannot send") :]) for level, text in found if "cannot send" in text]


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


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [
        ("none", logging.INFO, "No such file or directory; the client is told 404"),
        ("a.css/x", logging.INFO, "Not a directory; the client is told 404"),
        ("", logging.WARNING, "Is a directory; the client is told 404"),
        ("fifo", logging.WARNING, "No such device; the client is told 404"),
        ("x" * 300, logging.INFO, "File name too long; the client is told 404"),
    ],
)
@pytest.mark.parametrize("blocking", [None, True])
def test_what_is_no_file_is_a_404_and_a_line_for_its_author(
    folder: Path, serving: Serving, connect: Connect, caplog: Any, name: str, level: int, told: str, blocking: Any
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.server")
    os.mkfifo(folder / "fifo")
    conn = connect(serving(app_of(lambda: folder / name, blocking=blocking)).url)
    for _ in range(2):
        conn.get("/")
        reply = conn.reply()
        assert (reply.status, reply.body) == (404, b"there is no such file")
    assert logged(caplog) == [(level, f"cannot send {folder / name}: {told}")] * 2
    assert open_files(folder) == 0


def test_devices_are_no_files(serving: Serving, connect: Connect) -> None:
    for path in ("/dev/null", "/dev/zero", "/dev/tty"):
        conn = connect(serving(app_of(lambda path=path: Path(path))).url)  # type: ignore[misc]
        conn.get("/")
        assert conn.reply().status == 404


def test_what_a_client_names_beneath_a_root_is_not_logged(
    folder: Path, serving: Serving, connect: Connect, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.server")
    for root, lines in ((folder, 0), (folder / "none", 1)):
        conn = connect(serving(app_of(lambda root=root: Response.file("../x", root=root))).url)  # type: ignore[misc]
        conn.get("/")
        assert conn.reply().status == 404
        assert len(logged(caplog)) == lines


PRIVILEGED = """
import http.client, os, resource, sys
from pathlib import Path
from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve

path = Path(sys.argv[1])
router = Router()
router.get("/")(lambda request: path)
running = serve(router, Config(port=0))
client = http.client.HTTPConnection(running.url.removeprefix("http://"))

def ask():
    client.request("GET", "/")
    reply = client.getresponse()
    return reply.status, reply.read(), reply.headers.get("retry-after")

print(ask())
most = resource.getrlimit(resource.RLIMIT_NOFILE)
free = os.dup(0)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, most[1]))
print(ask())
resource.setrlimit(resource.RLIMIT_NOFILE, most)
path.chmod(0)
if os.geteuid() == 0:
    os.seteuid(65534)
print(ask())
if os.getuid() == 0:
    os.seteuid(0)
path.chmod(0o644)
print(ask())
running.stop()
"""


def test_what_may_not_be_read_is_a_403_and_too_many_open_files_are_a_503(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    done = subprocess.run([sys.executable, "-c", PRIVILEGED, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    good = (200, b"text", None)
    full = (503, b"this server has too many files open; try again later", "1")
    assert done.stdout.splitlines() == [str(one) for one in (good, full, (403, b"this may not be read", None), good)]
    assert "Permission denied; the client is told 403" in done.stderr
    assert "Too many open files; the client is told 503" in done.stderr


def test_a_disk_that_fails_is_a_500_and_a_crash_report(
    folder: Path, serving: Serving, connect: Connect, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Engine, "send_file", broken)
    conn = connect(serving(app_of(lambda: folder / "a.css")).url)
    conn.get("/")
    assert conn.reply().status == 500
    assert [record.name for record in caplog.records if "raised OSError" in record.getMessage()] == ["tinybeam.crash"]


def test_a_file_that_goes_before_it_is_opened_is_a_404(folder: Path, serving: Serving, connect: Connect) -> None:
    def gone() -> Response:
        response = Response.file(folder / "a.css")
        (folder / "a.css").unlink()
        return response

    conn = connect(serving(app_of(gone)).url)
    conn.get("/")
    assert conn.reply().status == 404


@pytest.mark.parametrize("blocking", [None, True])
def test_a_client_that_left_before_the_answer_leaves_no_file_open(
    folder: Path, serving: Serving, connect: Connect, until: Until, gate: Gate, blocking: Any
) -> None:
    def slow() -> Path:
        gate.wait()
        return folder / "huge.bin"

    running = serving(app_of(slow, blocking=blocking))
    conns = [connect(running.url) for _ in range(4)]
    for conn in conns:
        conn.get("/")
    gate.reached(4 if blocking else 1)
    for conn in conns:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()
    until(lambda: running.stats()["connections_open"] == 0)
    gate.open()
    until(lambda: running.stats()["handles_open"] == 0)
    assert open_files(folder) == 0


def test_an_answer_that_is_overdue_opens_nothing_for_long(
    folder: Path, serving: Serving, connect: Connect, until: Until, gate: Gate, caplog: Any
) -> None:
    def slow() -> Path:
        gate.wait()
        return folder / "huge.bin"

    running = serving(app_of(slow, blocking=True, request_timeout_ms=50))
    conn = connect(running.url)
    conn.get("/")
    assert conn.reply().status == 504
    gate.open()
    until(lambda: running.stats()["answers_refused"] == 1)
    assert open_files(folder) == 0
    assert [record for record in caplog.records if record.name == "tinybeam.crash" and record.exc_info] == []


def test_a_server_that_stops_at_once_closes_what_it_was_sending(
    folder: Path, serving: Serving, connect: Connect, until: Until
) -> None:
    running = serving(app_of(lambda: folder / "huge.bin"), drain_timeout_ms=10)
    for _ in range(3):
        conn = connect(running.url)
        conn.get("/")
        conn.sock.recv(1)
    until(lambda: open_files(folder) == 3)
    running.stop()
    assert open_files(folder) == 0


def test_others_are_served_while_a_client_takes_octet_by_octet(
    folder: Path, serving: Serving, connect: Connect
) -> None:
    router = app_of(lambda: folder / "huge.bin")
    router.get("/other", do="other")
    running = serving(router)
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/")
    for _ in range(200):
        assert len(slow.sock.recv(1)) == 1
        quick.get("/other")
        assert quick.reply().body == b"other"
    assert open_files(folder) == 1


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
            for headers in ({}, {"If-None-Match": '"x"'}):
                live.request(method, path, headers=headers)
                reply = live.getresponse()
                body = reply.read()
                ours = local.request(method, path, headers=headers)
                assert (ours.status, ours.body) == (reply.status, body), (method, path)
                for name in ("etag", "last-modified", "content-type", "content-length", "content-disposition", "x-a"):
                    assert ours.headers.get(name) == reply.headers.get(name), (method, path, name)
    assert len(logged(caplog)) == 2 * 2 * 2
    local.close()
    live.close()
