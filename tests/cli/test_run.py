"""`tinybeam run` as a program: the line that it prints, signals, exit codes, and what it says when it cannot start."""

from __future__ import annotations

import dataclasses
import errno
import json
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tinybeam.cli import main
from tinybeam.cli import run as run_module
from tinybeam.config import Config
from tinybeam.testing.live import LiveClient

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine

# A handler that says on stdout when it runs, and goes on when an octet comes on stdin, puts events in order without
# any sleeping.
APP = """
import os
from tinybeam import Router

router = Router()
router.get("/", do="yay")

@router.get("/slow")
def slow(request):
    print("entered", flush=True)
    os.read(0, 1)
    return "finished"
"""


def send(url: str, path: str) -> socket.socket:
    """Sends a request and does not wait for its answer."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), timeout=60)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return sock


def receive(sock: socket.socket) -> bytes:
    """All octets until the server closes the connection."""
    received = b""
    while octets := sock.recv(65536):
        received += octets
    return received


def let_go(process: subprocess.Popen[str]) -> None:
    """Sends the octet that the slow handler waits for."""
    assert process.stdin is not None
    process.stdin.write("x")
    process.stdin.flush()


def test_it_prints_one_line_with_the_url_and_serves(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello:router", "--port", "0")
    line = program.line()
    assert re.fullmatch(r"Tinybeam is listening on http://127\.0\.0\.1:[1-9]\d* \(press Ctrl\+C to stop\)", line)
    with LiveClient(line.split()[4]) as client:
        assert client.get("/").text == "yay"
    program.process.send_signal(signal.SIGTERM)
    code, out, _ = program.end()
    assert (code, out) == (0, "")


def test_a_unix_socket_is_served(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello", "--uds", "./s")
    assert (url := program.url()) == "unix:./s"
    with LiveClient(url.replace("./s", str(command_line.directory / "s"))) as client:
        assert client.get("/").text == "yay"


def test_settings_come_from_the_environment_and_a_flag_wins(command_line: CommandLine) -> None:
    command_line.write("src/hello.py", APP)
    environ = {"TINYBEAM_PORT": "0", "TINYBEAM_UDS": "/nowhere/s", "TINYBEAM_APP_DIR": "src", "TINYBEAM_HOST": "::1"}
    program = command_line.start("run", "hello", "--host", "127.0.0.1", **environ)
    assert program.url().startswith("http://127.0.0.1:")


def test_term_finishes_what_is_open(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello", "--port", "0")
    with send(program.url(), "/slow") as sock:
        assert program.line() == "entered"
        program.process.send_signal(signal.SIGTERM)
        assert "INFO draining" in program.log_line()
        let_go(program.process)
        assert receive(sock).endswith(b"\r\n\r\nfinished")
    code, _, err = program.end()
    assert code == 0
    assert "everything was finished" in err


def test_a_drain_that_runs_out_of_time_exits_with_1_and_says_what_was_cut(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello", "--port", "0", "--drain-timeout-ms", "1")
    with send(program.url(), "/slow") as sock:
        assert program.line() == "entered"
        program.process.send_signal(signal.SIGTERM)
        code, _, err = program.end()
        assert receive(sock).count(b"finished") == 0
    assert code == 1
    assert "1 unanswered requests were cut" in err


def test_int_stops_at_once_with_0(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello", "--port", "0")
    with send(program.url(), "/slow"):
        assert program.line() == "entered"
        program.process.send_signal(signal.SIGINT)
        assert program.end()[0] == 0


def test_int_ends_a_drain(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    program = command_line.start("run", "hello", "--port", "0")
    with send(program.url(), "/slow"):
        assert program.line() == "entered"
        program.process.send_signal(signal.SIGTERM)
        assert "INFO draining" in program.log_line()
        program.process.send_signal(signal.SIGINT)
        assert program.end()[0] == 0


def test_a_second_int_kills_a_program_that_does_not_come_to_its_end(command_line: CommandLine) -> None:
    at_exit = "import atexit\n@atexit.register\ndef hang():\n    print('leaving', flush=True)\n    os.read(0, 1)\n"
    command_line.write("hello.py", APP + at_exit)
    program = command_line.start("run", "hello", "--port", "0")
    program.url()
    program.process.send_signal(signal.SIGINT)
    assert program.line() == "leaving"
    program.process.send_signal(signal.SIGINT)
    assert program.end()[0] == -signal.SIGINT


def test_a_forked_child_dies_of_its_own_term_and_the_server_lives_on(command_line: CommandLine) -> None:
    fork = """
