"""What tests of `tinybeam run --reload` share: the app that is edited, the program, and its clients."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.conftest import PATIENCE_S
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


def customize(directory: Path, text: str) -> str:
    """A folder for PYTHONPATH that has every process of a test run this before anything else."""
    folder = directory / ".customized"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(text)
    return str(folder)
