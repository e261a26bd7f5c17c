"""What tests of a live server share: a way to start one, a raw connection to it, and a gate for handlers to wait at."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings

from tinybeam import Router
from tinybeam.config import Config
from tinybeam.process import self_ref
from tinybeam.server import RunningServer, serve

# No test waits this long unless it fails: so that what never comes fails its test instead of hanging it.
PATIENCE_S = 30
# Of httpx: without the proxies of whoever runs the tests, and not only as patient as it is by itself.
PLAINLY: Final[dict[str, Any]] = {"trust_env": False, "timeout": PATIENCE_S}
ENGINES = ("native", "portable")

# What hypothesis makes up is the same at every run, so that a run says something about a change, and no example is too
# slow for a machine that is held up. With a number in the environment it tries so many others.
EXAMPLES = int(os.environ.get("TINYBEAM_EXAMPLES", "0"))
settings.register_profile(
    "tinybeam",
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tinybeam")


class Gate:
    """Where a handler waits until the test lets it go on. Only `open` opens it: nothing in it depends on time."""

    def __init__(self) -> None:
        self._reached = threading.Semaphore(0)
        self._opened = threading.Event()
        # The names of the threads that came, in order.
        self.threads: list[str] = []

    def wait(self) -> None:
        """For the handler: says that it is here, and waits."""
        self.threads.append(threading.current_thread().name)
        self._reached.release()
        assert self._opened.wait(PATIENCE_S), "nobody opened the gate"

    def reached(self, times: int = 1) -> None:
        """For the test: returns when handlers have come here so many more times."""
        for _ in range(times):
            assert self._reached.acquire(timeout=PATIENCE_S), "nobody came to the gate"

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def open(self) -> None:
        """Lets all go on who wait here, and whoever comes later."""
        self._opened.set()


@dataclass
class RawReply:
    """One response as it was read from the wire; the names in `headers` are lower-cased."""

    status: int
    line: str
    headers: dict[str, str]
    body: bytes


class RawConn:
    """A connection that sends octets as they are given, and reads whole responses."""

    def __init__(self, url: str) -> None:
        if url.startswith("unix:"):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE_S)
            self.sock.connect(url.removeprefix("unix:"))
        else:
            host, _, port = url.removeprefix("http://").rpartition(":")
            self.sock = socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S)
        self._kept = b""

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def send_unless_closed(self, octets: bytes) -> None:
        """Sends what the server may not want any more."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(octets)

    def get(self, path: str, method: str = "GET", extra: str = "") -> None:
        """Sends a request without a body, and does not wait for its answer."""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: t\r\n{extra}\r\n".encode())

    def post(self, path: str, body: bytes) -> None:
        self.send(f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def end(self) -> None:
        """Says that we send no more."""
        self.sock.shutdown(socket.SHUT_WR)

    def reply(self, method: str = "GET") -> RawReply:
        """The next response. Its framing must be Content-Length, which is what the engine writes."""
        while b"\r\n\r\n" not in self._kept:
            self._more()
        head, _, self._kept = self._kept.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        status = int(line.split()[1])
        length = int(headers.get("content-length", 0)) if method != "HEAD" and status >= 200 else 0
        while len(self._kept) < length:
            self._more()
        body, self._kept = self._kept[:length], self._kept[length:]
        return RawReply(status, line, headers, body)

    def rest(self) -> bytes:
        """All octets until the server closes."""
        while octets := self.sock.recv(65536):
            self._kept += octets
        rest, self._kept = self._kept, b""
        return rest

    def _more(self) -> None:
        octets = self.sock.recv(65536)
        assert octets, f"the server closed after {self._kept!r}"
        self._kept += octets

    def close(self) -> None:
        self.sock.close()


def wait_until(holds: Callable[[], object]) -> None:
    """Returns when the condition holds; for states of which nothing tells that they have come."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=(*ENGINES, "both"), default="both", help="which engine serves in the tests")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "native_only(reason): the test is of what only the native engine has")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every test that needs an engine, by whatever fixture, runs once with each."""
    if "engine" in metafunc.fixturenames:
        given = metafunc.config.getoption("--engine")
        names = [name for name in ENGINES if given in (name, "both")]
        if metafunc.definition.get_closest_marker("native_only"):
            names = [name for name in names if name == "native"]
        metafunc.parametrize("engine", names, indirect=True)


@pytest.fixture
def empty_mailbox() -> Iterator[None]:
    """What was sent to one test, and not received, is nothing to another."""
    mailbox = self_ref()._process
    mailbox._withdraw(lambda _: True)
    yield
    mailbox._withdraw(lambda _: True)


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The name of the engine that serves in this test."""
    return str(request.param)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    return wait_until


@pytest.fixture
def gates() -> Iterator[Callable[[], Gate]]:
    """Makes gates; all of them are open at the end, so that no handler outlives its test."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate())
        return made[-1]

    yield make
    for one in made:
        one.open()


@pytest.fixture
def gate(gates: Callable[[], Gate]) -> Gate:
    return gates()


@pytest.fixture
def serving(engine: str, gates: Callable[[], Gate]) -> Iterator[Callable[..., RunningServer]]:
    """Starts servers on free ports, with the settings that are given; they stop when the test ends."""
    started: list[RunningServer] = []

    def start(app: Router, **settings: Any) -> RunningServer:
        started.append(serve(app, Config(**{"port": 0, "engine": engine, **settings})))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[str], RawConn]]:
    """Opens raw connections to a server's URL; they close when the test ends."""
    opened: list[RawConn] = []

    def open_(url: str) -> RawConn:
        opened.append(RawConn(url))
        return opened[-1]

    yield open_
    for conn in opened:
        conn.close()


@pytest.fixture
def no_faults(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that went well to the eye, while a runner's own loop had faulted."""
    yield
    faults = [r.getMessage() for r in caplog.records if r.name == "tinybeam.server" and r.levelno >= logging.CRITICAL]
    assert faults == []