@router.get("/fork")
def fork(request):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"x")
        while True:
            signal.pause()
    os.read(reader, 1)
    os.kill(child, signal.SIGTERM)
    return {"died_of": os.WTERMSIG(os.waitpid(child, 0)[1])}
"""
    command_line.write("hello.py", "import signal\n" + APP + fork)
    program = command_line.start("run", "hello", "--port", "0")
    with LiveClient(program.url()) as client:
        assert client.get("/fork").json() == {"died_of": signal.SIGTERM}
        assert client.get("/").text == "yay"
    program.process.send_signal(signal.SIGINT)
    _, _, err = program.end()
    assert "draining" not in err


def test_a_program_that_a_handler_starts_has_no_signals_blocked(command_line: CommandLine) -> None:
    spawn = """
@router.get("/blocked")
def blocked(request):
    program = "import json, signal; print(json.dumps(list(signal.pthread_sigmask(signal.SIG_BLOCK, []))))"
    return subprocess.check_output([sys.executable, "-c", program])
"""
    command_line.write("hello.py", "import subprocess, sys\n" + APP + spawn)
    program = command_line.start("run", "hello", "--port", "0")
    with LiveClient(program.url()) as client:
        assert json.loads(client.get("/blocked").body) == []


def test_the_access_log_is_a_line_for_each_request_when_it_is_wanted(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP + '\n@router.get("/plain")\ndef plain(request): return "text"\n')
    for flag, lines in (("--access-log", 1), ("--no-access-log", 0)):
        program = command_line.start("run", "hello", "--port", "0", flag)
        with LiveClient(program.url()) as client:
            assert client.get("/plain?a=%0A").text == "text"
        program.process.send_signal(signal.SIGTERM)
        code, _, err = program.end()
        assert code == 0
        assert err.count('"GET /plain?a=%0A" 200 4') == lines


AMBIGUOUS = """
from tinybeam import Router
router = Router()

@router.get("/same")
def one(request): ...

