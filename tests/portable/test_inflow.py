"""Bodies in parts of the portable engine, where its own ways show: what is told late, and what keeps the holder awake.

What they are to a handler, and at the border, is tested for both engines, in tests/server.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from tinybeam import Request, contract
from tinybeam.config import Config
from tinybeam.http import KIND_TEXT
from tinybeam.portable import PortableEngine, news
from tinybeam.portable.batch import Batch

PATIENCE_S = 30
LENGTH_MASK = 0xFFFF_FFFF
decode = msgspec.msgpack.Decoder(list[Request]).decode


class Rig:
    """An engine with a client whose body is to be read in parts, and has not come."""

    def __init__(self) -> None:
        self.engine = PortableEngine(Config(), 1)
        self.port = self.engine.open_port()
        self.client = socket.create_connection(("127.0.0.1", self.engine.listen("127.0.0.1", 0, 16)), PATIENCE_S)
        self.client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\n")
        while not (length := self.port.poll(b"") & LENGTH_MASK):
            pass
        self.handle = decode(self.port.view[:length])[0].handle
        assert self.engine.open_body(self.handle, 9) == contract.OK

    def take(self) -> int:
        return self.engine.take_body(self.handle, self.engine.open_part(10))

    def poll_untold(self) -> int:
        """One poll whose news nobody takes; its flags."""
        self.engine.wake()
        return self.engine._scheduler.poll(Batch(1))


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.client.close()
    made.engine.close()


def test_a_body_that_is_wanted_keeps_the_holder_awake(rig: Rig) -> None:
    reception = rig.engine._scheduler.reception
    assert not reception.pending
    assert rig.take() == contract.EWAIT
    assert reception.pending
    rig.poll_untold()
    assert not reception.pending


def test_a_client_that_leaves_while_that_is_told_leaves_nothing(rig: Rig) -> None:
    room = rig.engine._scheduler.room
    assert rig.take() == contract.EWAIT
    rig.poll_untold()
    [connection] = room.connections
    connection.close()
    assert rig.engine.respond(msgspec.msgpack.encode([(rig.handle, KIND_TEXT, "late")])) == contract.EDISCONNECTED
    rig.poll_untold()
    assert room.handles.open_count == 1  # its answer has come, and what there is to tell was not told yet
    assert news.take(room) == [(rig.handle, contract.NEWS_BODY)]
    assert room.handles.open_count == 0
