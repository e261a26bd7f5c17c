"""`tinybeam run --reload` as a program: a change is served, also after what could not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.reloading import CHILD, HANG_AT_EXIT, Start, answer_of, ask, get, write
from tinybeam.cli.reload import Command, Reloader, _start_of_python
from tinybeam.cli.watch import Selection

# What is served.


def test_a_change_is_served_at_the_same_address(start: Start, hello: Path) -> None:
    program = start()
    url = program.url()
    assert get(url) == "first"
    for answer in ("second", "third"):
        write(hello, answer)
        assert program.url() == url
        assert get(url) == answer
        assert "INFO hello.py changed; starting anew" in program.logged("changed")
    program.process.terminate()
    assert program.end()[0] == 0


def test_a_unix_socket_is_listened_on_again(start: Start, hello: Path, tmp_path: Path) -> None:
    program = start("--uds", "s")
    for answer in ("second", "third"):
        assert program.url() == "unix:s"
        write(hello, answer)
    assert program.url() == "unix:s"
    assert get(f"unix:{tmp_path}/s") == "third"


def test_the_parent_never_imports_the_users_module(start: Start, hello: Path) -> None:
    write(hello, "first", "print(os.getpid(), flush=True)\n")
    program = start()
    pid = int(program.line())
    assert pid != program.process.pid
    assert get(program.url(), "/pid") == str(pid)


def test_an_edit_that_keeps_second_and_size_is_not_taken_for_what_was_compiled_before(
    start: Start, hello: Path
) -> None:
    write(hello, "1")
    os.utime(hello, ns=(0, 10**18))
    program = start()
    assert get(program.url()) == "1"
    write(hello.with_suffix(".new"), "2")
    os.utime(hello.with_suffix(".new"), ns=(0, 10**18 + 1))
    hello.with_suffix(".new").replace(hello)
    assert get(program.url()) == "2"


def test_files_of_other_kinds_and_places_are_watched_when_they_are_named(
    start: Start, hello: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    program = start("--reload-dir", str(elsewhere), "--reload-include", "*.html", "--reload-exclude", "tests")
    program.url()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("")
    (tmp_path / "page.html").write_text("")
    program.url()
    assert "INFO page.html changed" in program.logged("changed")
    (elsewhere / "library.py").write_text("")
    program.url()
    assert f"INFO {elsewhere}/library.py changed" in program.logged("changed")


# Between two servers.


def test_the_users_children_end_in_order_before_the_next_server_starts(start: Start, hello: Path) -> None:
    write(hello, "first", CHILD)
    program = start()
    program.url()
    write(hello, "second", CHILD)
    assert program.line() == "terminated: shutdown"
    assert get(program.url()) == "second"


def test_what_is_open_is_finished_before_the_next_server_starts(start: Start, hello: Path) -> None:
    program = start("--drain-timeout-ms", "60000")
    with ask(program.url(), "/slow") as sock:
        assert program.line() == "entered"
        write(hello, "second")
        program.logged("draining")
        program.let_go()
        assert answer_of(sock).endswith(b"finished")
    assert get(program.url()) == "second"


def test_a_handler_that_does_not_end_holds_nothing_up(start: Start, hello: Path) -> None:
    program = start("--drain-timeout-ms", "1")
    with ask(program.url(), "/slow"):
        assert program.line() == "entered"
        write(hello, "second")
        assert get(program.url()) == "second"


def test_a_drain_is_short_unless_it_is_said_how_long_it_may_be(start: Start, hello: Path) -> None:
    program = start()
    program.url()
    write(hello, "second")
    assert "for at most 2000 ms" in program.logged("draining")


def test_a_server_that_hangs_at_its_exit_says_where_and_is_ended(start: Start, hello: Path, impatient: str) -> None:
    write(hello, "first", HANG_AT_EXIT)
    program = start("--drain-timeout-ms", "1", path=impatient)
    program.url()
    write(hello, "second")
    assert program.line() == "leaving"
    assert get(program.url()) == "second"
    assert "hello.py" in program.logged(" in hang")


def test_a_server_that_can_do_nothing_is_killed(start: Start, hello: Path, impatient: str) -> None:
    program = start("--drain-timeout-ms", "1", path=impatient)
    os.kill(int(get(program.url(), "/pid")), signal.SIGSTOP)
    write(hello, "second")
    program.logged("killing it")
    assert get(program.url()) == "second"


# What cannot start, or does not stay.


def test_a_mistake_is_told_once_and_mended_by_the_next_change(start: Start, hello: Path) -> None:
    program = start()
    url = program.url()
    hello.write_text("def f(:\n")
    assert "hello.py:1: SyntaxError" in program.logged("cannot import hello")
    assert "WARNING the server could not start; waiting for a change" in program.logged("waiting")
    assert len([line for line in program.log if "SyntaxError" in line]) == 1
    write(hello, "mended")
    assert program.url() == url
    assert get(url) == "mended"


def test_the_first_start_may_fail_too(start: Start, hello: Path) -> None:
    hello.unlink()
    program = start()
    program.logged("no module 'hello'")
    program.logged("waiting for a change")
    write(hello, "found")
    assert get(program.url()) == "found"


@pytest.mark.parametrize(
    ("end", "words"),
    [("os._exit(7)", "has ended with code 7"), ("os.kill(os.getpid(), 9)", "was killed by SIGKILL")],
)
def test_a_server_that_ends_by_itself_is_told_and_started_by_the_next_change(
    end: str, words: str, start: Start, hello: Path
) -> None:
    write(hello, "first", f"\n@router.get('/end')\ndef end(request): {end}\n")
    program = start()
    url = program.url()
    with ask(url, "/end"):
        assert program.logged("waiting for a change").endswith(f"the server {words}; waiting for a change\n")
    write(hello, "second")
    assert program.url() == url
    assert get(url) == "second"


def test_where_there_is_no_python_for_a_moment_the_next_change_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "gone"))
    reloader = Reloader(Command("hello", str(tmp_path), {}), Selection((str(tmp_path),)), 1)
    monkeypatch.setattr("tinybeam.cli.reload._forget_bytecode", lambda paths: os.kill(os.getpid(), signal.SIGTERM))
    assert reloader.run() == 0
    assert "cannot start the server: [Errno 2]" in caplog.text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["hello", "--reload", "--port", "80000"], "port is 80000"),
        (["hello.py", "--reload"], "looks like a file"),
        (["hello", "--reload-dir", "."], "add --reload"),
        (["hello", "--reload-include", "*.html"], "add --reload"),
        (["hello", "--reload-exclude", "*.html"], "add --reload"),
    ],
)
def test_what_no_change_can_mend_is_refused_at_once(flags: list[str], words: str, hello: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tinybeam", "run", *flags], cwd=hello.parent, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (3, "", 1)
    assert words in ended.stderr


# The command line of a child.


def test_a_child_is_given_the_flags_that_were_given_and_the_port_that_was_found() -> None:
    command = Command("-odd:app", "src dir", {"port": 0, "access_log": False, "host": "::1", "uds": "-s"})
    words = command.words(7, 1234)
    assert words[words.index("run") :] == [
        "run",
        "--lifeline=7",
        "--app-dir=src dir",
        "--port=1234",
        "--no-access-log",
        "--host=::1",
        "--uds=-s",
        "--",
        "-odd:app",
    ]
    assert "--port=0" in command.words(7, None)


@pytest.mark.parametrize(
    ("orig_argv", "start"),
    [
        (["python", "-X", "dev", "-m", "tinybeam", "run", "hello"], ["-X", "dev", "-m", "tinybeam"]),
        (["python", "-I", "/usr/bin/tinybeam", "run", "hello"], ["-I", "/usr/bin/tinybeam"]),
        (["python", "manage.py", "run", "hello"], ["-m", "tinybeam"]),
        (["python"], ["-m", "tinybeam"]),
    ],
)
def test_a_child_is_started_as_the_parent_was(
    orig_argv: list[str], start: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.orig_argv", orig_argv)
    monkeypatch.setattr("sys.argv", ["tinybeam", *orig_argv[-2:]] if len(orig_argv) > 1 else [""])
    assert _start_of_python() == start
