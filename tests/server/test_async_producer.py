"""What asks an async source for its parts, by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from tinybeam import ClientDisconnected
from tinybeam.server.async_producer import PARTS_A_TURN, AsyncProducer
from tinybeam.server.loop import EventLoop

if TYPE_CHECKING:
    from tests.server.conftest import Until

PATIENCE_S = 30


class Stream:
    """Takes parts without an end; after some it is told that its client has left."""

    label = "a stream"

    def __init__(self, leaves_after: int) -> None:
        self.producer: AsyncProducer | None = None
        self.parts = 0
        self._leaves_after = leaves_after

    def put(self, part: bytes, credit: int) -> int:
        self.parts += 1
        if self.parts == self._leaves_after:
            assert self.producer is not None
            self.producer.cancel(ClientDisconnected("it has left"))
        return credit

    def done(self) -> None:
        raise AssertionError("it has no end")

    def broken(self, error: BaseException | None) -> None:
        raise AssertionError("nothing is wrong with it")


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    made = EventLoop(print)
    made.start()
    yield made
    made.close()
    made._thread.join(PATIENCE_S)
    assert not made._thread.is_alive()


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("leaves_after", [1, PARTS_A_TURN - 1, PARTS_A_TURN, PARTS_A_TURN + 1])
def test_a_source_hears_of_its_clients_leave_by_the_error_at_a_yield_and_by_cancellation_where_it_awaits(
    loop: EventLoop, until: Until, leaves_after: int, waits: bool
) -> None:
    told: SimpleQueue[type[BaseException]] = SimpleQueue()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
                if waits:
                    await asyncio.sleep(0)
        except BaseException as error:
            told.put(type(error))
            raise

    stream: Any = Stream(leaves_after)
    producers: SimpleQueue[AsyncProducer] = SimpleQueue()

    def begin(_argument: object) -> None:
        stream.producer = AsyncProducer(loop, endless(), stream)
        stream.producer.ask(1)
        producers.put(stream.producer)

    loop.call(begin, None)
    producer = producers.get(timeout=PATIENCE_S)
    heard = told.get(timeout=PATIENCE_S)
    assert heard is ClientDisconnected or (waits and heard is asyncio.CancelledError)
    until(lambda: producer.over)
    assert told.empty()
