"""Builds the C unit tests, and makes what the tests of hazards share: an engine that has no server, and an echo.

Owns: the build flags of the C unit tests, the folder build/native-tests, what TINYBEAM_SANITIZE means, and EngineRig.
Knows: that a *_test.c has a main of its own, and that one named *_threads_test.c is for ThreadSanitizer too.
Never: takes a file for current by its date: its name in the build folder is the hash of all that it was made of.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tinybeam import Request, Router
from tinybeam.config import Config
from tinybeam.server import RunningServer
from tinybeam.server.engine import Engine

if TYPE_CHECKING:
    from tests.conftest import RawConn

    Connect = Callable[[str], RawConn]
    EchoApp = Callable[[], Router]
    ReceiveBodies = Callable[[socket.socket, int], list[bytes]]
    Serving = Callable[..., RunningServer]

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "native-tests"
FLAGS = ["-std=c11", "-D_GNU_SOURCE=", "-g", "-O1", "-fno-omit-frame-pointer", "-pthread"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow"]
INCLUDES = [f"-I{ROOT / 'native' / folder}" for folder in ("include", "src")]
# What faults.h puts its own functions in place of.
WRAPPED = (
    "recv",
    "send",
    "sendmsg",
    "accept4",
    "epoll_wait",
    "pread",
    "sendfile",
    "malloc",
    "calloc",
    "realloc",
    "free",
)
SANITIZERS = {
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    "thread": ["-fsanitize=thread"],
    "none": [],
}


@dataclasses.dataclass(frozen=True)
class CUnit:
    """One C test program under one sanitizer."""

    source: Path
    sanitizer: str

    def build(self, sanitizer: str) -> Path:
        """Compiles what is not compiled yet, and links; fails the test with the compiler's message."""
        sources = [self.source, *sorted((ROOT / "native" / "src").glob("*.c"))]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda source: compiled(source, sanitizer), sources))
        program = BUILD / f"{self.source.stem}-{digest(*(path.name.encode() for path in objects))}"
        if not program.exists():
            wraps = [f"-Wl,--wrap={name}" for name in WRAPPED if b'#include "faults.h"' in self.source.read_bytes()]
            make(program, [*map(str, objects), *FLAGS, *SANITIZERS[sanitizer], *wraps])
        return program


