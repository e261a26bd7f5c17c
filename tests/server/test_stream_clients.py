"""Streams and their clients, who leave at any point or take octet by octet: what ends then, and what is kept."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.streaming import PART, answers, app_of, leave, read_until
from tinybeam import Response, Router
from tinybeam.process import Wait, bonds
from tinybeam.server.stream import WINDOW_BYTES

if TYPE_CHECKING:
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("nothing_left")

WAYS = ["a farewell", "a reset"]


class Kept:
    """Something whose end can be seen."""


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
