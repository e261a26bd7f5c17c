"""What tests of the server share: an engine with one port and one client, an app that answers pong, and a witness.

Owns: Rig, Witness, and the types of the fixtures here and in tests/conftest.py.
Knows: how an engine is driven without a server.
Never: starts a server by itself: `serving` does.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tinybeam import Request, Router, contract
from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.process import receive
from tinybeam.server import RunningServer
from tinybeam.server.engines import open_engine

if TYPE_CHECKING:
    from tests.conftest import Gate, RawConn

    Gates = Callable[[], Gate]
    Serving = Callable[..., RunningServer]
    Connect = Callable[[str], RawConn]
    Until = Callable[[Callable[[], object]], None]
    CodeOf = Callable[[Callable[[], object]], int]
    MakeApp = Callable[..., Router]
    WaitingApp = Callable[[Gate], Router]
    Served = Callable[[RawConn], bytes]
    Refuses = Callable[[str], bool]
    Rigs = Callable[..., "Rig"]
    MakeWitness = Callable[..., "Witness"]


PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
decode = msgspec.msgpack.Decoder(list[Request]).decode
# Long enough that nothing but a gate makes a handler look blocked, on a machine that is busy with other things too.
TAKEOVER_MS = 100


class Rig:
    """An engine that listens, one port, and one client."""

    def __init__(self, body_offer_bytes: int = 0, **settings: Any) -> None:
        self.engine = open_engine(Config(**settings), body_offer_bytes)
        self.port_number = self.engine.listen("127.0.0.1", 0, 16)
        self.port = self.engine.open_port()
        self.client = self.connect()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port_number), PATIENCE_S)

    def post(self, path: str, body: bytes = b"") -> None:
        head = f"POST {path} HTTP/1.1\r\nHost: t\r\nContent-Length: {len(body)}\r\n\r\n"
        self.client.sendall(head.encode() + body)

    def requests(self, answers: bytes = b"") -> list[Request]:
        """Spends the answers and waits for a batch."""
        while True:
            status = self.port.poll(answers)
            answers = b""
            if status & LENGTH_MASK:
                return decode(self.port.view[: status & LENGTH_MASK])

    def flush(self, answers: bytes = b"") -> None:
        """Spends the answers, and comes back without waiting for requests."""
        self.engine.wake()
        assert self.port.poll(answers) >> 48 & contract.POLL_WAKE

    def reply(self) -> tuple[int, bytes]:
        """The status and the body of the next response."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += self.client.recv(1)
        length = int(octets.lower().partition(b"content-length: ")[2].split()[0])
        body = b""
        while len(body) < length:
            body += self.client.recv(length - len(body))
        return int(octets.split()[1]), body

    def calls(self) -> list[Callable[[], object]]:
        """Every call that raises on an engine that is closed or a forked copy."""
        return [
            lambda: self.engine.listen("127.0.0.1", 0, 1),
            lambda: self.engine.listen_unix("unused.sock", 1),
            lambda: self.engine.add_constant("/", 200, b"", b""),
            self.engine.drain,
            lambda: self.engine.wakeup_fd,
            self.engine.stats,
            self.engine.open_port,
            lambda: self.port.poll(b""),
        ]

    def close(self) -> None:
        self.client.close()
        self.engine.close()


@pytest.fixture
def rigs(engine: str) -> Iterator[Rigs]:
    made: list[Rig] = []

    def make(**settings: Any) -> Rig:
        made.append(Rig(engine=engine, **settings))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(rigs: Rigs) -> Rig:
    return rigs()


@pytest.fixture
def make_rig(engine: str) -> Callable[[], Rig]:
    """For a rig that the test itself opens, and lets go of."""
    return lambda: Rig(engine=engine)


def code_raised_by(call: Callable[[], object]) -> int:
    """The code of the NativeError that this raises."""
    with pytest.raises(NativeError) as caught:
        call()
    return caught.value.code


@pytest.fixture
def code_of() -> CodeOf:
    return code_raised_by


def pong_app(text: str = "pong") -> Router:
    router = Router()
    router.get("/")(lambda request: text)
    return router


@pytest.fixture
def make_app() -> MakeApp:
    return pong_app


def pong_and_wait_app(gate: Gate) -> Router:
    router = pong_app()

    @router.get("/wait")
    def wait(request: Request) -> str:
        gate.wait()
        return "done"

    return router


@pytest.fixture
def waiting_app() -> WaitingApp:
    return pong_and_wait_app


def answer_of(conn: RawConn) -> bytes:
    conn.get("/")
    return conn.reply().body


@pytest.fixture
def served() -> Served:
    return answer_of


def is_refused(url: str) -> bool:
    """Whether nobody listens there any more."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # it was closed in just this moment
    return False


@pytest.fixture
def refuses() -> Refuses:
    return is_refused


class Witness:
    """An app with a route that blocks when it is told to; notes in which threads it ran."""

    def __init__(self, serving: Serving, connect: Connect, blocking: bool | None = None, **settings: Any) -> None:
        self.threads: list[str] = []
        self.gate: Gate | None = None
        router = Router()
        router.get("/quick")(lambda request: "quick")

        @router.get("/suspect", blocking=blocking)
        def suspect(request: Request) -> str:
            self.threads.append(threading.current_thread().name)
            if self.gate is not None:
                self.gate.wait()
            return "done"

        self.running = serving(router, takeover_ms=TAKEOVER_MS, **settings)
        self.conn, self.other = connect(self.running.url), connect(self.running.url)

    def run(self) -> str:
        """Requests the route, which does not block; the kind of thread that it ran in."""
        self.conn.get("/suspect")
        assert self.conn.reply().body == b"done"
        return self.threads[-1].rpartition("-")[0]

    def block(self, gate: Gate) -> None:
        """Requests the route, and lets it block until another request was answered."""
        self.gate = gate
        self.conn.get("/suspect")
        gate.reached()
        self.other.get("/quick")
        assert self.other.reply().body == b"quick"
        self.gate = None
        gate.open()
        assert self.conn.reply().body == b"done"


@pytest.fixture
def make_witness(serving: Serving, connect: Connect) -> MakeWitness:
    def make(**settings: Any) -> Witness:
        return Witness(serving, connect, **settings)

    return make


@pytest.fixture
def local_client_of() -> Any:
    """The class of clients without a server."""
    from tinybeam.testing.local import LocalClient  # noqa: PLC0415 - only here

    return LocalClient


@pytest.fixture
def nothing_left(until: Until) -> Iterator[None]:
    """No message of a test comes to the next one."""
    yield
    while True:
        try:
            receive(0)
        except TimeoutError:
            return