@pytest.fixture(scope="session", autouse=True)
def build_folder() -> None:
    """Makes the folder, and removes the oldest files of a very full one: every edit leaves objects behind."""
    BUILD.mkdir(parents=True, exist_ok=True)
    by_age = sorted(BUILD.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in by_age[1000:]:
        path.unlink(missing_ok=True)


@pytest.fixture
def c_unit(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Path:
    """The built program of the test's CUnit; without its sanitizer a plain one, or a skipped or a failed test."""
    unit: CUnit = request.param
    missing = why_missing(unit.sanitizer)
    if missing is None:
        return unit.build(unit.sanitizer)
    reason = f"{compiler()} cannot use -fsanitize={unit.sanitizer} here: {missing}"
    if os.environ.get("TINYBEAM_SANITIZE") == "required":
        pytest.fail(f"TINYBEAM_SANITIZE=required, but {reason}", pytrace=False)
    if unit.sanitizer == "thread":
        pytest.skip(f"{reason} (the program runs without ThreadSanitizer in the case beside this one)")
    with capsys.disabled():
        print(f"\n{unit.source.name} runs without a sanitizer: {reason}")
    return unit.build("none")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One case for each *_test.c, and a second one under ThreadSanitizer for each *_threads_test.c."""
    if "c_unit" not in metafunc.fixturenames:
        return
    sources = sorted(Path(__file__).parent.glob("*_test.c"))
    units = [CUnit(source, "address") for source in sources]
    units += [CUnit(source, "thread") for source in sources if source.name.endswith("_threads_test.c")]
    metafunc.parametrize("c_unit", units, ids=[f"{unit.source.stem}-{unit.sanitizer}" for unit in units], indirect=True)


@functools.cache
def why_missing(sanitizer: str) -> str | None:
    """Why a program under this sanitizer cannot be linked or started on this machine; None when it can."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe.c")
        probe.write_text("int main(void) { return 0; }\n")
        program = str(probe.with_suffix(""))
        for command in ([compiler(), str(probe), *SANITIZERS[sanitizer], "-o", program], [program]):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                return (done.stderr or done.stdout).strip().partition("\n")[0] or f"exit code {done.returncode}"
    return None


@functools.cache
def compiler() -> str:
    """The C compiler that the tests use."""
    found = next((name for name in (os.environ.get("CC"), "cc", "gcc", "clang") if name and shutil.which(name)), None)
    if found is None:
        pytest.fail("no C compiler is installed (looked for cc, gcc and clang)", pytrace=False)
    return found


@functools.cache
def headers() -> bytes:
    """All headers in one; an object is made of every one of them, because to tell which would be to compile it."""
    folders = (ROOT / "native" / "include", ROOT / "native" / "src", Path(__file__).parent)
    return b"".join(path.read_bytes() for folder in folders for path in sorted(folder.glob("*.h")))


@functools.cache
def compiled(source: Path, sanitizer: str) -> Path:
    """The object of a C file under a sanitizer."""
    flags = [*FLAGS, *WARNINGS, *INCLUDES, *SANITIZERS[sanitizer]]
    made_of = digest(compiler().encode(), " ".join(flags).encode(), headers(), source.read_bytes())
    path = BUILD / f"{source.stem}-{made_of}.o"
    if not path.exists():
        make(path, ["-c", str(source), *flags])
    return path


def make(path: Path, arguments: list[str]) -> None:
    """Runs the compiler; the file appears under its name only when it is whole."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    done = subprocess.run([compiler(), *arguments, "-o", str(part)], capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{path.name} does not compile:\n{done.stderr}", pytrace=False)
    part.rename(path)


def digest(*parts: bytes) -> str:
    """A short name for these octets."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


# What the tests of hazards share.

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
decode = msgspec.msgpack.Decoder(list[Request]).decode


class EngineRig:
    """An engine that listens, one port of it, and its clients."""

    def __init__(self, **settings: Any) -> None:
        self.engine = Engine(Config(**settings))
        self.address = ("127.0.0.1", self.engine.listen("127.0.0.1", 0, 64))
        self.port = self.engine.open_port()
        self.clients: list[socket.socket] = []

    def connect(self) -> socket.socket:
        self.clients.append(socket.create_connection(self.address, PATIENCE_S))
        return self.clients[-1]

    def requests(self, count: int) -> list[Request]:
        """Polls until so many requests have come."""
        found: list[Request] = []
        while len(found) < count:
            if length := self.port.poll(b"") & LENGTH_MASK:
                found += decode(self.port.view[:length])
        return found

    def flush(self) -> None:
        self.engine.wake()
        self.port.poll(b"")

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.engine.close()


@pytest.fixture
def rigs() -> Iterator[Callable[..., EngineRig]]:
    """Makes rigs with the settings that are given; they close when the test ends."""
    made: list[EngineRig] = []

    def make(**settings: Any) -> EngineRig:
        made.append(EngineRig(**settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def rig(rigs: Callable[..., EngineRig]) -> EngineRig:
    return rigs()


def bodies_from(client: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many responses."""
    octets, bodies = b"", []
    while len(bodies) < count:
        head, separator, rest = octets.partition(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]) if separator else 0
        if not separator or len(rest) < length:
            more = client.recv(65536)
            assert more, f"the connection ended after {octets!r}"
            octets += more
            continue
        bodies.append(rest[:length])
        octets = rest[length:]
    assert octets == b""
    return bodies


@pytest.fixture
def receive_bodies() -> Callable[[socket.socket, int], list[bytes]]:
    return bodies_from


def make_echo_app() -> Router:
    router = Router()

    @router.get("/echo/{what}")
    def echo(request: Request, what: str) -> str:
        return what

    return router


@pytest.fixture
def echo_app() -> Callable[[], Router]:
    return make_echo_app
