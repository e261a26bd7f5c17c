"""An app for the clients, and an ini file for pytest inside pytest."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tinybeam import HTTPError, Request, Response, Router
from tinybeam.process import exit, receive_async, self_ref
from tinybeam.testing.client import Client
from tinybeam.testing.live import LiveClient
from tinybeam.testing.local import LocalClient


def make_app() -> Router:
    router = Router()
    add_constants(router)
    add_seen(router)
    add_bodies(router)
    add_files(router)
    add_headers(router)
    add_errors(router)
    add_async(router)
    add_ends(router)
    return router


def add_constants(router: Router) -> None:
    router.get("/", do="yay")
    router.get("/made", do=Response("<p>made</p>", 201, content_type="text/html; charset=utf-8"))


def add_seen(router: Router) -> None:
    @router.route("/seen", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"])
    def seen(request: Request) -> object:
        """Everything of a request that both clients send alike."""
        ours = ("content-type", "content-length", "x-tag", "cookie")
        return {
            "method": request.method,
            "path": request.path,
            "target": request.target,
            "query": {name: request.query.get_all(name) for name in request.query},
            "headers": {name: request.headers.get_all(name) for name in ours},
            "body": request.body,
            "peer": request.peer and request.peer[0],
        }


def add_bodies(router: Router) -> None:
    """Texts, bytes, nothing at all, and a status that has no body."""

    @router.get("/text/{rest:path}")
    def text(request: Request, rest: str) -> str:
        return rest

    @router.get("/bytes")
    def octets(request: Request) -> bytes:
        return b"\x00\xff"

    @router.get("/none")
    def none(request: Request) -> None:
        return None

    @router.get("/not-modified")
    def not_modified(request: Request) -> Response:
        return Response(status=304, headers={"ETag": '"1"'})


def add_files(router: Router) -> None:
    @router.get("/file")
    def file(request: Request) -> object:
        """As the body of an error, for which both clients know all fields."""
        return 404, {"X-A": "b"}, Path(__file__)

    @router.get("/file/none")
    def missing(request: Request) -> Path:
        return Path(__file__, "none")


def add_headers(router: Router) -> None:
    """Headers and texts that are not in ASCII, and a header that is there twice."""

    @router.get("/cookies")
    def cookies(request: Request) -> object:
        return 200, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Name", "J\xfcrgen")], "two"

    @router.get("/latin")
    def latin(request: Request) -> Response:
        return Response("J\xfcrgen".encode("latin-1"), content_type="text/plain; charset=latin-1")


def add_errors(router: Router) -> None:
    @router.get("/teapot")
    def teapot(request: Request) -> str:
        raise HTTPError(418, "short and stout", headers={"X-Pot": "tea"})

    @router.get("/crash")
    def crash(request: Request) -> str:
        raise RuntimeError("scripted")


def add_async(router: Router) -> None:
    @router.get("/async/{tag}")
    async def later(request: Request, tag: str) -> object:
        me = self_ref()
        asyncio.get_running_loop().call_soon(me.send, tag)
        return [await receive_async(30), request.path]

    @router.get("/async-crash")
    async def crash_later(request: Request) -> str:
        await asyncio.sleep(0)
        raise SystemExit


def add_ends(router: Router) -> None:
    """A handler that is killed, and one that exits."""

    @router.get("/kill")
    async def kill(request: Request) -> str:
        exit(self_ref(), "kill")
        try:
            await asyncio.sleep(30)
        finally:
            return "a late answer"  # noqa: B012

    @router.get("/exit")
    def leave(request: Request) -> str:
        raise SystemExit


@pytest.fixture
def tinybeam_app() -> Router:
    return make_app()


@pytest.fixture(params=["live", "local"])
def either(request: pytest.FixtureRequest, tinybeam_app: Router) -> Iterator[Client]:
    """A client of each kind: what a test finds out must hold for both."""
    if request.param == "local":
        yield LocalClient(tinybeam_app)
        return
    live: LiveClient = request.getfixturevalue("client")
    yield live
