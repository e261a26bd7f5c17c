"""What only a mount does with files: indexes, hidden ones, a route for what is missing, and the local client."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.filing import LARGE, SMALL, asking, many_files, mounted
from tinybeam import Request, Router
from tinybeam.testing.local import LocalClient

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return many_files(tmp_path)


@pytest.fixture
def ask_mount(folder: Path, serving: Serving, connect: Connect) -> Callable[..., Any]:
    return asking(mounted, folder, serving, connect)


@pytest.mark.parametrize(
    ("path", "location"),
    [("/sub", "/assets/sub/"), ("/sub?a=b", "/assets/sub/?a=b"), ("/sub/deep", "/assets/sub/deep/")],
)
def test_a_directory_is_redirected_to_one_with_a_slash(ask_mount: Any, path: str, location: str) -> None:
    reply = ask_mount(path)
    assert (reply.status, reply.headers["location"]) == (301, location)


def test_hidden_files_can_be_shown(ask_mount: Any) -> None:
    assert ask_mount("/.hidden", hidden=True).body == b"hidden"


def test_an_index_stands_for_its_directory(ask_mount: Any) -> None:
    assert ask_mount("/sub/").body == b"<p>index"


def test_without_an_index_directories_are_not_found(ask_mount: Any) -> None:
    assert [ask_mount(path, index=None).status for path in ("/sub", "/sub/", "/sub/index.html")] == [404, 404, 200]


def test_what_is_immutable_is_kept_for_a_year(ask_mount: Any) -> None:
    assert ask_mount("/large.bin", immutable=True).headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "cache-control" not in ask_mount("/none", immutable=True).headers


def test_what_is_missing_may_be_a_route(folder: Path, serving: Serving, connect: Connect) -> None:
    router = Router()
    router.static("/", folder, missing="next")

    @router.get("/{path:path}")
    def app(request: Request, path: str) -> str:
        return f"the app at {path}"

    conn = connect(serving(router).url)
    for path, body in (("/a.css", SMALL), ("/some/page", b"the app at some/page"), ("/large.bin", LARGE)):
        conn.get(path)
        assert conn.reply().body == body


def test_files_never_reach_python(folder: Path, serving: Serving, connect: Connect) -> None:
    router = Router()
    router.static("/assets", folder)
    running = serving(router)
    conn = connect(running.url)
    for path in ("a.css", "large.bin", "none"):
        conn.get(f"/assets/{path}")
        conn.reply()
    stats = running.stats()
    assert (stats["files"], stats["requests"]) == (3, 0)


def test_without_a_cache_files_come_from_the_disk(folder: Path, serving: Serving, connect: Connect) -> None:
    router = Router()
    router.static("/assets", folder)
    conn = connect(serving(router, file_cache_bytes_max=1).url)
    for _ in range(3):
        conn.get("/assets/a.css")
        assert conn.reply().body == SMALL


@pytest.fixture
def local(folder: Path) -> LocalClient:
    router = Router()
    router.static("/assets", folder, cache_control="max-age=60")
    return LocalClient(router)


def test_the_local_client_finds_the_same_files(local: LocalClient) -> None:
    reply = local.get("/assets/a.css")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, SMALL, "text/css; charset=utf-8")
    assert reply.headers["cache-control"] == "max-age=60"
    again = local.get("/assets/a.css", headers={"If-None-Match": reply.headers["etag"]})
    assert again.status == 304
    assert local.get("/assets/sub").headers["location"] == "/assets/sub/"
    assert local.get("/assets/sub/").text == "<p>index"


@pytest.mark.parametrize(
    "path",
    ["none", ".hidden", "fifo", "out", "%2e%2e/secret", "..%2fsecret", "sub//index.html", "a.css/"],
)
def test_the_local_client_does_not_find_what_is_none(local: LocalClient, path: str) -> None:
    assert local.get(f"/assets/{path}").status == 404


@pytest.mark.parametrize("options", [{}, {"index": None}, {"hidden": True}], ids=str)
def test_files_behind_a_plug_are_those_of_the_mount(
    folder: Path, serving: Serving, connect: Connect, options: dict[str, Any]
) -> None:
    (folder / "index.html").write_text("the first page")
    router = Router()
    router.static("/plain", folder, **options)
    with router.scope("/", through=[lambda request: request]):
        router.static("/plugs", folder, **options)
    conn = connect(serving(router).url)
    paths = ["a.css", "sub", "sub?a=b", "sub/", "sub/index.html", "none", ".hidden", "a.css/", "out", "in", "fifo", ""]
    statuses = set()
    for path in [*paths, "%2e%2e/secret", "sub%2findex.html", "sub/../a.css"]:
        replies = []
        for prefix in ("plain", "plugs"):
            conn.get(f"/{prefix}/{path}")
            reply = conn.reply()
            replies.append((reply.status, reply.body.rstrip(b"\n"), reply.headers.get("location", "")[6:]))
        assert replies[0] == replies[1], path
        statuses.add(replies[0][0])
    assert statuses == {200, 301, 404} - ({301} if "index" in options else set())
