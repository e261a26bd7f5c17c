"""Where a running server listens, and what cannot be served."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tinybeam.config import Config
from tinybeam.errors import ConfigError
from tinybeam.server import serve

if TYPE_CHECKING:
    from tests.server.conftest import Connect, MakeApp, Served, Serving

pytestmark = pytest.mark.usefixtures("no_faults")


# Where it listens.


def test_port_0_is_a_free_port_that_it_tells(
    serving: Serving, connect: Connect, make_app: MakeApp, served: Served
) -> None:
    running = serving(make_app())
    assert running.port
    assert running.url == f"http://127.0.0.1:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_an_ipv6_address_stands_in_brackets(
    serving: Serving, connect: Connect, make_app: MakeApp, served: Served
) -> None:
    try:
        running = serving(make_app(), host="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    assert running.url == f"http://[::1]:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_a_host_by_its_name(serving: Serving, connect: Connect, make_app: MakeApp, served: Served) -> None:
    running = serving(make_app(), host="localhost")
    assert running.url == f"http://localhost:{running.port}"
    assert served(connect(running.url)) == b"pong"


def test_a_port_that_is_taken_is_an_os_error(serving: Serving, make_app: MakeApp) -> None:
    running = serving(make_app())
    with pytest.raises(OSError, match="in use") as caught:
        serving(make_app(), port=running.port)
    assert caught.value.errno == errno.EADDRINUSE


def test_the_port_is_free_again_at_once(serving: Serving, connect: Connect, make_app: MakeApp, served: Served) -> None:
    running = serving(make_app())
    conn = connect(running.url)
    assert served(conn) == b"pong"
    running.stop()
    again = serving(make_app("again"), port=running.port)
    assert served(connect(again.url)) == b"again"


def test_a_unix_socket_is_there_while_it_serves(
    serving: Serving, connect: Connect, tmp_path: Path, make_app: MakeApp, served: Served
) -> None:
    path = tmp_path / "socket"
    running = serving(make_app(), uds=str(path))
    assert running.url == f"unix:{path}"
    assert running.port is None
    assert served(connect(running.url)) == b"pong"
    running.stop()
    assert not path.exists()


def test_a_drain_removes_the_unix_socket_too(serving: Serving, tmp_path: Path, make_app: MakeApp) -> None:
    path = tmp_path / "socket"
    assert serving(make_app(), uds=str(path)).drain(10_000)
    assert not path.exists()


def test_a_dead_socket_file_is_replaced(
    serving: Serving, connect: Connect, tmp_path: Path, make_app: MakeApp, served: Served
) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    assert served(connect(serving(make_app(), uds=str(path)).url)) == b"pong"


def test_a_live_socket_is_refused_and_lives_on(
    serving: Serving, connect: Connect, tmp_path: Path, make_app: MakeApp, served: Served
) -> None:
    path = str(tmp_path / "socket")
    running = serving(make_app(), uds=path)
    with pytest.raises(OSError, match="in use"):
        serving(make_app(), uds=path)
    assert served(connect(running.url)) == b"pong"


def test_an_ordinary_file_is_refused_and_untouched(serving: Serving, tmp_path: Path, make_app: MakeApp) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match="in use"):
        serving(make_app(), uds=str(path))
    assert path.read_text() == "data"


# What cannot be served.


def test_what_is_no_app_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="give a Router"):
        serve(object(), Config(port=0))  # type: ignore[arg-type]


def run_without_library(tmp_path: Path, engine: str, octets: bytes | None = None) -> tuple[int, str, str]:
    """Starts a server where no library is; the exit code, the library's path, and what is on stderr."""
    program = (
        "from tinybeam import Router; from tinybeam.config import Config; from tinybeam.server import serve;"
        f"serve(Router(), Config(port=0, engine={engine!r})).stop()"
    )
    missing = str(tmp_path / "nowhere.so")
    if octets is not None:
        Path(missing).write_bytes(octets)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TINYBEAM_LIBRARY": missing},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, missing, done.stderr


def test_a_library_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    code, missing, errors = run_without_library(tmp_path, "native")
    assert code == 1
    last = errors.splitlines()[-1]
    assert last.startswith("tinybeam.errors.NativeError: ")
    assert missing in last
    assert "mix_like_tasks.py compile" in last


@pytest.mark.parametrize("octets", [None, b"", b"no library", b"\x7fELF\2\1" + b"\xff" * 100])
def test_without_a_library_that_can_be_loaded_the_portable_engine_serves_and_says_so_once(
    tmp_path: Path, octets: bytes | None
) -> None:
    code, missing, errors = run_without_library(tmp_path, "auto", octets)
    assert code == 0, errors
    assert missing in errors
    assert errors.count("The portable engine serves") == 1


def test_the_portable_engine_is_taken_without_a_word_when_it_is_asked_for(tmp_path: Path) -> None:
    assert run_without_library(tmp_path, "portable")[::2] == (0, "")
