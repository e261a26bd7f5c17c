"""The deadline of a connection, by a clock that the test turns."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tinybeam.config import Config
from tinybeam.portable import deadlines
from tinybeam.portable.connection import Connection
from tinybeam.portable.deadlines import Deadline, Phase
from tinybeam.portable.room import Room

WRITE_MS, RATE = 1000, 100


class Bench:
    """A connection that has much to write; `unread` is what the kernel holds of it for the client."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = Room(Config(write_timeout_ms=WRITE_MS, transfer_bytes_per_s_min=RATE), 0)
        self.room.now_ms = 0
        self.unread = 1_000_000
        monkeypatch.setattr(deadlines, "_unread", lambda sock: self.unread)
        self.connection = Connection(self.room, socket.socket(), b"")
        self.connection.unsent = memoryview(b"x" * 1000)
        self.deadline = Deadline(self.room, self.connection)
        self.deadline.settle()

    def met_after(self, milliseconds: int) -> bool:
        self.room.now_ms += milliseconds
        return self.deadline.met()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(monkeypatch)
    assert made.deadline.phase is Phase.WRITE
    yield made
    made.connection.sock.close()
    made.room.selector.close()


def test_a_client_that_takes_nothing_is_late(bench: Bench) -> None:
    assert not bench.met_after(WRITE_MS - 1)
    assert bench.met_after(1)


def test_a_client_that_takes_what_the_kernel_has_is_not_late_though_the_socket_takes_nothing(bench: Bench) -> None:
    for _ in range(20):
        bench.unread -= 10_000
        assert not bench.met_after(WRITE_MS - 1)
    assert bench.met_after(WRITE_MS)


def test_what_the_socket_takes_from_us_shows_what_the_client_has_taken_from_it(bench: Bench) -> None:
    assert not bench.met_after(WRITE_MS - 1)
    bench.deadline.on_sent(500)  # and the kernel holds as much as before
    assert not bench.met_after(1)
    assert bench.met_after(WRITE_MS)


def test_a_client_that_takes_single_octets_is_late_all_the_same(bench: Bench) -> None:
    late = []
    for _ in range(20):
        bench.unread -= 1
        late.append(bench.met_after(WRITE_MS // 10))
    assert late == [False] * 11 + [True] * 9  # each octet buys it 10 milliseconds


def test_a_timer_that_comes_up_early_is_set_again(bench: Bench) -> None:
    bench.unread -= 10_000
    assert list(bench.room.connection_timers.take(WRITE_MS)) == [bench.connection]
    assert not bench.met_after(WRITE_MS - 1)
    assert bench.room.connection_timers.due_ms == 2 * WRITE_MS - 1
