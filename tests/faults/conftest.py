"""A server as a program of its own, and what the operating system tells of it.

Owns:  the app of these tests; starting and ending the program; its descriptors, memory and CPU time.
Knows: `python -m tinybeam run` and /proc.
Never: asks the server about itself: what is measured is seen from outside.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

APP = """
import os
from tinybeam import Router

router = Router()
seen = []
taken = []
os.makedirs("files", exist_ok=True)
router.static("/files", "files")

@router.get("/")
def index(request):
    return "yay"

@router.post("/echo")
def echo(request):
    return request.body

@router.get("/large")
def large(request):
    return b"L" * (8 << 20)

@router.get("/parts/{mib:int}")
def parts(request, mib):
    return (b"P" * 65536 for _ in range(mib * 16))

@router.get("/wait")
def wait(request):
    os.write(1, b"waiting\\n")  # in one piece, for several may come at once
    os.read(0, 1)
    return "waited"

@router.get("/see")
def see(request):
    seen.append(1)
    return "seen"

@router.get("/seen")
def count(request):
    return str(len(seen))

@router.get("/look")
@router.post("/look")
def look(request):
    fields = [request.headers.get(name) for name in ("host", "cookie", "x", "n77", "nothing")]
    found = [*fields, *request.headers.get_all("x"), *request.query.get_all("a"), *request.trailers]
    return str(len(found) + len(request.headers) + len(request.query))

@router.get("/take")
def take(request):
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return str(len(taken))

@router.get("/give")
def give(request):
    while taken:
        os.close(taken.pop())
    return "given"

@router.get("/crash/{what:path}")
def crash(request, what):
    raise ValueError(what)
"""
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
YAY = b"yay"


class Program:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log_path = log
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        assert "listening on" in line, (line, log.read_text(errors="replace"))
        # A unix socket's path is no port; who listens on one knows it.
        port = line.split()[4].rpartition(":")[2]
        self.port = int(port) if port.isdigit() else 0
        self.sockets: list[socket.socket] = []

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A connection that times out only when a test fails."""
        sock = socket.create_connection(("127.0.0.1", self.port), 30, source_address=(source, 0))
        self.sockets.append(sock)
        return sock

    def ask(self, request: bytes = GET) -> bytes:
        """Sends a request on a new connection and reads all until the server closes; it is asked to."""
        with self.connect() as sock:
            sock.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            return everything(sock)

    def line(self) -> str:
        """The next line that the app prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().strip()

    def let_go(self) -> None:
        """Lets one handler at /wait go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"x")
        self.process.stdin.flush()

    @property
    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @property
    def memory(self) -> int:
        """Resident octets that are its own."""
        text = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        rows = [line.split() for line in text.splitlines() if line.startswith(("Private_Clean", "Private_Dirty"))]
        return sum(int(row[1]) * 1024 for row in rows)

    @property
    def cpu_s(self) -> float:
        """User and system time of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> bytes:
        """Ends it by TERM and gives all that it has logged; it must not have failed."""
        for sock in self.sockets:
            sock.close()
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stdin is not None
        code = self.process.wait()
        log = self.log_path.read_bytes()
        assert code == 0, log.decode(errors="replace")
        return log


def everything(sock: socket.socket) -> bytes:
    """All octets until the end; a reset is an end too."""
    received = b""
    try:
        while octets := sock.recv(1 << 20):
            received += octets
    except ConnectionError:
        pass
    return received


def ended(sock: socket.socket, wait_s: float = 0) -> bool:
    """Whether the server has closed; what it had to say before is dropped."""
    while select.select([sock], [], [], wait_s)[0]:
        try:
            if not sock.recv(1 << 20):
                return True
        except ConnectionError:
            return True
    return False


Spawn = Callable[..., Program]


@pytest.fixture
def spawn(tmp_path: Path, engine: str) -> Iterator[Spawn]:
    """Starts the app with these flags; a limit on open files may be given."""
    (tmp_path / "faulty.py").write_text(APP)
    started: list[Program] = []

    def start(*flags: str, files: int | None = None) -> Program:
        # By a shell: what Python would run between fork and exec is not safe beside other threads.
        limited = [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
        log = tmp_path / f"log-{len(started)}"
        address = [] if "--uds" in flags else ["--port", "0"]
        env = {name: value for name, value in os.environ.items() if name[:9] != "TINYBEAM_" or name[9:] == "LIBRARY"}
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [
                    *limited,
                    sys.executable,
                    "-m",
                    "tinybeam",
                    "run",
                    "faulty:router",
                    "--engine",
                    engine,
                    *address,
                    *flags,
                ],
                cwd=tmp_path,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        started.append(Program(process, log))
        return started[-1]

    yield start
    for program in started:
        with program.process as process:
            process.kill()
        for sock in program.sockets:
            sock.close()
