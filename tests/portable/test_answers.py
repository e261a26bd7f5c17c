"""Answers as they come from Python, and heads as they go out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tinybeam import contract
from tinybeam.errors import NativeError
from tinybeam.http import (
    KIND_ASK,
    KIND_CONTINUE,
    KIND_CUT,
    KIND_END,
    KIND_JSON,
    KIND_LAST,
    KIND_PART,
    KIND_STREAM,
    KIND_TEXT,
    LENGTH_UNKNOWN,
)
from tinybeam.portable import response
from tinybeam.portable.answers import Part, Reply, read_answers
from tinybeam.portable.response import CLOSE, KEEP_ALIVE, PERSIST, Clock, length_field, write_head

encode = msgspec.msgpack.encode
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"


def test_answers_are_read_in_order_with_their_handles() -> None:
    answers = [(1, KIND_TEXT, "é"), (2, 404, b"A: b\r\n", b"no"), (3, 204, "", None), (4, KIND_CONTINUE, 10)]
    assert read_answers(encode(answers)) == [
        (1, Reply(200, TEXT, "é".encode())),
        (2, Reply(404, b"A: b\r\n", b"no")),
        (3, Reply(204)),
        (4, Reply(100, wants_body=True, body_bytes_max=10)),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        (1, 9, "a kind that there is not"),
        (1, 199, b"", None),
        (1, 600, b"", None),
        (1, 200, b"no colon\r\n", None),
        (1, 200, b"A: b", None),
        (1, 200, b"A: b\r\nC: d\n", None),
        (1, 200, b"A: \0\r\n", None),
        (1, 200, b": nameless\r\n", None),
        (1, KIND_STREAM, 199, b"", 0),
        (1, KIND_STREAM, 200, b"A: b", 0),
        (1, KIND_STREAM, b""),
        (1, KIND_LAST + 1, b""),
    ],
)
def test_what_is_not_fit_for_the_wire_becomes_a_500_and_costs_no_other_answer(answer: tuple[Any, ...]) -> None:
    good = (2, KIND_JSON, b"{}")
    json = Reply(200, b"Content-Type: application/json\r\n", b"{}")
    assert read_answers(encode([answer, good])) == [(1, Reply(500)), (2, json)]


def test_beginnings_and_parts_are_read_among_answers() -> None:
    answers = [
        (1, KIND_STREAM, 206, b"A: b\r\n", 0),
        (2, KIND_STREAM, 200, "", LENGTH_UNKNOWN),
        (1, KIND_ASK, "é"),
        (3, KIND_END, b"Sum: 1\r\n"),
        (3, KIND_END, b"no trailer"),
        (4, KIND_PART, b"no trailer"),
        (5, KIND_CUT, None),
    ]
    assert read_answers(encode(answers)) == [
        (1, Reply(206, b"A: b\r\n", in_parts=True, length=0)),
        (2, Reply(200, in_parts=True)),
        Part(1, KIND_ASK, "é".encode()),
        Part(3, KIND_END, b"Sum: 1\r\n"),
        Part(3, KIND_END, b""),
        Part(4, KIND_PART, b"no trailer"),
        Part(5, KIND_CUT, b""),
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xc1",
        encode([(1, 2)]),
        encode([(-1, KIND_TEXT, "")]),
        encode([(1.0, KIND_TEXT, "")]),
        encode([(1, KIND_TEXT, 7)]),
        encode([(1, KIND_CONTINUE, "x")]),
        encode([(True, KIND_TEXT, "")]),
        encode({1: 2}),
        encode([(1, KIND_TEXT, 200, b"", 5)]),
        encode([(1, KIND_STREAM, 200, b"", -1)]),
        encode([(1, KIND_STREAM, 200, 7, 5)]),
        encode([(1, KIND_STREAM, "200", b"", 5)]),
        encode([(1, KIND_STREAM, 200, b"", 5, 6)]),
        encode([(1, KIND_PART, 7)]),
        encode([(1, KIND_TEXT, "")]) + b"\0",
    ],
)
def test_what_is_no_list_of_answers_is_an_error(octets: bytes) -> None:
    with pytest.raises(NativeError) as caught:
        read_answers(octets)
    assert caught.value.code == contract.ETERM


@pytest.mark.parametrize(("status", "length"), [(200, b"7"), (404, b"7"), (205, b"0"), (204, None), (304, None)])
def test_a_head_says_how_long_the_body_is_where_that_means_something(status: int, length: bytes | None) -> None:
    clock = Clock()
    clock.tick()
    head = write_head(clock, status, b"A: b\r\n", length_field(status, 7), PERSIST)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert head.endswith(b"\r\n\r\n")
    assert b"\r\nA: b\r\n" in head
    assert b"\r\nDate: " in head
    assert (b"Content-Length" in head) is (length is not None)
    assert length is None or b"\r\nContent-Length: %b\r\n" % length in head


def test_a_head_says_whether_the_connection_goes_on_only_where_that_is_news() -> None:
    clock = Clock()
    assert b"Connection" not in write_head(clock, 200, b"", b"", PERSIST)
    assert write_head(clock, 200, b"", b"", CLOSE).endswith(b"Connection: close\r\n\r\n")
    assert write_head(clock, 200, b"", b"", KEEP_ALIVE).endswith(b"Connection: keep-alive\r\n\r\n")


def test_a_status_that_nobody_has_registered_has_no_phrase() -> None:
    assert write_head(Clock(), 599, b"", b"", PERSIST).startswith(b"HTTP/1.1 599 \r\n")


def test_the_date_goes_on_with_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    for now, date in ((0.0, b"00:00:00"), (59.9, b"00:00:59"), (3600.0, b"01:00:00"), (10.0, b"00:00:10")):
        monkeypatch.setattr(response.time, "time", lambda now=now: now)
        clock.tick()
        assert clock.date == b"Thu, 01 Jan 1970 " + date + b" GMT"
