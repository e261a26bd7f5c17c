"""Files over the portable engine, where its own ways show: mounts, turns, and what is open when.

What they are to a client is tested for both engines, in tests/server; the rules of RFC 9110 in tests/files.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tinybeam.config import Config
from tinybeam.errors import NativeError
from tinybeam.files import Cargo, Opened, Root
from tinybeam.files.ranges import Span
from tinybeam.portable import PortableEngine
from tinybeam.portable.connection import Connection
from tinybeam.portable.room import Room

MIB = 1 << 20
LARGE = 16 * MIB
GET = b"GET /large HTTP/1.1\r\nHost: t\r\n\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "large").write_bytes(b"")
    os.truncate(tmp_path / "large", LARGE)
    return tmp_path


class Greedy(socket.socket):
    """A socket that takes all it is given, at once."""

    taken = 0

    def send(self, octets: Any, _flags: int = 0) -> int:
        self.taken += len(octets)
        return len(octets)


@pytest.fixture
def greedy() -> Iterator[Greedy]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs, Greedy(fileno=ours.detach()) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room(Config(), 0)
    yield made
    made.mounts.close()
    made.selector.close()


def opened(folder: Path) -> Opened:
    root = Root(str(folder))
    try:
        return root.open(b"large")
    finally:
        root.close()


def files_open(folder: Path) -> int:
    """How often the large file is open in this process."""
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}") == str(folder / "large")
        except FileNotFoundError:
            continue  # the one of the listing itself
    return found


def test_a_mount_is_checked_as_the_native_engine_does(folder: Path) -> None:
    engine = PortableEngine(Config())
    with pytest.raises(FileNotFoundError):
        engine.add_static("/a", str(folder / "none"), None, b"", 0)
    engine.add_static("/b", str(folder), None, b"X-A: b\r\n", 0)
    for prefix, fields in (("/b", b""), ("c", b""), ("/c/", b""), ("//c", b""), ("/c", b"X\r\n"), ("/c", b"X: \0\r\n")):
        with pytest.raises(NativeError, match="cannot serve the files of"):
            engine.add_static(prefix, str(folder), None, fields, 0)
    with pytest.raises(NativeError, match="cannot serve the files of"):
        engine.add_static("/c", str(folder), None, b"X: " + b"y" * 1024 + b"\r\n", 0)
    engine.listen("127.0.0.1", 0, 16)
    with pytest.raises(NativeError, match="cannot serve the files of"):
        engine.add_static("/c", str(folder), None, b"", 0)
    engine.close()
    with pytest.raises(NativeError, match="closed"):
        engine.add_static("/c", str(folder), None, b"", 0)


def test_a_client_that_takes_a_file_at_once_leaves_others_their_turns(folder: Path, greedy: Greedy, room: Room) -> None:
    connection = Connection(room, greedy, b"")
    file = opened(folder)
    connection.queued.append(Cargo(file.fd, file.stat, [Span(0, LARGE)]))
    turns = 0
    while connection.queued:
        before = greedy.taken
        connection.on_event(2)  # selectors.EVENT_WRITE
        assert 0 < greedy.taken - before <= 2 * MIB
        watched = room.selector.get_map().get(greedy.fileno())
        assert not connection.queued or (watched is not None and watched.events & 2), "it would never go on"
        turns += 1
    assert (greedy.taken, files_open(folder)) == (LARGE, 0)
    assert turns >= LARGE // MIB // 2
    connection.close()


def test_a_connection_that_ends_closes_the_file_it_was_sending(folder: Path, greedy: Greedy, room: Room) -> None:
    connection = Connection(room, greedy, b"")
    file = opened(folder)
    connection.queued.append(Cargo(file.fd, file.stat, [Span(0, LARGE)]))
    connection.settle()
    assert files_open(folder) == 1
    connection.close()
    assert files_open(folder) == 0


def poll(engine: PortableEngine, port: Any) -> None:
    engine.wake()
    port.poll(b"")


@pytest.fixture
def serving_large(folder: Path) -> Iterator[tuple[PortableEngine, Any, socket.socket]]:
    engine = PortableEngine(Config())
    engine.add_static("", str(folder), None, b"", 0)
    number = engine.listen("127.0.0.1", 0, 16)
    port = engine.open_port()
    with socket.create_connection(("127.0.0.1", number), 30) as client:
        yield engine, port, client
    port.close()
    engine.close()


def test_many_requests_for_a_file_in_a_row_open_it_once_at_a_time(serving_large: Any, folder: Path) -> None:
    engine, port, client = serving_large
    client.sendall(GET * 100)
    while not files_open(folder):
        poll(engine, port)
    for _ in range(10):
        poll(engine, port)
        assert files_open(folder) == 1
    assert engine.stats()["files"] == 1


def test_what_comes_behind_the_request_for_a_file_has_its_turn_when_the_file_has_gone(
    serving_large: Any, folder: Path
) -> None:
    engine, port, client = serving_large
    (folder / "small").write_bytes(b"small")
    client.sendall(GET + GET.replace(b"large", b"small") + GET)
    received = bytearray()
    client.setblocking(False)
    while received.count(b"HTTP/1.1 200") < 3 or len(received) < 2 * LARGE:
        poll(engine, port)
        try:
            received += client.recv(MIB)
        except BlockingIOError:
            assert files_open(folder) or engine.stats()["files"] < 3
    assert engine.stats()["files"] == 3
    assert b"\r\n\r\nsmallHTTP/1.1 200" in received


def test_a_file_that_fails_under_way_ends_its_connection_and_is_no_fault_of_ours(
    folder: Path, greedy: Greedy, room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    connection = Connection(room, greedy, b"")
    file = opened(folder)
    connection.queued.append(Cargo(file.fd, file.stat, [Span(0, LARGE)]))
    connection.settle()
    os.truncate(folder / "large", LARGE // 2)
    while not connection.dead:
        connection.on_event(2)  # selectors.EVENT_WRITE
    assert greedy.taken <= LARGE // 2
    assert files_open(folder) == 0
    assert "faulted" not in caplog.text


def test_a_forked_child_lets_go_of_the_files_and_the_parent_goes_on(serving_large: Any, folder: Path) -> None:
    engine, port, client = serving_large
    client.sendall(GET)
    while not files_open(folder):
        poll(engine, port)
    roots = sum(1 for name in os.listdir("/proc/self/fd") if _leads_to(name, folder))
    assert roots == 1
    reader, writer = os.pipe()
    if os.fork() == 0:
        roots = sum(1 for name in os.listdir("/proc/self/fd") if _leads_to(name, folder))
        os.write(writer, b"%d %d" % (files_open(folder), roots))
        os._exit(0)
    assert os.read(reader, 16) == b"0 0"
    os.wait()
    os.close(reader)
    os.close(writer)
    received = 0
    client.setblocking(False)
    while received < LARGE:
        poll(engine, port)
        try:
            received += len(client.recv(MIB))
        except BlockingIOError:
            continue


def _leads_to(name: str, folder: Path) -> bool:
    try:
        return os.readlink(f"/proc/self/fd/{name}") == str(folder)
    except FileNotFoundError:
        return False
