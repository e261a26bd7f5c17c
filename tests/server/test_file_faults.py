"""Files that cannot be sent, or that nobody takes: what the client and the log are told; nothing stays open."""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.filing import app_of, few_files, logged
from tinybeam import Response
from tinybeam.portable import PortableEngine
from tinybeam.server.engine import Engine

if TYPE_CHECKING:
    from tests.conftest import Gate
    from tests.server.conftest import Connect, Serving, Until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return few_files(tmp_path)


def open_files(folder: Path) -> int:
    """How many descriptors of this process are of files in the folder."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith(str(folder))
        except OSError:  # the one that listdir itself had
            continue
    return count


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [
        ("none", logging.INFO, "No such file or directory; the client is told 404"),
        ("a.css/x", logging.INFO, "Not a directory; the client is told 404"),
        ("", logging.WARNING, "Is a directory; the client is told 404"),
        ("fifo", logging.WARNING, "No such device; the client is told 404"),
        ("x" * 300, logging.INFO, "File name too long; the client is told 404"),
    ],
)
@pytest.mark.parametrize("blocking", [None, True])
def test_what_is_no_file_is_a_404_and_a_line_for_its_author(
    folder: Path, serving: Serving, connect: Connect, caplog: Any, name: str, level: int, told: str, blocking: Any
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.server")
    os.mkfifo(folder / "fifo")
    conn = connect(serving(app_of(lambda: folder / name, blocking=blocking)).url)
    for _ in range(2):
        conn.get("/")
        reply = conn.reply()
        assert (reply.status, reply.body) == (404, b"there is no such file")
    assert logged(caplog) == [(level, f"cannot send {folder / name}: {told}")] * 2
    assert open_files(folder) == 0


def test_devices_are_no_files(serving: Serving, connect: Connect) -> None:
    for path in ("/dev/null", "/dev/zero", "/dev/tty"):
        conn = connect(serving(app_of(lambda path=path: Path(path))).url)  # type: ignore[misc]
        conn.get("/")
        assert conn.reply().status == 404


def test_what_a_client_names_beneath_a_root_is_not_logged(
    folder: Path, serving: Serving, connect: Connect, caplog: Any
) -> None:
    caplog.set_level(logging.INFO, "tinybeam.server")
    for root, lines in ((folder, 0), (folder / "none", 1)):
        conn = connect(serving(app_of(lambda root=root: Response.file("../x", root=root))).url)  # type: ignore[misc]
        conn.get("/")
        assert conn.reply().status == 404
        assert len(logged(caplog)) == lines


PRIVILEGED = """
import http.client, os, resource, sys
from pathlib import Path
from tinybeam import Router
from tinybeam.config import Config
from tinybeam.server import serve

path = Path(sys.argv[1])
router = Router()
router.get("/")(lambda request: path)
running = serve(router, Config(port=0))
client = http.client.HTTPConnection(running.url.removeprefix("http://"))

def ask():
    client.request("GET", "/")
    reply = client.getresponse()
    return reply.status, reply.read(), reply.headers.get("retry-after")

print(ask())
most = resource.getrlimit(resource.RLIMIT_NOFILE)
free = os.dup(0)
os.close(free)
resource.setrlimit(resource.RLIMIT_NOFILE, (free, most[1]))
print(ask())
resource.setrlimit(resource.RLIMIT_NOFILE, most)
path.chmod(0)
if os.geteuid() == 0:
    os.seteuid(65534)
print(ask())
if os.getuid() == 0:
    os.seteuid(0)
path.chmod(0o644)
print(ask())
running.stop()
"""


def test_what_may_not_be_read_is_a_403_and_too_many_open_files_are_a_503(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text")
    done = subprocess.run([sys.executable, "-c", PRIVILEGED, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    good = (200, b"text", None)
    full = (503, b"this server has too many files open; try again later", "1")
    assert done.stdout.splitlines() == [str(one) for one in (good, full, (403, b"this may not be read", None), good)]
    assert "Permission denied; the client is told 403" in done.stderr
    assert "Too many open files; the client is told 503" in done.stderr


def test_a_disk_that_fails_is_a_500_and_a_crash_report(
    folder: Path, serving: Serving, connect: Connect, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    for engine in (Engine, PortableEngine):
        monkeypatch.setattr(engine, "send_file", broken)
    conn = connect(serving(app_of(lambda: folder / "a.css")).url)
    conn.get("/")
    assert conn.reply().status == 500
    assert [record.name for record in caplog.records if "raised OSError" in record.getMessage()] == ["tinybeam.crash"]


def test_a_file_that_goes_before_it_is_opened_is_a_404(folder: Path, serving: Serving, connect: Connect) -> None:
    def gone() -> Response:
        response = Response.file(folder / "a.css")
        (folder / "a.css").unlink()
        return response

    conn = connect(serving(app_of(gone)).url)
    conn.get("/")
    assert conn.reply().status == 404


@pytest.mark.parametrize("blocking", [None, True])
def test_a_client_that_left_before_the_answer_leaves_no_file_open(
    folder: Path, serving: Serving, connect: Connect, until: Until, gate: Gate, blocking: Any
) -> None:
    def slow() -> Path:
        gate.wait()
        return folder / "huge.bin"

    running = serving(app_of(slow, blocking=blocking))
    conns = [connect(running.url) for _ in range(4)]
    for conn in conns:
        conn.get("/")
    gate.reached(4 if blocking else 1)
    for conn in conns:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        conn.close()
    until(lambda: running.stats()["connections_open"] == 0)
    gate.open()
    until(lambda: running.stats()["handles_open"] == 0)
    assert open_files(folder) == 0


def test_an_answer_that_is_overdue_opens_nothing_for_long(
    folder: Path, serving: Serving, connect: Connect, until: Until, gate: Gate, caplog: Any
) -> None:
    def slow() -> Path:
        gate.wait()
        return folder / "huge.bin"

    running = serving(app_of(slow, blocking=True, request_timeout_ms=50))
    conn = connect(running.url)
    conn.get("/")
    assert conn.reply().status == 504
    gate.open()
    until(lambda: running.stats()["answers_refused"] == 1)
    assert open_files(folder) == 0
    assert [record for record in caplog.records if record.name == "tinybeam.crash" and record.exc_info] == []


def test_a_server_that_stops_at_once_closes_what_it_was_sending(
    folder: Path, serving: Serving, connect: Connect, until: Until
) -> None:
    running = serving(app_of(lambda: folder / "huge.bin"), drain_timeout_ms=10)
    for _ in range(3):
        conn = connect(running.url)
        conn.get("/")
        conn.sock.recv(1)
    until(lambda: open_files(folder) == 3)
    running.stop()
    assert open_files(folder) == 0


def test_others_are_served_while_a_client_takes_octet_by_octet(
    folder: Path, serving: Serving, connect: Connect
) -> None:
    router = app_of(lambda: folder / "huge.bin")
    router.get("/other", do="other")
    running = serving(router)
    slow, quick = connect(running.url), connect(running.url)
    slow.get("/")
    for _ in range(200):
        assert len(slow.sock.recv(1)) == 1
        quick.get("/other")
        assert quick.reply().body == b"other"
    assert open_files(folder) == 1
