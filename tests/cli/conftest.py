"""Runs the command line as a user does: as a program of its own, in a directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.reloading import Reloading, Start, customize, write
from tests.conftest import PATIENCE_S


class Program:
    """A started `python -m tinybeam`; its standard streams are pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """The next line that it prints; "" when it has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def log_line(self) -> str:
        """The next line that it logs."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().rstrip("\n")

    def url(self) -> str:
        """Waits until it is ready; the URL that it prints."""
        line = self.line()
        assert line.startswith("Tinybeam is listening on "), self.process.communicate()
        return line.split()[4]

    def end(self) -> tuple[int, str, str]:
        """Waits until it has ended: the exit code, and what it still had to say on stdout and stderr."""
        # communicate() closes its stdin, which a handler may be reading; so that comes after the end.
        self.process.wait()
        out, err = self.process.communicate()
        return self.process.returncode, out, err


class CommandLine:
    """Starts programs, and ends those that a test has left."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.programs: list[Program] = []

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self, *args: str, **environ: str) -> Program:
        # The settings of whoever runs the tests are not those of the tests, but for the library's path.
        env = {name: value for name, value in os.environ.items() if name[:9] != "TINYBEAM_" or name[9:] == "LIBRARY"}
        process = subprocess.Popen(
            [sys.executable, "-m", "tinybeam", *args],
            cwd=self.directory,
            env={**env, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.programs.append(Program(process))
        return self.programs[-1]

    def close(self) -> None:
        for program in self.programs:
            with program.process as process:
                process.kill()


@pytest.fixture
def command_line(tmp_path: Path) -> Iterator[CommandLine]:
    command_line = CommandLine(tmp_path)
    yield command_line
    command_line.close()


# Of `tinybeam run --reload`.


@pytest.fixture(scope="session", autouse=True)
def _signals_as_in_a_terminal() -> Iterator[None]:
    """Whoever runs the tests may have signals ignored, nohup say, and what they start would ignore them as well."""
    numbers = [number for number in (signal.SIGHUP, signal.SIGQUIT) if signal.getsignal(number) is signal.SIG_IGN]
    for number in numbers:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)


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


@pytest.fixture
def impatient(tmp_path: Path) -> str:
    """Has an end be given two seconds, not ten."""
    return customize(tmp_path, "from tinybeam.cli import reload, run\nrun.END_GRACE_S = 2\nreload._KILL_AFTER_S = 3\n")
