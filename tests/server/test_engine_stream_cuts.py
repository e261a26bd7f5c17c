"""Answers in parts that do not come to their end, at the border: clients that left, cuts, and what is no part."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.server.streaming_rig import begin, encode, get, handles, is_served, news, news_of, read, rest
from tinybeam import contract
from tinybeam.http import (
    KIND_ASK,
    KIND_CUT,
    KIND_END,
    KIND_LAST,
    KIND_PART,
    KIND_STREAM,
    KIND_TEXT,
    LENGTH_UNKNOWN,
)

if TYPE_CHECKING:
    from tests.server.conftest import Rig


def test_whoever_streams_is_told_that_the_client_has_left_and_once(rig: Rig) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle)
    rig.engine.push(handle, KIND_ASK, b"x")
    assert news_of(rig, contract.NEWS_MORE) == [handle]
    rig.client.close()  # with octets unread: it is a reset
    assert news_of(rig, contract.NEWS_GONE) == [handle]
    rig.engine.push(handle, KIND_ASK, b"for nobody")
    rig.engine.push(handle, KIND_END, b"")
    assert news(rig) == []
    assert [rig.engine.stats()[name] for name in ("handles_open", "streams", "connections_open")] == [0, 0, 0]
    assert begin(rig, handle) == contract.EALREADY


def test_a_client_that_left_before_the_stream_began_is_told_to_it(rig: Rig) -> None:
    [handle] = handles(rig, get())
    rig.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    rig.client.close()
    while rig.engine.stats()["connections_open"]:
        rig.flush()
    assert begin(rig, handle) == contract.EDISCONNECTED
    assert news_of(rig, contract.NEWS_GONE) == [handle]
    assert news(rig) == []
    assert rig.engine.stats()["handles_open"] == 0


@pytest.mark.parametrize(("version", "length"), [("1.1", LENGTH_UNKNOWN), ("1.1", 100), ("1.0", 100)])
def test_a_stream_that_is_cut_does_not_end_as_a_whole_one_does(rig: Rig, version: str, length: int) -> None:
    [handle] = handles(rig, get(version=version))
    begin(rig, handle, length)
    rig.engine.push(handle, KIND_PART, b"half of")
    rig.engine.push(handle, KIND_CUT, b"")
    rig.engine.push(handle, KIND_PART, b"what is too late")
    while rig.engine.stats()["connections_open"]:
        rig.flush()
    rig.flush()
    octets = rest(rig)
    assert octets.removesuffix(b"\r\n").endswith(b"half of")
    assert b"\r\n0\r\n" not in octets
    assert (rig.engine.stats()["handles_open"], rig.engine.stats()["streams"]) == (0, 0)


def test_a_cut_is_a_reset_where_the_close_would_be_the_end(rig: Rig) -> None:
    [handle] = handles(rig, get(version="1.0"))
    begin(rig, handle)
    rig.engine.push(handle, KIND_PART, b"half of")
    rig.flush()
    read(rig, b"half of")
    rig.engine.push(handle, KIND_CUT, b"")
    rig.flush()
    with pytest.raises(ConnectionResetError):
        rig.client.recv(1)


def test_nothing_follows_a_stream_that_is_cut(rig: Rig) -> None:
    one, two = handles(rig, get("/1") + get("/2"), 2)
    rig.flush(encode([(two, KIND_TEXT, "second")]))
    begin(rig, one)
    rig.engine.push(one, KIND_PART, b"half of")
    rig.engine.push(one, KIND_CUT, b"")
    rig.flush()
    assert rest(rig).endswith(b"7\r\nhalf of\r\n")
    rig.flush()
    assert rig.engine.stats()["handles_open"] == 0


def test_a_stream_that_is_cut_before_its_turn_is_another_answer(rig: Rig) -> None:
    one, two = handles(rig, get("/1") + get("/2"), 2)
    begin(rig, two)
    rig.engine.push(two, KIND_PART, b"half of")
    rig.engine.push(two, KIND_CUT, b"")
    rig.flush()
    rig.flush(encode([(one, KIND_TEXT, "first")]))
    assert rig.reply() == (200, b"first")
    assert rig.reply() == (500, b"")
    assert is_served(rig)


@pytest.mark.parametrize(("part", "sent"), [(b"four", b"four"), (b"four too", b"")])
def test_a_body_that_is_not_as_long_as_announced_is_cut(rig: Rig, part: bytes, sent: bytes) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle, 5)
    rig.engine.push(handle, KIND_PART, part)
    rig.engine.push(handle, KIND_END, b"")
    rig.flush()
    assert rest(rig).endswith(b"\r\n\r\n" + sent)
    assert rig.engine.stats()["streams"] == 0


def test_what_does_not_belong_to_a_stream_goes_nowhere(rig: Rig) -> None:
    [handle] = handles(rig, get())
    for wrong in (handle, handle ^ 1, handle + (1 << 20), handle ^ 1 << 52):
        rig.engine.push(wrong, KIND_PART, b"it has not begun")
        rig.engine.push(wrong, KIND_END, b"")
    begin(rig, handle)
    for wrong in (handle ^ 1, handle + (1 << 20), handle ^ 1 << 52):
        rig.engine.push(wrong, KIND_PART, b"another's")
    rig.engine.push(handle, KIND_END, b"")
    rig.engine.push(handle, KIND_PART, b"after the end")
    rig.flush()
    assert read(rig, b"0\r\n\r\n").partition(b"\r\n\r\n")[2] == b"0\r\n\r\n"
    assert begin(rig, handle) == contract.EALREADY
    assert is_served(rig)


def test_fields_that_would_split_the_response_make_it_a_500(rig: Rig) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle, fields=b"X: a\r\n\r\nHTTP/1.1 200 OK\r\n")
    rig.engine.push(handle, KIND_PART, b"x")
    rig.flush()
    assert rig.reply() == (500, b"")
    assert is_served(rig)


@pytest.mark.parametrize("kind", [0, KIND_TEXT, KIND_STREAM, KIND_LAST + 1])
def test_what_is_no_part_is_not_taken(rig: Rig, kind: int) -> None:
    assert rig.engine.push(1, kind, b"") == contract.EINVAL


def test_a_closed_engine_takes_no_parts(rig: Rig) -> None:
    rig.engine.close()
    assert rig.engine.push(1, KIND_PART, b"") == contract.ESHUTDOWN
