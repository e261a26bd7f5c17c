"""Streams whose sources misbehave: that swallow their end, never end, raise, block, or make what is no part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.streaming import PART, PATIENCE_S, answers, app_of, leave, read_until
from tinybeam import ClientDisconnected, Response
from tinybeam.process import Wait, bonds

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.server.conftest import Connect, Gates, Serving, Until

pytestmark = pytest.mark.usefixtures("nothing_left")


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
