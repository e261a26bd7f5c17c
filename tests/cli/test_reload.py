"""`tinybeam run --reload` as a program: a change is served, and no child is ever left."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PATIENCE_S
from tinybeam.cli.reload import Command, Reloader, _start_of_python
from tinybeam.cli.watch import Selection
from tinybeam.testing.live import LiveClient

# Whoever reads stdout to its end has waited for the child as well, which holds the same pipe.
APP = """
import os
from tinybeam import Router

router = Router()

@router.get("/")
def index(request):
    return "ANSWER"

@router.get("/pid")
def pid(request):
    return str(os.getpid())

@router.get("/slow")
def slow(request):
    print("entered", flush=True)
    os.read(0, 1)
    return "finished"
"""

# It ends with its supervisor's word, and says so.
CHILD = """
from tinybeam.process import GenServer

class Room(GenServer):
    trap_exit = True

    def init(self):
        return None

    def terminate(self, reason, state):
        print(f"terminated: {reason}", flush=True)

router.children([Room.child_spec()])
"""

HANG_AT_EXIT = """
import atexit
import threading

@atexit.register
def hang():
    print("leaving", flush=True)
    threading.Event().wait()
"""

HANG_AT_IMPORT = """
import threading
print("importing", flush=True)
threading.Event().wait()
"""


class Reloading:
    """A started `tinybeam run --reload`, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.log: list[str] = []

    def line(self) -> str:
        """The next line that a child prints; "" when no process is left."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def url(self) -> str:
        """Waits until a child is ready: its URL."""
        line = self.line()
        assert line.startswith("Tinybeam is listening on "), (line, self.end())
        return line.split()[4]

    def logged(self, words: str) -> str:
        """Waits for a line of the log with these words in it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} is not in {self.log}")

    def let_go(self) -> None:
        """Sends the octet that a handler, an import or an exit waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write("x")
        self.process.stdin.flush()

    def interrupt_all(self) -> None:
        """What Ctrl+C does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Waits until no process is left: the parent's exit code, and what was still printed and logged."""
        self.process.wait(PATIENCE_S)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


Start = Callable[..., Reloading]


def write(path: Path, answer: str, more: str = "") -> None:
    path.write_text(APP.replace("ANSWER", answer) + more)


def get(url: str, path: str = "/") -> str:
    with LiveClient(url) as client:
        return client.get(path).text


def ask(url: str, path: str) -> socket.socket:
    """Sends a request and does not wait for its answer."""
    host, port = url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)), PATIENCE_S)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
    return sock


def answer_of(sock: socket.socket) -> bytes:
    received = b""
    while octets := sock.recv(65536):
        received += octets
    return received


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts it on a free port; when the test is over no process of it is left, however the test went."""
    started: list[Reloading] = []

    def start(*flags: str, before: tuple[str, ...] = (), path: str = "") -> Reloading:
        env = {name: value for name, value in os.environ.items() if name[:9] != "TINYBEAM_" or name[9:] == "LIBRARY"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        address = () if "--uds" in flags else ("--port", "0")
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "tinybeam", "run", "hello", "--reload", *address, *flags],
            cwd=tmp_path,
            env={**env, "PYTHONPATH": f"{path}:{env.get('PYTHONPATH', '')}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        started.append(Reloading(process))
        return started[-1]

    yield start
    for reloading in started:
        with reloading.process as process:
            process.kill()
            try:
                process.communicate(timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    write(tmp_path / "hello.py", "first")
    return tmp_path / "hello.py"


def customize(directory: Path, text: str) -> str:
    """A folder for PYTHONPATH that has every process of a test run this before anything else."""
    folder = directory / ".customized"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)


@pytest.fixture
def impatient(tmp_path: Path) -> str:
    """Has an end be given two seconds, not ten."""
    return customize(tmp_path, "from tinybeam.cli import reload, run\nrun.END_GRACE_S = 2\nreload._KILL_AFTER_S = 3\n")


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


# Ends.


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
