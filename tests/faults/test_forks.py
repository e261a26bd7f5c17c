"""Forks of the server's process while clients are served."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.conftest import Program, Spawn

APP = """
import os
import threading
from tinybeam import Router

router = Router()
children = []

@router.get("/")
def index(request):
    return "yay"

@router.get("/number/{n:int}")
def number(request, n):
    return str(n)

def fork(request, way):
    child = os.fork()
    if child == 0:
        if way == "exits":
            os._exit(0)
        return "an answer of the child"
    children.append(child)
    return "forked"

# In a runner's thread, and in one of the pool.
router.get("/fork/{way}", blocking=False)(fork)
router.get("/pooled/{way}", blocking=True)(fork)

@router.get("/thread")
def thread(request):
    def work():
        child = os.fork()
        if child == 0:
            os._exit(0)
        children.append(child)
    forker = threading.Thread(target=work)
    forker.start()
    forker.join()
    return "forked"

@router.get("/keep")
def keep(request):
    # Lives until the test closes its standard input.
    child = os.fork()
    if child == 0:
        os.write(1, b"alive\\n")
        while os.read(0, 1):
            pass
        os._exit(0)
    return str(child)

@router.get("/ends")
def ends(request):
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    children.clear()
    return ",".join(map(str, codes))
"""


class Load:
    """Clients that ask one after the other, each for a number of its own, and check what they are told."""

    def __init__(self, program: Program, clients: int) -> None:
        self.wrong: list[bytes] = []
        self.answers = 0
        self._ending = threading.Event()
        self._program = program
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        with socket.create_connection(("127.0.0.1", self._program.port), 30) as sock:
            while not self._ending.is_set() and not self.wrong:
                number += 1000
                try:
                    sock.sendall(b"GET /number/%d HTTP/1.1\r\nHost: t\r\n\r\n" % number)
                    answer = sock.recv(4096)
                except OSError as error:
                    answer = repr(error).encode()
                if answer.count(b"HTTP/1.1 200 ") != 1 or not answer.endswith(b"\r\n\r\n%d" % number):
                    self.wrong.append(answer)
                self.answers += 1


@pytest.fixture
def forking(spawn: Spawn, tmp_path: Path) -> Program:
    (tmp_path / "faulty.py").write_text(APP)
    return spawn("--connection-requests-max", "1000000000")


def get(program: Program, path: str) -> bytes:
    return program.ask(f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", ["/fork/exits", "/fork/returns", "/pooled/exits", "/thread"])
def test_a_handler_that_forks_under_load_costs_nobody_an_answer_and_its_child_gives_none(
    path: str, forking: Program, until: Callable[[Callable[[], object]], None]
) -> None:
    get(forking, "/")
    descriptors = forking.descriptors
    get(forking, path)
    with Load(forking, 4) as load:
        for _ in range(30):
            assert get(forking, path) == b"forked"
        assert get(forking, "/ends") == b",".join([b"0"] * 31)
    assert load.wrong == []
    assert load.answers > 0
    for _ in range(5):
        assert get(forking, "/") == b"yay"
    until(lambda: forking.descriptors <= descriptors)  # a client hears of its end before the server has closed
    log = forking.stop()
    assert b"ERROR" not in log, log.decode()
    assert b"CRITICAL" not in log, log.decode()


def test_a_child_that_is_held_up_in_its_fork_keeps_no_client_waiting(
    spawn: Spawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python runs this at its start, so that the hook comes before those that let go of the descriptors.
    hook = "import os\nos.register_at_fork(after_in_child=lambda: os.read(0, 1))\n"
    (tmp_path / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "faulty.py").write_text(APP)
    program = spawn()
    assert get(program, "/fork/exits") == b"forked"
    assert get(program, "/") == b"yay"
    program.let_go()
    assert get(program, "/ends") == b"0"
    program.stop()


def test_a_child_that_lives_on_holds_no_connection_and_no_port(forking: Program, spawn: Spawn) -> None:
    client = forking.connect()
    client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert client.recv(4096).endswith(b"yay")
    child = int(get(forking, "/keep"))
    assert forking.line() == "alive"  # it has come back from its fork, and done what is to be done then
    stdin = forking.process.stdin
    assert stdin is not None
    sockets = [name for name in os.listdir(f"/proc/{child}/fd") if "socket:" in os.readlink(f"/proc/{child}/fd/{name}")]
    port = forking.port
    forking.process.terminate()
    assert client.recv(4096) == b""
    assert forking.process.wait() == 0
    os.kill(child, 0)  # it is alive yet
    second = spawn("--port", str(port))
    assert get(second, "/") == b"yay"
    with contextlib.suppress(BrokenPipeError):
        stdin.close()
    second.stop()
    assert sockets == []
