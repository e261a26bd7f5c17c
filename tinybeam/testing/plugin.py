"""The pytest plugin: fixtures that serve an app and talk to it.

Owns: the fixtures `tinybeam_app`, `tinybeam_config`, `server`, `client` and `local_client`, and the ini option.
Knows: which files make what these fixtures return.
Never: imports the server or a client before a test asks for one: pytest loads this file at every start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tinybeam.config import Config
    from tinybeam.server import App, RunningServer
    from tinybeam.testing.live import LiveClient
    from tinybeam.testing.local import LocalClient

_HOW_TO_DEFINE = """\
no app to test. Either name it in pyproject.toml (or in pytest.ini, below [pytest]):

    [tool.pytest.ini_options]
    tinybeam_app = "hello:router"

or define the fixture in conftest.py, in a test file or in a class:

    @pytest.fixture
    def tinybeam_app():
        return router
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("tinybeam_app", "MODULE:ATTR of the Tinybeam router that `server` and `client` use", default="")


@pytest.fixture
def tinybeam_app(pytestconfig: pytest.Config) -> App:
    """The Router, or the Application, under test: what the ini option `tinybeam_app` names.

    It is looked for in pytest's rootdir first. Override the fixture freely.
    """
    # Imported late for the reason that the card gives; so it is below.
    from tinybeam.cli import load_app
    from tinybeam.errors import ConfigError

    target: str = pytestconfig.getini("tinybeam_app")
    if not target:
        pytest.fail(_HOW_TO_DEFINE, pytrace=False)
    try:
        return load_app(target, pytestconfig.rootpath)
    except ConfigError as error:
        pytest.fail(f"the ini option tinybeam_app: {error}", pytrace=False)


@pytest.fixture
def tinybeam_config() -> Config:
    """The Config of `server`: a free port, defaults for the rest. Override it freely."""
    from tinybeam.config import Config

    return Config(port=0)


@pytest.fixture
def server(tinybeam_app: App, tinybeam_config: Config) -> Iterator[RunningServer]:
    """A live server of `tinybeam_app`, for this test alone; `server.url` says where it listens."""
    from tinybeam.server import serve

    running = serve(tinybeam_app, tinybeam_config)
    yield running
    running.stop()


@pytest.fixture
def client(server: RunningServer) -> Iterator[LiveClient]:
    """A client of `server`, with one kept-alive connection. For a second one: `LiveClient(server.url)`."""
    from tinybeam.testing.live import LiveClient

    with LiveClient(server.url) as live:
        yield live


@pytest.fixture
def local_client(tinybeam_app: App) -> Iterator[LocalClient]:
    """A client that calls the app within the test's thread, without a server or a socket; its children run beside."""
    from tinybeam.process import Application
    from tinybeam.server import plan
    from tinybeam.testing.local import LocalClient

    planned = plan(tinybeam_app)
    planned.application.starting()
    with Application(planned.children, **planned.application.options):
        local = LocalClient(tinybeam_app)
        yield local
        local.close()
    planned.application.stopped()
