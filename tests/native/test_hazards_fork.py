"""Hazard 19: fork."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tinybeam import contract
from tinybeam.errors import NativeError

if TYPE_CHECKING:
    from tests.native.conftest import Connect, EchoApp, ReceiveBodies, Serving

FORKS = int(os.environ.get("TINYBEAM_STRESS_FORKS", "100"))
PATIENCE_S = 30


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: t\r\n\r\n".encode()


class Load:
    """Clients that ask one thing after the other until they are told to stop, and count what went wrong."""

    def __init__(self, url: str, receive_bodies: ReceiveBodies, clients: int = 4) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.receive_bodies = receive_bodies
        self.address = (host, int(port))
        self.stop = threading.Event()
        self.errors: list[object] = []
        self.answered = 0
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        try:
            while not self.stop.is_set():
                with socket.create_connection(self.address, PATIENCE_S) as client:
                    for i in range(50):
                        client.sendall(get(f"/echo/{number}-{i}"))
                        assert self.receive_bodies(client, 1) == [f"{number}-{i}".encode()]
                        self.answered += 1
        except BaseException as error:  # noqa: BLE001
            self.errors.append(error)

    def close(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def load(serving: Serving, receive_bodies: ReceiveBodies, echo_app: EchoApp) -> Iterator[Load]:
    made = Load(serving(echo_app()).url, receive_bodies)
    yield made
    made.close()


def descriptors(kind: str) -> list[int]:
    """The descriptors of this process whose name in /proc holds this text."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the one that listdir itself had open
            if kind in os.readlink(f"/proc/self/fd/{name}"):
                found.append(int(name))
    return found


def server_sockets(address: tuple[str, int]) -> list[int]:
    """The descriptors of this process that are the server's end of a connection, or its listener."""
    found = []
    for fd in descriptors("socket:"):
        with socket.socket(fileno=os.dup(fd)) as duplicate:
            if duplicate.getsockname() == address:
                found.append(fd)
    return found


def event_descriptors() -> list[int]:
    """The descriptors of this process that are poll sets and event counters: what an engine has, and Python has not."""
    return descriptors("eventpoll") + descriptors("eventfd")


def fork_and_check(check: Callable[[], int]) -> int:
    """The exit code of a forked child that runs this."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = check()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_forks_at_any_moment_disturb_no_client_and_leave_no_poll_set_in_the_child(load: Load) -> None:
    chance = random.Random(1)
    leaked = 0
    for _ in range(FORKS):
        for _ in range(chance.randrange(2000)):
            pass  # a moment more or less; there is nothing to wait for
        assert not load.errors
        code = fork_and_check(lambda: 1 if event_descriptors() else 2 if server_sockets(load.address) else 0)
        assert code in (0, 2)
        leaked += code == 2
    load.close()
    assert load.errors == []
    assert load.answered > 0
    assert leaked == 0


def test_a_child_holds_no_socket_of_the_server_and_its_calls_are_refused(
    serving: Serving, connect: Connect, echo_app: EchoApp
) -> None:
    running = serving(echo_app())
    conns = [connect(running.url) for _ in range(5)]
    for conn in conns:
        conn.get("/echo/a")
        assert conn.reply().body == b"a"
    address = conns[0].sock.getpeername()
    assert len(server_sockets(address)) == 6

    def check() -> int:
        engine = running._server.engine
        try:
            engine.stats()
        except NativeError as error:
            if error.code != contract.EFORKED:
                return 3
        if engine.respond(b"\x90") != contract.EFORKED or engine.close():
            return 4
        return 1 if event_descriptors() else 2 if server_sockets(address) else 0

    assert fork_and_check(check) == 0
    for conn in conns:
        conn.get("/echo/b")
        assert conn.reply().body == b"b"


def test_a_connection_that_the_parent_closes_is_closed_though_a_child_lives(
    serving: Serving, connect: Connect, echo_app: EchoApp
) -> None:
    running = serving(echo_app())
    conn = connect(running.url)
    conn.get("/echo/a")
    conn.reply()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        conn.sock.close()  # the client's end is ours too
        os.read(reading, 1)  # lives until the parent lets it go
        os._exit(0)
    os.close(reading)
    conn.get("/echo/last", extra="Connection: close\r\n")
    assert conn.rest().endswith(b"last")
    os.close(writing)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_multiprocessing_child_that_forks_can_work_and_end(load: Load) -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map(abs, range(-50, 0)) == list(range(50, 0, -1))
    load.close()
    assert load.errors == []


def test_a_program_that_is_started_sees_no_descriptor_of_the_server(load: Load) -> None:
    list_open = (
        "import os\nfor fd in range(100):\n    try: print(os.readlink(f'/proc/self/fd/{fd}'))\n    except OSError: pass"
    )
    for _ in range(10):
        command = [sys.executable, "-S", "-c", list_open]
        started = subprocess.run(command, capture_output=True, text=True, check=True, close_fds=False)
        assert "pipe:" in started.stdout  # its own output
        assert "eventpoll" not in started.stdout
        assert "eventfd" not in started.stdout
        assert "socket:" not in started.stdout
    load.close()
    assert load.errors == []
