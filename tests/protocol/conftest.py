"""An app that counts what reaches Python, a live server of it, and a raw connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam import Request, Response, Router
from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import RawConn


class CountingApp:
    """Echoes; `seen` are the requests that reached it, as "METHOD target"."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.router = Router()
        self.router.get("/constant", do="constant")
        self.router.fallback(self.echo)
        self.router.get("/none")(self.none)
        self.router.get("/not-modified")(self.not_modified)
        self.router.get("/text")(self.text)

    def _note(self, request: Request) -> None:
        self.seen.append(f"{request.method} {request.target}")

    def echo(self, request: Request) -> bytes:
        self._note(request)
        return request.body

    def none(self, request: Request) -> None:
        self._note(request)

    def not_modified(self, request: Request) -> Response:
        self._note(request)
        return Response(status=304, headers={"ETag": '"1"'})

    def text(self, request: Request) -> str:
        self._note(request)
        return "some text"


@pytest.fixture
def app() -> CountingApp:
    return CountingApp()


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, int]:
    """The server's settings; a test gives others by `@pytest.mark.parametrize("settings", [...])`."""
    return {}


@pytest.fixture
def running(app: CountingApp, settings: dict[str, int], serving: Callable[..., RunningServer]) -> RunningServer:
    return serving(app.router, **settings)


@pytest.fixture
def conn(running: RunningServer, connect: Callable[[str], RawConn]) -> RawConn:
    return connect(running.url)
