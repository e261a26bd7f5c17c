"""The pytest plugin in a project of a user's: what it takes to test an app."""

from __future__ import annotations

import subprocess
import sys

import pytest

APP = """
from tinybeam import Router
router = Router()
router.get("/", do="yay")
"""

TEST = """
def test_yay(client, local_client, server):
    assert client.get("/").text == "yay"
    assert local_client.get("/").text == "yay"
    assert server.url.startswith("http://127.0.0.1:")
"""

FIXTURE = """
import pytest
from tinybeam import Router

@pytest.fixture
def tinybeam_app():
    router = Router()
    router.get("/", do="yay")
    return router
"""

# pytest says of the import hook of an editable install, which is loaded when Python starts, that it is too late to
# rewrite the assertions in it. An installed wheel has no such hook.
EDITABLE_HOOK = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"


@pytest.fixture(autouse=True)
def _plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each inner pytest is a program of its own; where the entry point is not installed, the plugin is named."""
    names = "from importlib.metadata import entry_points; print([e.name for e in entry_points(group='pytest11')])"
    installed = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout
    if "tinybeam" not in installed:
        monkeypatch.setenv("PYTEST_PLUGINS", "tinybeam.testing.plugin")


def test_an_ini_option_is_all_that_a_test_file_needs(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(hello=APP, test_hello=TEST)
    pytester.makeini("[pytest]\ntinybeam_app = hello:router")
    pytester.runpytest_subprocess("-W", "error", "-W", EDITABLE_HOOK).assert_outcomes(passed=1)


def test_pyproject_and_the_importlib_mode_work_as_well(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(hello=APP)
    pytester.mkdir("tests").joinpath("test_hello.py").write_text(TEST)
    pytester.makepyprojecttoml(
        '[tool.pytest.ini_options]\ntinybeam_app = "hello"\naddopts = ["--import-mode=importlib"]'
    )
    pytester.runpytest_subprocess("tests").assert_outcomes(passed=1)


def test_the_app_may_be_a_fixture_of_a_conftest_and_of_a_class(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile("""
        import pytest
        from tinybeam import Router

        def test_conftest(client):
            assert client.get("/").text == "yay"

        class TestOwn:
            @pytest.fixture
            def tinybeam_app(self):
                router = Router()
                router.get("/", do="own")
                return router

            def test_class(self, client, local_client):
                assert client.get("/").text == local_client.get("/").text == "own"
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_config_of_the_server_may_be_overridden(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile("""
        import pytest
        from tinybeam.config import Config

        @pytest.fixture
        def tinybeam_config(tmp_path):
            return Config(uds=str(tmp_path / "s"))

        def test_unix(client, server):
            assert server.url.startswith("unix:")
            assert client.get("/").text == "yay"
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_an_app_the_error_says_how_to_define_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_yay(client): ...")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no app to test*", "*tinybeam_app = *hello:router*", "*def tinybeam_app():*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_an_app_that_cannot_be_loaded_is_one_clear_error(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_yay(client): ...")
    pytester.makeini("[pytest]\ntinybeam_app = nowhere:router")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the ini option tinybeam_app: there is no module 'nowhere' in *"])


def test_every_test_has_a_server_of_its_own_which_is_stopped_after_it(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile("""
        import socket
        import pytest

        ports = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_port(server, turn):
            for port in ports:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", port))
            ports.append(server.port)
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)


def test_the_crash_report_of_a_handler_is_in_caplog(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile("""
        def test_crash(tinybeam_app, request, caplog):
            @tinybeam_app.get("/crash")
            def crash(request):
                raise RuntimeError("as scripted")

            assert request.getfixturevalue("client").get("/crash").status == 500
            assert "as scripted" in caplog.text
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_pytest_starts_without_loading_the_server_the_clients_or_the_command_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import sys

        def test_light():
            heavy = ("tinybeam.server", "tinybeam.native", "tinybeam.cli", "tinybeam.testing.client", "pykka", "click")
            assert [name for name in heavy if name in sys.modules] == []
            assert "tinybeam.testing.plugin" in sys.modules
    """)
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_fixtures_are_listed_with_what_they_are_for(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    for line in (
        "server*",
        "*A live server of*",
        "client*",
        "*A client of `server`*",
        "local_client*",
        "tinybeam_app*",
    ):
        result.stdout.fnmatch_lines([line])
