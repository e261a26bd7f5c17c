"""Files beneath a mount over the portable engine: whole ones, by a handler, and no way out of the directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinybeam import Response, Router
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.portable import PortableEngine
from tinybeam.server import serve

CSS = b"body { color: red }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "www"
    (made / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_text("not for you")
    (made / "a.css").write_bytes(CSS)
    (made / "sub" / "index.html").write_text("<p>index")
    (made / ".hidden").write_text("hidden")
    (made / "out").symlink_to(tmp_path / "secret")
    os.mkfifo(made / "fifo")
    return made


@pytest.fixture
def conn(folder: Path, connect: Any) -> Iterator[Any]:
    router = Router()
    router.static("/assets", folder, cache_control="max-age=60")
    running = serve(router, Config(port=0, engine="portable"))
    yield connect(running.url)
    running.stop()


def test_a_file_comes_whole_with_what_caches_need(conn: Any) -> None:
    conn.get("/assets/a.css")
    reply = conn.reply()
    assert (reply.status, reply.body) == (200, CSS)
    assert reply.headers["content-type"] == "text/css; charset=utf-8"
    assert reply.headers["cache-control"] == "max-age=60"
    conn.get("/assets/a.css", extra=f"If-None-Match: {reply.headers['etag']}\r\n")
    assert conn.reply().status == 304
    conn.get("/assets/a.css", "HEAD")
    assert conn.reply("HEAD").headers["content-length"] == str(len(CSS))


def test_a_directory_is_its_index(conn: Any) -> None:
    conn.get("/assets/sub")
    reply = conn.reply()
    assert (reply.status, reply.headers["location"]) == (301, "/assets/sub/")
    conn.get("/assets/sub/")
    assert conn.reply().body == b"<p>index"


@pytest.mark.parametrize(
    "path",
    ["/none", "/a.css/", "/a.css/x", "/.hidden", "/fifo", "/out", "/../secret", "/%2e%2e/secret", "/..%2fsecret"]
    + ["/sub/../../secret", "/%00", "/a.css%00", "/a%5c..%5csecret", "//a.css", "/./a.css", "/" + "y/" * 2000],
)
def test_what_is_no_file_here_is_not_found(conn: Any, path: str) -> None:
    conn.get("/assets" + path)
    assert conn.reply().status == 404


def test_files_that_need_the_native_engine_are_told_of(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    router = Router()
    router.static("/", folder, missing="next")
    engine = PortableEngine(Config())
    for mount in router.compile().mounts:
        engine.add_static(*mount)
    engine.close()
    assert f"the files of {folder} are not served beneath /" in caplog.text


def test_a_mount_is_checked_as_the_native_engine_does(folder: Path) -> None:
    engine = PortableEngine(Config())
    with pytest.raises(FileNotFoundError):
        engine.add_static("/a", str(folder / "none"), None, b"", 0)
    engine.listen("127.0.0.1", 0, 16)
    with pytest.raises(NativeError, match="cannot serve the files of"):
        engine.add_static("/a", str(folder), None, b"", 0)
    engine.close()
    with pytest.raises(NativeError, match="closed"):
        engine.add_static("/a", str(folder), None, b"", 0)


def test_a_handler_answers_with_a_file_as_a_whole(folder: Path, connect: Any) -> None:
    router = Router()
    router.get("/path")(lambda request: folder / "a.css")
    router.get("/none")(lambda request: folder / "none")
    router.get("/saved")(lambda request: Response.file(folder / "a.css", filename="b.css", status=201))
    running = serve(router, Config(port=0, engine="portable"))
    try:
        conn = connect(running.url)
        conn.get("/path", extra="Range: bytes=0-3\r\n")
        reply = conn.reply()
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, CSS, "text/css; charset=utf-8")
        conn.get("/path", extra=f"If-None-Match: {reply.headers['etag']}\r\n")
        assert conn.reply().status == 304
        conn.get("/path", "HEAD")
        assert conn.reply("HEAD").headers["content-length"] == str(len(CSS))
        conn.get("/none")
        assert conn.reply().status == 404
        conn.get("/saved")
        reply = conn.reply()
        assert (reply.status, reply.body) == (201, CSS)
        assert reply.headers["content-disposition"] == 'attachment; filename="b.css"'
    finally:
        running.stop()
