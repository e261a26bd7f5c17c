"""`tinybeam run --reload` as a program: how it ends, and that no child is ever left."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.reloading import CHILD, HANG_AT_EXIT, Reloading, Start, answer_of, ask, customize, get, write

HANG_AT_IMPORT = """
import threading
print("importing", flush=True)
threading.Event().wait()
"""


def test_a_parent_that_is_killed_takes_the_server_along_in_order(start: Start, hello: Path) -> None:
    write(hello, "first", CHILD)
    program = start("--drain-timeout-ms", "60000")
    with ask(program.url(), "/slow") as sock:
        assert program.line() == "entered"
        program.process.kill()
        program.logged("draining")
        program.let_go()
        assert answer_of(sock).endswith(b"finished")
    code, out, _ = program.end()
    assert (code, out) == (-signal.SIGKILL, "terminated: shutdown\n")


def test_a_parent_that_is_killed_takes_a_server_along_that_is_still_starting(start: Start, hello: Path) -> None:
    hello.write_text(HANG_AT_IMPORT)
    program = start()
    assert program.line() == "importing"
    program.process.kill()
    assert program.end()[:2] == (-signal.SIGKILL, "")


def test_a_parent_that_is_killed_takes_a_server_along_that_hangs(start: Start, hello: Path, impatient: str) -> None:
    write(hello, "first", HANG_AT_EXIT)
    program = start("--drain-timeout-ms", "1", path=impatient)
    program.url()
    program.process.kill()
    assert program.end()[:2] == (-signal.SIGKILL, "leaving\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_term_and_hup_finish_what_is_open(number: signal.Signals, start: Start, hello: Path) -> None:
    program = start()
    with ask(program.url(), "/slow") as sock:
        assert program.line() == "entered"
        program.process.send_signal(number)
        program.logged("draining")
        program.let_go()
        assert answer_of(sock).endswith(b"finished")
    assert program.end()[:2] == (0, "")


def test_term_exits_with_1_when_something_was_cut(start: Start, hello: Path) -> None:
    program = start("--drain-timeout-ms", "1")
    with ask(program.url(), "/slow"):
        assert program.line() == "entered"
        program.process.terminate()
        code, _, err = program.end()
    assert code == 1
    assert "1 unanswered requests were cut" in err


def test_term_ends_a_parent_that_waits_for_a_change(start: Start, hello: Path) -> None:
    hello.write_text("1 / 0\n")
    program = start()
    program.logged("waiting for a change")
    program.process.terminate()
    assert program.end() == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_still_starting_ends_quietly(number: signal.Signals, start: Start, hello: Path) -> None:
    hello.write_text(HANG_AT_IMPORT)
    program = start()
    assert program.line() == "importing"
    if number == signal.SIGINT:
        program.interrupt_all()
    else:
        program.process.terminate()
    assert program.end() == (0, "", "")


def test_ctrl_c_is_quiet_while_python_itself_is_starting(start: Start, hello: Path, tmp_path: Path) -> None:
    hang = (
        'import os, sys\nif "--lifeline" in str(sys.orig_argv):\n    print("starting", flush=True)\n    os.read(0, 1)\n'
    )
    program = start(path=customize(tmp_path, hang))
    assert program.line() == "starting"
    program.interrupt_all()
    program.let_go()
    assert program.end() == (0, "", "")


def test_a_server_that_is_at_its_exit_is_not_cut_short(start: Start, hello: Path, impatient: str) -> None:
    write(hello, "first", HANG_AT_EXIT)
    program = start("--drain-timeout-ms", "1", path=impatient)
    os.kill(int(get(program.url(), "/pid")), signal.SIGINT)
    assert program.line() == "leaving"
    program.process.terminate()
    program.logged(" in hang")  # the last resort has met it there
    assert program.end()[0] == 1


def test_ctrl_c_stops_both_at_once(start: Start, hello: Path) -> None:
    program = start("--drain-timeout-ms", "3600000")
    with ask(program.url(), "/slow"):
        assert program.line() == "entered"
        program.interrupt_all()
        code, out, err = program.end()
    assert (code, out) == (0, "")
    assert "Traceback" not in err


def test_an_int_for_the_parent_alone_ends_both(start: Start, hello: Path) -> None:
    program = start()
    program.url()
    program.process.send_signal(signal.SIGINT)
    assert program.end()[:2] == (0, "")


@pytest.mark.parametrize("whom", ["both", "parent"])
def test_a_second_ctrl_c_kills(whom: str, start: Start, hello: Path) -> None:
    write(hello, "first", HANG_AT_EXIT)
    program = start()
    program.url()
    interrupt = program.interrupt_all if whom == "both" else lambda: program.process.send_signal(signal.SIGINT)
    interrupt()
    assert program.line() == "leaving"
    interrupt()
    assert program.end()[:2] == (-signal.SIGINT, "")


def test_nohup_is_respected(start: Start, hello: Path) -> None:
    program = start(before=("sh", "-c", 'trap "" HUP; exec "$@"', "sh"))
    program.url()
    os.killpg(program.process.pid, signal.SIGHUP)
    write(hello, "second")
    assert get(program.url()) == "second"


@pytest.mark.parametrize("how", ["ctrl+c", "closed"])
def test_the_terminal_ends_both(how: str, hello: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    # A leader of a session that opens a terminal has it for its own.
    line = 'exec "$@" <"$0" 2>"$0"'
    with subprocess.Popen(
        ["sh", "-c", line, os.ttyname(slave), sys.executable, "-m", "tinybeam", "run", "hello", "--reload", "--port=0"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        program = Reloading(process)
        program.url()
        os.close(slave)
        if how == "ctrl+c":
            os.write(master, b"\x03")
            assert program.end()[0] == 0
            os.close(master)
        else:
            os.close(master)
            program.end()
