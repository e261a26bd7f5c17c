"""Streams of the portable engine, where its own ways show: the line of news, what is kept, and slow clients.

What they are to a client, and at the border, is tested for both engines, in tests/server.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import msgspec
import pytest

from tinybeam import Request, contract
from tinybeam.config import Config
from tinybeam.http import KIND_ASK, KIND_CUT, KIND_END, KIND_PART, KIND_STREAM, KIND_TEXT, LENGTH_UNKNOWN
from tinybeam.portable import PortableEngine, news, stream
from tinybeam.portable.batch import Batch
from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
LOW = 32 * 1024
PIECE = b"x" * 65536
decode = msgspec.msgpack.Decoder(list[Request]).decode
encode = msgspec.msgpack.encode


class Rig:
    """An engine with one port, a client, and the scheduler's insides."""

    def __init__(self, **settings: int) -> None:
        self.engine = PortableEngine(Config(**settings))  # type: ignore[arg-type]
        self.number = self.engine.listen("127.0.0.1", 0, 16)
        self.port = self.engine.open_port()
        self.client = socket.create_connection(("127.0.0.1", self.number), PATIENCE_S)

    @property
    def room(self) -> Room:
        return self.engine._scheduler.room

    @property
    def connection(self) -> ConnectionState:
        [one] = self.room.connections
        return one

    def handles(self, count: int = 1) -> list[int]:
        self.client.sendall(GET * count)
        found: list[int] = []
        while len(found) < count:
            length = self.port.poll(b"") & LENGTH_MASK
            found += [request.handle for request in decode(self.port.view[:length])] if length else []
        return found

    def begin(self, handle: int, length: int = LENGTH_UNKNOWN) -> None:
        self.engine.respond(encode([(handle, KIND_STREAM, 200, b"", length)]))

    def poll(self) -> list[tuple[int, int]]:
        """One poll; what it has to tell."""
        self.engine.wake()
        return self.port.news() if self.port.poll(b"") >> 48 & contract.POLL_NEWS else []

    def poll_untold(self) -> int:
        """One poll whose news nobody takes; its flags."""
        self.engine.wake()
        return self.engine._scheduler.poll(Batch(1))

    def rest(self) -> None:
        """Reads until the engine closes."""
        while self.client.recv(65536):
            pass

    def fill(self, handle: int) -> None:
        """Sends parts until the client takes no more."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        while not self.connection.unsent:
            self.engine.push(handle, KIND_PART, PIECE)
            self.poll()


@pytest.fixture
def rigs() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(**settings: int) -> Rig:
        made.append(Rig(**settings))
        return made[-1]

    yield make
    for rig in made:
        rig.client.close()
        rig.engine.close()


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    return rigs()


def test_a_stream_that_ends_while_there_is_news_of_it_leaves_nothing(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle)
    assert rig.poll_untold() & contract.POLL_NEWS
    rig.engine.push(handle, KIND_END, b"")
    assert rig.poll_untold() & contract.POLL_NEWS
    assert rig.room.handles.open_count == 1
    [later] = rig.handles()  # whose poll takes the news
    assert rig.port.news() == [(handle, contract.NEWS_MORE)]
    assert later & 0xFFFFF != handle & 0xFFFFF  # it got no slot of which there was news
    assert rig.room.handles.open_count == 1


def test_of_two_news_of_a_stream_the_later_one_is_told(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle)
    assert rig.poll_untold() & contract.POLL_NEWS
    rig.connection.close()
    assert news.take(rig.room) == [(handle, contract.NEWS_GONE)]
    assert news.take(rig.room) == []
    assert rig.room.handles.open_count == 0


def test_what_waits_for_its_turn_is_one_run_of_octets_however_many_parts_came(rig: Rig) -> None:
    one, two = rig.handles(2)
    rig.begin(two)
    for _ in range(1000):
        rig.engine.push(two, KIND_PART, b"ab")
    rig.poll()
    kept = rig.connection.exchanges[1].answer
    assert isinstance(kept, bytearray)
    assert kept.endswith(b"2\r\nab\r\n" * 1000)
    rig.engine.push(two, KIND_CUT, b"")
    rig.engine.respond(encode([(one, KIND_TEXT, "first")]))
    rig.poll()
    assert b"ab" not in rig.client.recv(65536)


def test_more_is_wanted_when_little_is_left_and_not_before(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle)
    assert rig.poll() == [(handle, contract.NEWS_MORE)]
    rig.fill(handle)
    connection = rig.connection
    rig.engine.push(handle, KIND_ASK, b"asked")
    assert rig.poll() == []
    for left, queued, told in ((LOW + 1, [], False), (LOW, [b"behind"], False), (LOW, [], True), (LOW, [], False)):
        connection.unsent, connection.queued = memoryview(bytes(left)), list(queued)
        stream.settle(rig.room, connection)
        assert bool(news.take(rig.room)) is told


def test_parts_queue_behind_what_the_client_has_not_taken(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle, len(PIECE) * 200)
    rig.fill(handle)
    before = len(rig.connection.unsent)
    for _ in range(10):
        rig.engine.push(handle, KIND_PART, b"y" * 1000)
        rig.poll()
    assert len(rig.connection.unsent) == before  # no octet was copied
    assert rig.connection.queued == [b"y" * 1000] * 10
    octets = bytearray()
    while not octets.endswith(b"x" + b"y" * 10_000):
        octets += rig.client.recv(65536)
        rig.poll()


def test_small_parts_are_written_together_and_a_large_one_is_not_copied(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle)
    rig.fill(handle)
    connection = rig.connection
    connection.queued = [b"a", b"b", PIECE, b"c", b"d"]
    runs = [connection._next_run() for _ in range(3)]  # type: ignore[attr-defined]
    assert runs == [b"ab", PIECE, b"cd"]
    assert runs[1] is PIECE
    assert connection.queued == []


def test_the_slot_of_a_stream_that_nobody_read_is_as_good_as_new(rig: Rig) -> None:
    [handle] = rig.handles()
    rig.begin(handle)
    rig.poll()
    rig.connection.close()
    assert rig.poll() == [(handle, contract.NEWS_GONE)]
    rig.client.close()
    rig.client = socket.create_connection(("127.0.0.1", rig.number), PATIENCE_S)
    [later] = rig.handles()
    assert later & 0xFFFFF == handle & 0xFFFFF
    rig.connection.close()
    assert rig.poll() == []


def test_a_client_that_does_not_read_its_stream_is_cut_off_and_that_is_told(rigs: Callable[..., Rig]) -> None:
    rig = rigs(write_timeout_ms=50)
    [handle] = rig.handles()
    rig.begin(handle)
    assert rig.poll() == [(handle, contract.NEWS_MORE)]
    rig.fill(handle)
    while not (news := rig.poll()):
        pass
    assert news == [(handle, contract.NEWS_GONE)]
    stats = rig.engine.stats()
    assert (stats["timeouts_write"], stats["streams"], stats["handles_open"]) == (1, 0, 0)
    with pytest.raises(ConnectionResetError):
        rig.rest()