@router.get("/same")
def two(request): ...
"""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nowhere:router"], ["no module 'nowhere'", "--app-dir"]),
        (["hello:app"], ["no attribute 'app'", "did you mean hello:router?"]),
        (["hello.py"], ["hello:router"]),
        (["broken:router"], ["broken.py:1", "No module named 'not_installed_anywhere'"]),
        (["ambiguous:router"], ["ambiguous.py:5", "ambiguous.py:8"]),
        (["hello", "--port", "80000"], ["port is 80000", "from 0 to 65535"]),
        (["hello", "--threads", "0"], ["threads is 0"]),
        (["hello", "--uds", "s", "--port", "1"], ["--uds", "--port"]),
        (["hello", "--uds", "missing/s"], ["cannot listen on missing/s", "no such directory"]),
        (["hello", "--host", "203.0.113.1", "--port", "0"], ["203.0.113.1:0", "no such address"]),
    ],
)
def test_a_start_that_fails_says_one_line_and_exits_with_3(
    args: list[str], words: list[str], command_line: CommandLine
) -> None:
    command_line.write("hello.py", APP)
    command_line.write("broken.py", "import not_installed_anywhere\n")
    command_line.write("ambiguous.py", AMBIGUOUS)
    code, out, err = command_line.start("run", *args).end()
    assert (code, out) == (3, "")
    assert err.startswith("tinybeam: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


def test_a_library_that_cannot_be_loaded_is_named_with_what_to_do(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    code, _, err = command_line.start(
        "run", "hello", "--port", "0", "--engine", "native", TINYBEAM_LIBRARY="/nowhere/lib.so"
    ).end()
    assert code == 3
    assert err.startswith("tinybeam: cannot load the engine's library /nowhere/lib.so: ")
    assert "mix_like_tasks.py compile" in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken_is_named_with_what_to_do(command_line: CommandLine) -> None:
    command_line.write("hello.py", APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = command_line.start("run", "hello", "--port", str(port)).end()
    assert code == 3
    assert err.startswith(f"tinybeam: cannot listen on 127.0.0.1:{port}: something listens there already;")
    assert "--port" in err


def test_the_debug_level_shows_the_traceback_of_a_start_that_failed(command_line: CommandLine) -> None:
    command_line.write("broken.py", "1 / 0\n")
    for args, environ in ((["--log-level", "debug"], {}), ([], {"TINYBEAM_LOG_LEVEL": "Debug"})):
        code, _, err = command_line.start("run", "broken", *args, **environ).end()
        assert code == 3
        assert "Traceback (most recent call last)" in err
        assert err.splitlines()[-1].endswith("broken.py:1: ZeroDivisionError: division by zero")


def test_wrong_usage_exits_with_2(command_line: CommandLine) -> None:
    for args in (["run"], ["run", "hello", "--port", "eighty"], ["run", "hello", "--log-level", "loud"], ["walk"]):
        code, _, err = command_line.start(*args).end()
        assert code == 2
        assert "Usage:" in err


@pytest.mark.parametrize(
    ("error", "args", "words"),
    [
        (PermissionError(errno.EACCES, "x"), ["--port", "80"], "127.0.0.1:80: no permission; ports below 1024"),
        (PermissionError(errno.EACCES, "x"), ["--uds", "/s"], "/s: no permission; choose a directory"),
        (OSError(errno.EADDRINUSE, "x"), ["--host", "::1"], "[::1]:8000: something listens there already;"),
        (OSError(errno.EADDRINUSE, "x"), ["--uds", "/s"], "/s: a server listens there already, or a file"),
        (OSError(errno.EADDRNOTAVAIL, "x"), ["--host", "nohost"], "nohost:8000: this machine has no such address, or"),
        (OSError(errno.EMFILE, "x"), [], "127.0.0.1:8000: too many open files; raise the limit with ulimit -n"),
        (OSError(errno.ENOBUFS, "No buffer space"), [], "127.0.0.1:8000: No buffer space"),
    ],
)
def test_what_the_operating_system_refuses_is_told_with_advice(
    error: OSError, args: list[str], words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(app: object, config: Config) -> None:
        raise error

    monkeypatch.setattr("tinybeam.cli.run.serve", refuse)
    monkeypatch.setattr("tinybeam.cli.run.load_app", lambda target, app_dir: None)
    result = CliRunner().invoke(main, ["run", "hello", "--app-dir", str(tmp_path), *args])
    assert result.exit_code == 3
    assert result.output.startswith(f"tinybeam: cannot listen on {words}")


def test_the_help_names_every_flag_and_the_exit_codes() -> None:
    text = CliRunner().invoke(main, ["run", "--help"]).output
    for name in ("app_dir", "no_access_log", *(field.name for field in dataclasses.fields(Config))):
        assert f"--{name.replace('_', '-')} " in text
    assert "Exit codes:" in text
    assert "TINYBEAM_HOST" in text


def test_threads_of_the_program_share_what_malloc_keeps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    order: list[str] = []
    monkeypatch.setattr(run_module, "share_memory", lambda: order.append("share"))
    monkeypatch.setattr(run_module, "load_app", lambda *_: order.append("load"))
    monkeypatch.setattr(run_module, "serve", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(main, ["run", "hello:router", "--app-dir", str(tmp_path)], catch_exceptions=False)
    assert order == ["share", "load"]
