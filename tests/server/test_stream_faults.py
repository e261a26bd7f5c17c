"""Streams and what goes wrong: clients that leave at any point or take octet by octet, sources that misbehave."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.server.streaming import PATIENCE_S, app_of, read_until
from tinybeam import ClientDisconnected, Response, Router
from tinybeam.process import Wait, bonds
from tinybeam.server.stream import WINDOW_BYTES

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("nothing_left")

PART = b"x" * 10_000
WAYS = ["a farewell", "a reset"]


class Kept:
    """Something whose end can be seen."""


def leave(conn: RawConn, way: str) -> None:
    if way == "a reset":
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def answers(url: str) -> bool:
    return httpx.get(url + "/quick", trust_env=False).text == "quick"


# Clients.


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("stage", ["before the head", "in the head", "between parts", "in a part", "before the end"])
def test_a_client_that_leaves_at_any_stage_ends_the_source(
    serving: Serving, connect: Connect, gates: Gates, until: Until, stage: str, way: str
) -> None:
    handling, making, closed = gates(), gates(), gates()
    closed.open()

    def source() -> Iterator[Any]:
        try:
            if stage == "in the head":
                making.wait()
            yield b"first"
            if stage == "between parts":
                making.wait()
            while stage == "in a part":
                yield PART
            yield b"last"
            making.wait()
        finally:
            closed.wait()

    def make(_request: Any) -> Iterator[Any]:
        if stage == "before the head":
            handling.wait()
        return source()

    running = serving(app_of(make))
    before = len(bonds.processes)
    conn = connect(running.url)
    conn.get("/")
    if stage == "before the head":
        handling.reached()
        leave(conn, way)
        handling.open()
    elif stage == "in a part":
        read_until(conn, b"x")
        leave(conn, way)
    else:
        making.reached()
        if stage != "in the head":
            read_until(conn, b"first")
        leave(conn, way)
    making.open()
    if stage != "before the head":  # a generator that was never begun has nothing to close
        closed.reached()
    until(lambda: running.stats()["streams"] == 0 and running.stats()["connections_open"] == 0)
    until(lambda: running.requests() == [] and len(bonds.processes) == before)
    assert answers(running.url)


def test_a_client_that_takes_an_octet_at_a_time_has_no_more_than_a_window_made_for_it(
    serving: Serving, connect: Connect, until: Until, tmp_path: Path
) -> None:
    made = 0

    def endless() -> Iterator[bytes]:
        nonlocal made
        while True:
            made += len(PART)
            yield PART

    running = serving(app_of(lambda _request: endless()), uds=str(tmp_path / "socket"))
    conn = connect(running.url)  # whose kernel holds so much and no more, which TCP's does not tell
    held = conn.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    conn.get("/")
    for _ in range(100):
        assert len(conn.sock.recv(1)) == 1

    def at_rest() -> bool:
        before = made
        threading.Event().wait(0.05)
        return made == before

    until(at_rest)
    most = held + WINDOW_BYTES + 2 * len(PART)
    assert made <= most
    for _ in range(100):
        assert len(conn.sock.recv(1)) == 1
    assert made <= most
    conn.close()
    until(lambda: running.stats()["streams"] == 0)


def test_a_client_that_takes_a_file_an_octet_at_a_time_holds_up_nobody_and_leaves_nothing(
    serving: Serving, connect: Connect, until: Until, tmp_path: Path
) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(64 << 20)
    router = app_of(lambda _request: iter(()))
    router.static("/files", tmp_path)
    running = serving(router)
    assert answers(running.url)
    descriptors = len(os.listdir("/proc/self/fd"))
    conns = [connect(running.url) for _ in range(20)]
    for conn in conns:
        conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        conn.get("/files/large.bin")
    for _ in range(50):
        for conn in conns:
            assert len(conn.sock.recv(1)) == 1
        assert answers(running.url)
    for conn in conns:
        leave(conn, "a reset")
    until(lambda: running.stats()["connections_open"] == 0)
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_thousand_clients_that_vanish_at_once_leave_nothing(
    serving: Serving, connect: Connect, until: Until, kind: str
) -> None:
    kept: list[weakref.ref[Kept]] = []

    def own() -> Kept:
        mine = Kept()
        kept.append(weakref.ref(mine))
        return mine

    def lasting() -> Iterator[Any]:
        _mine = own()
        yield "begun"
        yield Wait()

    async def lasting_async() -> AsyncIterator[Any]:
        _mine = own()
        yield "begun"
        await asyncio.sleep(3600)

    source = lasting if kind == "def" else lasting_async
    running = serving(app_of(lambda _request: Response.events(source())))
    first = connect(running.url)
    first.get("/")  # after which all threads are there
    read_until(first, b"begun")
    leave(first, "a reset")
    until(lambda: running.requests() == [] and running.stats()["connections_open"] == 0)
    assert answers(running.url)
    processes, descriptors = len(bonds.processes), len(os.listdir("/proc/self/fd"))
    conns = [connect(running.url) for _ in range(1000)]
    for conn in conns:
        conn.get("/")
    for conn in conns:
        read_until(conn, b"begun")
    assert running.stats()["streams"] == len(running.requests()) == 1000
    assert len(bonds.processes) >= processes + 1000
    threads = threading.active_count()
    for conn in conns:
        leave(conn, "a reset")
    until(lambda: running.stats()["streams"] == 0 and running.stats()["connections_open"] == 0)
    until(lambda: running.requests() == [])
    until(lambda: len(bonds.processes) <= processes + 1)  # whoever gives signs of life looks once a second
    until(lambda: len(os.listdir("/proc/self/fd")) <= descriptors)
    until(lambda: not [ref for ref in kept if ref() is not None])
    assert len(kept) == 1001
    until(lambda: running.stats()["handles_open"] == 0)
    assert threading.active_count() <= threads + 1
    assert answers(running.url)


# Memory.


def test_a_stream_keeps_neither_the_response_nor_what_it_does_not_need_of_the_request(
    serving: Serving, connect: Connect, until: Until
) -> None:
    class OwnResponse(Response):
        __slots__ = ("__weakref__",)

    kept: list[weakref.ref[Any]] = []
    router = Router()

    @router.post("/")
    def handler(request: Any) -> Response:
        mine = request.__dict__["mine"] = Kept()
        response = OwnResponse.events(iter(["begun", Wait()]))
        kept.extend((weakref.ref(mine), weakref.ref(response)))
        return response

    running = serving(router)
    conn = connect(running.url)
    conn.post("/", b"x" * 100_000)
    read_until(conn, b"begun")

    def gone() -> bool:
        gc.collect()
        return all(ref() is None for ref in kept)

    until(gone)
    [row] = running.requests()
    assert (row.method, row.path) == ("POST", "/")


def test_a_long_body_is_never_far_ahead_of_who_reads_it(serving: Serving, connect: Connect, tmp_path: Path) -> None:
    part, count = b"x" * 65_536, 4096
    made = taken = furthest = 0

    def long() -> Iterator[bytes]:
        nonlocal made, furthest
        for _ in range(count):
            made += len(part)
            furthest = max(furthest, made - taken)
            yield part

    running = serving(
        app_of(lambda _request: Response.stream(long(), length=count * len(part))), uds=str(tmp_path / "s")
    )
    conn = connect(running.url)
    held = conn.sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
    conn.get("/")
    buffer = bytearray(1 << 20)
    while taken < count * len(part):  # the head is taken for some of it, which does not matter here
        received = conn.sock.recv_into(buffer)
        assert received
        taken += received
    assert made == count * len(part)
    assert furthest <= held + len(buffer) + WINDOW_BYTES + 2 * len(part)


# Sources.


def stubborn(told: Callable[[], None]) -> Iterator[Any]:
    """A source that takes whatever it is thrown for a reason to go on, once."""
    once = False
    while True:
        try:
            yield "on and on"
            yield Wait()
        except ClientDisconnected:
            pass
        except GeneratorExit:
            if once:
                raise
            once = True
            told()


@pytest.mark.parametrize("end", ["leave", "drain", "stop"])
def test_a_source_that_swallows_its_end_is_reported_and_left(
    serving: Serving, connect: Connect, gates: Gates, until: Until, caplog: Any, end: str
) -> None:
    gate = gates()
    gate.open()
    running = serving(app_of(lambda _request: Response.events(stubborn(gate.wait))))
    before = len(bonds.processes)
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"on and on")
    if end == "leave":
        leave(conn, "a reset")
        until(lambda: running.stats()["streams"] == 0)
        assert answers(running.url)
    elif end == "drain":
        assert running.drain(PATIENCE_S * 1000)
        assert conn.rest().endswith(b"0\r\n\r\n")
    else:
        running.stop()
        conn.rest()
    gate.reached()
    until(lambda: len(bonds.processes) <= before + 1)
    until(lambda: "generator ignored GeneratorExit" in caplog.text)


def test_a_source_that_never_ends_takes_turns_with_the_others(serving: Serving, connect: Connect, until: Until) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield PART

    running = serving(app_of(lambda _request: endless()))
    conns = [connect(running.url) for _ in range(4)]
    ending = threading.Event()

    def read(conn: RawConn) -> None:
        buffer = bytearray(1 << 16)
        while not ending.is_set() and conn.sock.recv_into(buffer):
            pass

    threads = [threading.Thread(target=read, args=(conn,)) for conn in conns]
    for conn, thread in zip(conns, threads, strict=True):
        conn.get("/")
        thread.start()
    try:
        for _ in range(20):
            assert answers(running.url)
    finally:
        ending.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    for conn in conns:
        conn.close()
    until(lambda: running.stats()["streams"] == 0)


def test_what_was_made_before_a_source_raised_is_sent(serving: Serving, connect: Connect, caplog: Any) -> None:
    def failing() -> Iterator[Any]:
        yield "one "
        yield "two"
        raise SystemExit(3)

    running = serving(app_of(lambda _request: failing()))
    conn = connect(running.url)
    conn.get("/")
    assert conn.rest().endswith(b"one two\r\n")
    assert "SystemExit" in caplog.text
    assert answers(running.url)


@pytest.mark.parametrize("wrong", [3.5, object(), ("a", "b"), Wait])
def test_a_wrong_part_ends_its_stream_after_the_right_ones(
    serving: Serving, connect: Connect, caplog: Any, wrong: Any
) -> None:
    running = serving(app_of(lambda _request: iter(["right", wrong, "never"])))
    conn = connect(running.url)
    conn.get("/")
    octets = conn.rest()
    assert octets.endswith(b"right\r\n")
    assert "a part of a streamed body is str or bytes" in caplog.text
    assert answers(running.url)


def test_a_drain_that_comes_to_its_bound_leaves_a_stream_to_the_stop(
    serving: Serving, connect: Connect, gates: Gates
) -> None:
    closed = gates()
    closed.open()

    def quiet() -> Iterator[Any]:
        try:
            yield "begun"
            yield Wait()
        finally:
            closed.wait()

    running = serving(app_of(lambda _request: quiet()))
    conn = connect(running.url)
    conn.get("/")
    read_until(conn, b"begun")
    assert not running.drain(50)
    running.stop()
    closed.reached()
    assert not conn.rest().endswith(b"0\r\n\r\n")


def test_a_source_that_blocks_for_ever_does_not_hold_up_a_stop(
    serving: Serving, connect: Connect, gates: Gates
) -> None:
    gate = gates()

    def blocked() -> Iterator[Any]:
        yield "begun"
        gate.wait()
        yield "too late"

    running = serving(app_of(lambda _request: blocked()))
    conn = connect(running.url)
    conn.get("/")
    gate.reached()
    read_until(conn, b"begun")
    running.stop()
    octets = conn.rest()
    gate.open()
    assert b"too late" not in octets
