"""The portable engine as a whole: without ctypes, without a successor, and what docs/portable-engine.md says of it.

What it shares with the native engine is tested for both, in tests/server, tests/protocol and tests/faults.
"""

from __future__ import annotations

import contextlib
import functools
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tinybeam import Request, contract
from tinybeam.config import Config
from tinybeam.http import KIND_TEXT
from tinybeam.portable import PortableEngine
from tinybeam.portable.connection import Connection

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "portable-engine.md").read_text()
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
decode = msgspec.msgpack.Decoder(list[Request]).decode
encode = msgspec.msgpack.encode

PROGRAM = """
import os, socket, sys
sys.modules["ctypes"] = None  # as in a Python that was built without it
from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve

router = Router()
router.get("/")(lambda request: "served")
server = serve(router, Config(port=0, engine=sys.argv[1]))
client = socket.create_connection(("127.0.0.1", server.port))
client.sendall(b"GET / HTTP/1.1\\r\\nHost: t\\r\\nConnection: close\\r\\n\\r\\n")
octets = b""
while more := client.recv(4096):
    octets += more
assert octets.endswith(b"served"), octets
server.stop()
assert sys.modules["ctypes"] is None and "_ctypes" not in sys.modules
print("yay")
"""


class Rig:
    """An engine, its one port, and a client."""

    def __init__(self, **settings: int) -> None:
        self.engine = PortableEngine(Config(**settings))  # type: ignore[arg-type]
        self.number = self.engine.listen("127.0.0.1", 0, 16)
        self.port = self.engine.open_port()
        self.client = socket.create_connection(("127.0.0.1", self.number), PATIENCE_S)

    def request(self, octets: bytes) -> Request:
        self.client.sendall(octets)
        while not (length := self.port.poll(b"") & LENGTH_MASK):
            pass
        return decode(self.port.view[:length])[0]

    def flush(self, answers: bytes = b"") -> None:
        self.engine.wake()
        self.port.poll(answers)


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(**getattr(request, "param", {}))
    yield made
    made.client.close()
    made.engine.close()


@pytest.mark.parametrize("engine_name", ["portable", "auto"])
def test_it_serves_in_a_python_that_has_no_ctypes(engine_name: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, engine_name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "yay\n"), done.stderr
    assert ("The portable engine serves" in done.stderr) is (engine_name == "auto")


def test_the_native_engine_is_an_error_in_a_python_that_has_no_ctypes() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "native"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "the native engine cannot be loaded" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("rig", [{"request_timeout_ms": 50}], indirect=True)
def test_a_blocked_runner_without_a_successor_keeps_no_client_from_its_504(rig: Rig) -> None:
    rig.request(GET)
    rig.port.phase[0] = contract.PHASE_RUNNING  # and it never comes back
    assert rig.client.recv(4096).startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert rig.engine.stats()["requests_overdue"] == 1
    assert [age >= 50 for _, age in rig.engine.take_overdue()] == [True]


def test_a_blocked_runner_loses_its_scheduler_to_the_one_that_parked_last(rig: Rig) -> None:
    rig.request(GET)
    other = rig.engine.open_port()
    rig.port.phase[0] = contract.PHASE_RUNNING
    status = other.poll(b"")
    assert status >> 48 & (contract.POLL_RESUME | contract.POLL_SPARE) == contract.POLL_RESUME | contract.POLL_SPARE
    assert status >> 32 & contract.NOBODY == rig.port.number
    assert rig.engine.stats()["takeovers"] == 1


def test_a_fault_of_ours_costs_one_connection_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(connection: Connection, readable: bool) -> None:
        raise KeyError("scripted")

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "_settle", fault)
        rig.client.sendall(GET)
        while rig.engine.stats()["connections_accepted"] == 0 or rig.engine.stats()["connections_open"]:
            rig.flush()
    with contextlib.suppress(ConnectionError):
        assert rig.client.recv(1) == b""
    assert "a connection faulted" in caplog.text
    rig.client.close()
    rig.client = socket.create_connection(("127.0.0.1", rig.number), PATIENCE_S)
    assert rig.request(GET).method == "GET"


# Rows of docs/portable-engine.md.


def test_headers_are_told_as_h11_tells_them(rig: Rig) -> None:
    assert "has it without the zeros" in DOCUMENT
    assert "has it in lower case" in DOCUMENT
    request = rig.request(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: " + b"0" * 30 + b"2\r\n\r\nhi")
    assert (request.headers["content-length"], request.body) == ("2", b"hi")
    rig.flush(encode([(request.handle, KIND_TEXT, "")]))
    request = rig.request(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n")
    assert request.headers["transfer-encoding"] == "chunked"


def test_of_answers_that_are_no_terms_none_counts(rig: Rig) -> None:
    assert "none counts" in DOCUMENT
    request = rig.request(GET)
    good = encode((request.handle, KIND_TEXT, "good"))
    assert rig.engine.respond(b"\x92" + good + b"\xc1") == contract.ETERM
    assert rig.engine.respond(b"\x91" + good) == contract.OK


def test_a_switch_of_protocols_is_refused(rig: Rig) -> None:
    assert "never switched" in DOCUMENT
    request = rig.request(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
    rig.flush(encode([(request.handle, 101, b"", None)]))
    assert rig.client.recv(4096).startswith(b"HTTP/1.1 500 ")


def test_what_waits_for_an_answer_is_not_read_on(rig: Rig) -> None:
    rig.request(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n")
    rig.client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        rig.client.sendall(GET * 40_000)
    for _ in range(50):
        rig.flush()
    [connection] = rig.engine._scheduler.room.connections
    assert 0 < len(connection.inbox) <= 64 * 1024  # as much as one read takes


# What it costs, and what it leaves.


class CountingSelector:
    """A selector that counts its waits."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self.selector = selector
        self.waits = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.waits += 1
        return self.selector.select(timeout)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.selector, name)


def test_nothing_wakes_an_engine_whose_clients_are_silent(rig: Rig, until: Callable[..., None]) -> None:
    selector = rig.engine._scheduler.room.selector = CountingSelector(rig.engine._scheduler.room.selector)  # type: ignore[assignment]
    rig.client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    silent = [socket.create_connection(("127.0.0.1", rig.number), PATIENCE_S) for _ in range(3)]
    silent[0].sendall(GET[:10])
    polling = threading.Thread(target=rig.port.poll, args=(b"",))
    polling.start()
    until(lambda: rig.engine._lobby.watchdog_asleep)
    sequence, waits = rig.engine._lobby.sequence, selector.waits
    time.sleep(0.3)  # a span to look at
    assert (rig.engine._lobby.sequence, selector.waits) == (sequence, waits)
    assert rig.engine._lobby.watchdog_asleep
    rig.engine.wake()
    polling.join()
    for client in silent:
        client.close()


def test_a_client_that_vanishes_without_a_word_is_found_out_by_the_kernel(rig: Rig) -> None:
    rig.request(GET)
    [connection] = rig.engine._scheduler.room.connections
    option = functools.partial(connection.sock.getsockopt, socket.IPPROTO_TCP)
    assert connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert option(socket.TCP_NODELAY)
    if sys.platform == "linux":
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [option(name) for name in names] == [60, 10, 6, Config().write_timeout_ms]
