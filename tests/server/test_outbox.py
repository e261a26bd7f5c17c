"""What a runner gathers of a stream: in order, together, and never left behind."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tinybeam.http import KIND_ASK, KIND_LAST, KIND_PART
from tinybeam.server.outbox import Outbox


class Pushed:
    """Notes what it is given; has no memory for the first so many."""

    def __init__(self, refusals: int = 0) -> None:
        self.pushed: list[Any] = []
        self.refusals = refusals

    def send(self, octets: bytes, kind: int) -> int:
        if self.refusals:
            self.refusals -= 1
            raise MemoryError
        self.pushed.append((octets, kind))
        return 7


def test_what_was_gathered_goes_as_one() -> None:
    outbox, stream = Outbox(), Pushed()
    parts = outbox.open(stream)
    parts += [b"one ", b"two ", b"three"]
    assert outbox.close(stream, parts, KIND_ASK) == 7
    assert stream.pushed == [(b"one two three", KIND_ASK)]
    outbox.flush()
    assert len(stream.pushed) == 1


def test_who_takes_over_sends_what_there_is_and_the_rest_follows() -> None:
    outbox, stream = Outbox(), Pushed()
    parts = outbox.open(stream)
    parts += [b"one ", b"two "]
    outbox.flush()
    outbox.flush()
    parts.append(b"three")
    outbox.close(stream, parts, KIND_LAST)
    assert stream.pushed == [(b"one two ", KIND_PART), (b"three", KIND_LAST)]


def test_that_more_is_wanted_and_the_end_are_told_even_if_nothing_is_left_to_send() -> None:
    outbox, stream = Outbox(), Pushed()
    for kind in (KIND_PART, KIND_ASK, KIND_LAST):
        outbox.close(stream, outbox.open(stream), kind)
    assert stream.pushed == [(b"", KIND_ASK), (b"", KIND_LAST)]


def test_what_there_is_no_memory_for_is_kept() -> None:
    outbox, stream = Outbox(), Pushed(refusals=2)
    parts = outbox.open(stream)
    parts.append(b"one")
    for _ in range(2):
        with pytest.raises(MemoryError):
            outbox.flush()
    outbox.flush()
    assert stream.pushed == [(b"one", KIND_PART)]


def test_a_turn_within_a_turn_does_not_mix_their_parts() -> None:
    outbox, outer, inner = Outbox(), Pushed(), Pushed()
    outer_parts = outbox.open(outer)
    outer_parts.append(b"one ")
    inner_parts = outbox.open(inner)
    inner_parts.append(b"inner")
    outbox.close(inner, inner_parts, KIND_LAST)
    outer_parts.append(b"two")
    outbox.close(outer, outer_parts, KIND_PART)
    assert (outer.pushed, inner.pushed) == ([(b"one two", KIND_PART)], [(b"inner", KIND_LAST)])


def test_nothing_is_lost_or_out_of_order_while_another_thread_flushes() -> None:
    outbox, stream = Outbox(), Pushed()
    ended = threading.Event()

    def flush() -> None:
        while not ended.is_set():
            outbox.flush()

    thread = threading.Thread(target=flush)
    thread.start()
    try:
        for first in range(0, 20_000, 50):
            parts = outbox.open(stream)
            for number in range(first, first + 50):
                parts.append(b"%d " % number)
            outbox.close(stream, parts, KIND_PART)
    finally:
        ended.set()
        thread.join()
    assert [int(word) for word in b"".join(octets for octets, _ in stream.pushed).split()] == list(range(20_000))
