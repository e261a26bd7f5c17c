"""A stream whose octets are encoded on their way: nothing comes between what is encoded and what is sent."""

from __future__ import annotations

import threading
from typing import Any

from tinybeam import Request, Response, Router
from tinybeam.http import KIND_ASK, KIND_CUT, KIND_END, KIND_PART
from tinybeam.server.stream import Stream


class Engine:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.pushed: list[tuple[int, bytes]] = []

    def push(self, _handle: int, kind: int, octets: bytes) -> int:
        self.pushed.append((kind, octets))
        return 0


class Office:
    """What a stream shares with others: nothing but the engine."""

    access_log = False

    def __init__(self) -> None:
        self.engine: Any = Engine()

    def forget(self, handle: int) -> None:
        """Nothing was noted."""


class Encoder:
    """Puts brackets around parts. `during` is called while it is busy."""

    def __init__(self) -> None:
        self.during: Any = lambda: None

    def part(self, octets: bytes) -> bytes:
        self.during()
        return b"[" + octets + b"]"

    def end(self) -> bytes:
        self.during()
        return b"."


def made(encoder: Any, heartbeat_s: float | None = 0.0) -> tuple[Stream, Any]:
    router = Router()
    router.get("/")(lambda request: None)
    response = Response.stream([])
    response.encoder, response.heartbeat_s = encoder, heartbeat_s
    office = Office()
    endpoint = router.compile().endpoints[0]
    return Stream(office, Request(7, "GET", "/"), endpoint, response), office.engine


def test_credit_is_counted_in_what_is_sent() -> None:
    stream, engine = made(Encoder())
    assert stream.put(b"abc", 10) == 5
    assert stream.put(b"", 5) == 5
    assert stream.put(b"abc", 5) == 0
    stream.done()
    assert engine.pushed == [(KIND_PART, b"[abc]"), (KIND_ASK, b"[abc]"), (KIND_PART, b"."), (KIND_END, b"")]


def test_no_sign_of_life_is_encoded_or_sent_while_a_part_is() -> None:
    encoder = Encoder()
    stream, engine = made(encoder)
    threads: list[threading.Thread] = []

    def beat_elsewhere() -> None:
        encoder.during = lambda: None
        threads.append(threading.Thread(target=stream.beat))
        threads[0].start()
        threads[0].join()  # it does not wait for us

    encoder.during = beat_elsewhere
    stream.put(b"abc", 10)
    assert engine.pushed == [(KIND_PART, b"[abc]")]
    stream.beat()
    assert engine.pushed[1:] == [(KIND_PART, b"[:\n\n]")]


class EagerLock:
    """Has a sign of life come whenever it is let go of."""

    def __init__(self, stream: Stream) -> None:
        self._lock = threading.Lock()
        self._stream = stream

    def acquire(self, blocking: bool = True) -> bool:
        return self._lock.acquire(blocking)

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        self._stream.beat()


def test_no_sign_of_life_follows_the_end() -> None:
    stream, engine = made(Encoder())
    stream._encoding = EagerLock(stream)  # type: ignore[assignment]
    stream.put(b"abc", 10)
    stream.done()
    stream.beat()
    kinds = [octets for _, octets in engine.pushed]
    assert kinds == [b"[abc]", b"[:\n\n]", b".", b""]


def test_a_part_that_comes_when_it_was_closed_is_not_encoded() -> None:
    encoder = Encoder()
    stream, engine = made(encoder)
    encoder.during = lambda: 1 / 0
    stream.close()
    assert stream.put(b"abc", 10) == 0
    stream.beat()
    stream.done()
    assert engine.pushed == []


def test_one_that_is_closed_while_it_is_encoded_sends_nothing_more() -> None:
    encoder = Encoder()
    stream, engine = made(encoder)
    encoder.during = stream.close
    stream.put(b"abc", 10)
    stream.done()
    assert engine.pushed == []


def test_an_end_that_cannot_be_encoded_is_none() -> None:
    encoder = Encoder()
    stream, engine = made(encoder)
    encoder.during = lambda: 1 / 0
    stream.done()
    stream.done()
    assert engine.pushed == [(KIND_CUT, b"")]


def test_without_an_encoder_signs_of_life_are_what_they_were() -> None:
    stream, engine = made(None)
    stream.beat()
    stream.done()
    assert engine.pushed == [(KIND_PART, b":\n\n"), (KIND_END, b"")]
