"""Files as clients see them: what they are told, what they cannot reach, and files that change.

Those beneath a mount, and those that handlers answer with: these in the thread of a runner, of the pool and of the
event loop, beneath a root.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.filing import HUGE, LARGE, SMALL, asking, many_files, mounted
from tinybeam import Request, Response, Router

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Serving, Until
    from tests.server.filing import Way


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return many_files(tmp_path)


def handled(folder: Path, **options: Any) -> Router:
    """The folder beneath /assets by a handler, as `mounted` has it by a mount."""
    router = Router()

    @router.get("/assets/{path:path}")
    def file(request: Request, path: str) -> Response:
        return Response.file(path, root=folder, **options)

    return router


def pooled(folder: Path, **options: Any) -> Router:
    """The same by one that does not hold the scheduler."""
    router = Router()

    @router.get("/assets/{path:path}", blocking=True)
    def file(request: Request, path: str) -> Response:
        return Response.file(path, root=folder, **options)

    return router


def awaited(folder: Path, **options: Any) -> Router:
    """The same by a task of the event loop."""
    router = Router()

    @router.get("/assets/{path:path}")
    async def file(request: Request, path: str) -> Response:
        return Response.file(path, root=folder, **options)

    return router


@pytest.fixture(params=[mounted, handled, pooled, awaited], ids=lambda way: way.__name__)
def way(request: pytest.FixtureRequest) -> Way:
    """How the files of a folder are served."""
    made: Way = request.param
    return made


@pytest.fixture
def ask(way: Way, folder: Path, serving: Serving, connect: Connect) -> Callable[..., Any]:
    return asking(way, folder, serving, connect)


def test_a_file_has_its_type_its_length_and_its_validators(ask: Any) -> None:
    reply = ask("/a.css")
    assert (reply.status, reply.body) == (200, SMALL)
    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    assert reply.headers["last-modified"] == "Fri, 14 Jul 2017 02:40:00 GMT"
    assert reply.headers["etag"].startswith('"')
    assert reply.headers["accept-ranges"] == "bytes"
    assert "cache-control" not in reply.headers


@pytest.mark.parametrize(
    "path", ["/a.css", "/large.bin", "/empty.txt", "/sub/index.html", "/sub/deep/%C3%B6.txt", "/in"]
)
def test_the_same_file_comes_again_and_again_and_to_head_without_its_octets(ask: Any, path: str) -> None:
    first = ask(path)
    assert first.status == 200
    for _ in range(3):
        assert ask(path).body == first.body
    head = ask(path, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(first.body))


def test_a_large_file_comes_whole(ask: Any) -> None:
    assert ask("/large.bin").body == LARGE


@pytest.mark.parametrize(
    "path",
    ["/none", "/a.css/", "/a.css/x", "/sub/deep/", "/.hidden", "/fifo", "/out", "/../secret", "/%2e%2e/secret"]
    + ["/..%2fsecret", "/sub/..%2f..%2fsecret", "/sub/../../secret", "/%00", "/a.css%00", "/a%5c..%5csecret"]
    + ["//a.css", "/sub//index.html", "/./a.css", "/%252e%252e/secret", "/" + "x" * 300, "/" + "y/" * 2000],
)
def test_what_is_no_file_here_is_not_found(ask: Any, path: str) -> None:
    reply = ask(path)
    assert (reply.status, reply.body.rstrip()) == (404, b"there is no such file")


def test_other_methods_are_not_allowed(ask: Any) -> None:
    reply = ask("/a.css", method="DELETE")
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_who_has_the_file_is_told_that_it_is_the_same(ask: Any) -> None:
    for path in ("/a.css", "/large.bin"):
        first = ask(path)
        for field in (
            f"If-None-Match: {first.headers['etag']}",
            f'If-None-Match: "x", W/{first.headers["etag"]}',
            "If-None-Match: *",
            f"If-Modified-Since: {first.headers['last-modified']}",
        ):
            reply = ask(path, field + "\r\n")
            assert (reply.status, reply.body, reply.headers.get("content-length")) == (304, b"", None)
            assert reply.headers["etag"] == first.headers["etag"]
        assert ask(path, 'If-None-Match: "other"\r\n').status == 200
        assert ask(path, "If-Modified-Since: Thu, 13 Jul 2017 02:40:00 GMT\r\n").status == 200
        assert ask(path, 'If-Match: "other"\r\n').status == 412


@pytest.mark.parametrize(
    ("value", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=100-", 100, None), ("bytes=-5", -5, None), ("bytes=2000000-9999999", 2000000, None)],
)
@pytest.mark.parametrize("path", ["/large.bin", "/a.css"])
def test_a_range_is_a_part(ask: Any, path: str, value: str, start: int, stop: int | None) -> None:
    whole = LARGE if path == "/large.bin" else SMALL
    reply = ask(path, f"Range: {value}\r\n")
    if start >= len(whole):
        assert (reply.status, reply.headers["content-range"]) == (416, f"bytes */{len(whole)}")
        return
    assert (reply.status, reply.body) == (206, whole[start:stop])
    first = start % len(whole)
    assert reply.headers["content-range"] == f"bytes {first}-{first + len(reply.body) - 1}/{len(whole)}"


@pytest.mark.parametrize("path", ["/large.bin", "/a.css"])
def test_many_ranges_are_parts_of_one_answer(ask: Any, path: str) -> None:
    whole = LARGE if path == "/large.bin" else SMALL
    reply = ask(path, "Range: bytes=0-3,8-11,-2\r\n")
    assert reply.status == 206
    kind, _, boundary = reply.headers["content-type"].partition("; boundary=")
    assert kind == "multipart/byteranges"
    parts = reply.body.split(b"--" + boundary.encode())
    assert [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts[1:-1]] == [
        whole[0:4],
        whole[8:12],
        whole[-2:],
    ]
    assert parts[-1] == b"--\r\n"


@pytest.mark.parametrize("ranges", [",".join(f"{n}-" for n in range(5000)), ",".join("0-" for _ in range(1000))])
def test_ranges_that_overlap_in_bulk_cost_no_more_than_the_file(ask: Any, ranges: str) -> None:
    reply = ask("/large.bin", f"Range: bytes={ranges}\r\n")
    assert (reply.status, len(reply.body)) == (200, len(LARGE))


def test_a_bulk_of_tags_is_compared_with_each(ask: Any) -> None:
    tags = ", ".join(f'"{n}"' for n in range(5000))
    assert ask("/a.css", f"If-None-Match: {tags}\r\n").status == 200
    assert ask("/a.css", f"If-None-Match: {tags}, {ask('/a.css').headers['etag']}\r\n").status == 304
    assert ask("/a.css", 'If-None-Match: "x"\r\n' * 90).status == 200
    assert ask("/a.css", 'If-None-Match: "x"\r\n' * 1000).status == 431


def test_a_range_of_another_version_is_the_whole(ask: Any) -> None:
    assert ask("/large.bin", 'Range: bytes=0-3\r\nIf-Range: "other"\r\n').status == 200
    tag = ask("/large.bin").headers["etag"]
    assert ask("/large.bin", f"Range: bytes=0-3\r\nIf-Range: {tag}\r\n").body == LARGE[:4]


def test_caches_are_told_what_is_said_of_the_file(ask: Any) -> None:
    for extra in ("", "Range: bytes=0-0\r\n", "If-None-Match: *\r\n"):
        assert ask("/a.css", extra, cache_control="max-age=60").headers["cache-control"] == "max-age=60"
    for path, extra in (("/none", ""), ("/a.css", "Range: bytes=99-\r\n"), ("/a.css", 'If-Match: "x"\r\n')):
        assert "cache-control" not in ask(path, extra, cache_control="max-age=60").headers


@pytest.mark.parametrize(
    ("accepted", "body", "coding"),
    [("gzip", b"gzipped", "gzip"), ("gzip;q=0", SMALL, None), ("br", SMALL, None), ("*", b"gzipped", "gzip")],
)
def test_a_compressed_form_is_sent_to_who_takes_it(ask: Any, accepted: str, body: bytes, coding: str | None) -> None:
    for _ in range(2):
        reply = ask("/a.css", f"Accept-Encoding: {accepted}\r\n", precompressed=True)
        assert (reply.body, reply.headers.get("content-encoding")) == (body, coding)
        assert reply.headers["content-type"] == "text/css; charset=utf-8"
        assert reply.headers["vary"] == "Accept-Encoding"


def test_a_file_that_changes_is_another_one_a_second_later(ask: Any, folder: Path, until: Until) -> None:
    first = ask("/a.css")
    (folder / "a.css").write_bytes(b"changed")
    until(lambda: ask("/a.css").body == b"changed")
    assert ask("/a.css").headers["etag"] != first.headers["etag"]
    (folder / "a.css").unlink()
    until(lambda: ask("/a.css").status == 404)


def slow_get(conn: RawConn, path: str) -> bytes:
    """Asks, takes a little, and leaves the rest in the sockets, which hold some megabytes."""
    conn.get(path)
    return conn.sock.recv(1000)


@pytest.mark.parametrize("change", ["shrinks", "grows", "is written"])
def test_a_file_that_changes_while_it_is_sent_ends_the_connection(
    way: Way, folder: Path, serving: Serving, connect: Connect, change: str
) -> None:
    path = folder / "huge.bin"
    path.touch()
    os.truncate(path, HUGE)
    conn = connect(serving(way(folder)).url)
    got = slow_get(conn, "/assets/huge.bin")
    if change == "shrinks":
        os.truncate(path, HUGE // 2)
    elif change == "grows":
        with path.open("ab") as file:
            file.write(b"more")
    else:
        with path.open("r+b") as file:
            file.write(b"other")
    count, room = len(got), bytearray(1 << 20)
    with contextlib.suppress(ConnectionResetError):
        while more := conn.sock.recv_into(room):
            count += more
    assert count < HUGE


@pytest.mark.parametrize("change", ["is replaced", "is removed"])
def test_a_file_whose_name_goes_while_it_is_sent_comes_whole(
    way: Way, folder: Path, serving: Serving, connect: Connect, change: str
) -> None:
    path = folder / "huge.bin"
    path.touch()
    os.truncate(path, HUGE)
    (folder / "next.bin").write_bytes(b"next")
    conn = connect(serving(way(folder)).url)
    count = len(slow_get(conn, "/assets/huge.bin"))
    if change == "is replaced":
        (folder / "next.bin").rename(path)
    else:
        path.unlink()
    room = bytearray(1 << 20)
    while count < HUGE:
        more = conn.sock.recv_into(room)
        assert more > 0
        count += more


def test_a_client_that_leaves_in_the_middle_leaves_nothing_open(
    way: Way, folder: Path, serving: Serving, connect: Connect, until: Until
) -> None:
    (folder / "huge.bin").touch()
    os.truncate(folder / "huge.bin", HUGE)
    running = serving(way(folder))

    def open_files() -> int:
        links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
        return sum(os.path.lexists(link) and os.path.realpath(link).endswith("huge.bin") for link in links)

    conns = [connect(running.url) for _ in range(5)]
    for conn in conns:
        slow_get(conn, "/assets/huge.bin")
    until(lambda: open_files() == 5)
    for conn in conns:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()
    until(lambda: open_files() == 0)
    assert running.stats()["handles_open"] == 0


def test_a_client_that_takes_nothing_is_cut_off(
    way: Way, folder: Path, serving: Serving, connect: Connect, until: Until
) -> None:
    (folder / "huge.bin").touch()
    os.truncate(folder / "huge.bin", HUGE)
    running = serving(way(folder), write_timeout_ms=200)
    slow_get(connect(running.url), "/assets/huge.bin")
    until(lambda: running.stats()["timeouts_write"] == 1)
    until(lambda: running.stats()["connections_open"] == 0)


def test_pipelined_answers_keep_their_order_files_or_not(
    way: Way, folder: Path, serving: Serving, connect: Connect
) -> None:
    router = way(folder)
    router.get("/constant", do="constant")

    @router.get("/dynamic")
    def dynamic(request: Request) -> str:
        return "dynamic"

    conn = connect(serving(router).url)
    wanted = {"/dynamic": b"dynamic", "/assets/large.bin": LARGE, "/assets/a.css": SMALL, "/constant": b"constant"}
    paths = [*wanted, *reversed(wanted), "/assets/large.bin", "/assets/large.bin", "/assets/none", "/dynamic"]
    conn.send(b"".join(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode() for path in paths))
    bodies = [conn.reply().body for _ in paths]
    assert [body.rstrip(b"\n") if body[:5] == b"there" else body for body in bodies] == [
        wanted.get(path, b"there is no such file") for path in paths
    ]
