"""Runs the command line as a user does: as a program of its own, in a directory of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


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
