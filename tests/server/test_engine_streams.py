"""Answers that come in parts, at the border: how an engine sends a beginning, parts, and an end, and its news."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.server.streaming_rig import begin, encode, get, handles, is_served, news, news_of, read, rest
from tinybeam import contract
from tinybeam.http import (
    KIND_ASK,
    KIND_END,
    KIND_HINTS,
    KIND_LAST,
    KIND_PART,
    KIND_STREAM,
    KIND_TEXT,
    LENGTH_UNKNOWN,
)

if TYPE_CHECKING:
    from tests.server.conftest import Rig, Rigs

PIECE = b"x" * 65536


def test_parts_of_unknown_length_go_out_as_chunks(rig: Rig) -> None:
    [handle] = handles(rig, get())
    assert begin(rig, handle, fields=b"X-A: b\r\n") == contract.OK
    assert news_of(rig, contract.NEWS_MORE) == [handle]
    assert read(rig, b"\r\n\r\n").endswith(b"\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert rig.engine.push(handle, KIND_PART, b"hello ") == contract.OK
    rig.engine.push(handle, KIND_PART, b"")
    assert news(rig) == []
    assert read(rig, b"\r\nhello \r\n") == b"6\r\nhello \r\n"
    assert news(rig, encode([(handle, KIND_PART, "world, and all")])) == []
    assert rig.engine.stats()["streams"] == 1
    rig.engine.respond(encode([(handle, KIND_PART, b"!"), (handle, KIND_END, None)]))
    assert news(rig) == []
    assert read(rig, b"\r\n0\r\n\r\n") == b"e\r\nworld, and all\r\n1\r\n!\r\n0\r\n\r\n"
    assert is_served(rig)
    assert rig.engine.stats()["streams"] == 0


def test_parts_of_known_length_go_out_as_they_are(rig: Rig) -> None:
    [handle] = handles(rig, get())
    rig.flush(encode([(handle, KIND_STREAM, 201, b"", 5), (handle, KIND_PART, b"he"), (handle, KIND_PART, b"llo")]))
    head, _, body = read(rig, b"hello").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"\r\nContent-Length: 5" in head
    assert body == b"hello"
    rig.flush(encode([(handle, KIND_END, b"X-Sum: no trailers here\r\n")]))
    assert is_served(rig)


def test_a_client_of_http_1_0_is_told_the_end_by_the_close(rig: Rig) -> None:
    [handle] = handles(rig, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    begin(rig, handle)
    rig.engine.push(handle, KIND_PART, b"all ")
    rig.engine.push(handle, KIND_PART, b"of it")
    rig.flush()
    head, _, body = read(rig, b"of it").partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head
    assert b"chunked" not in head
    assert b"Content-Length" not in head
    assert body == b"all of it"
    rig.engine.push(handle, KIND_END, b"")
    rig.flush()
    assert rest(rig) == b""


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304)])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_answer_without_a_body_is_done_with_its_head(rig: Rig, method: str, status: int, version: str) -> None:
    [handle] = handles(
        rig, get(version=version, method=method).replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    )
    begin(rig, handle, status=status)
    rig.engine.push(handle, KIND_PART, b"no body")
    rig.engine.push(handle, KIND_END, b"")
    assert news(rig) == []
    head = read(rig, b"\r\n\r\n")
    assert (b"Transfer-Encoding: chunked" in head) is (status == 200 and version == "1.1")
    assert (b"Content-Length: 0" in head) is (status == 205)
    assert is_served(rig)


def test_trailers_follow_the_last_chunk(rig: Rig) -> None:
    for trailers, sent in ((b"X-Sum: 5\r\n", b"X-Sum: 5\r\n"), (b"bad\r\n\r\nHTTP/1.1 200 OK\r\n", b"")):
        [handle] = handles(rig, get())
        begin(rig, handle)
        rig.engine.push(handle, KIND_END, trailers)
        rig.flush()
        read(rig, b"\r\n\r\n")
        assert read(rig, b"\r\n\r\n" if sent else b"0\r\n\r\n") == b"0\r\n" + sent + b"\r\n"
    assert is_served(rig)


def test_a_stream_waits_for_its_turn_and_others_for_its_end(rig: Rig) -> None:
    one, two, three = handles(rig, get("/1") + get("/2") + get("/3"), 3)
    rig.flush(encode([(three, KIND_TEXT, "third"), (two, KIND_STREAM, 200, b"", LENGTH_UNKNOWN)]))
    rig.engine.push(two, KIND_PART, b"second ")
    rig.engine.push(two, KIND_ASK, b"half")
    assert news(rig) == []  # nothing is asked for while it is not its turn
    rig.engine.respond(encode([(one, KIND_TEXT, "first")]))
    assert news_of(rig, contract.NEWS_MORE) == [two]
    assert rig.reply() == (200, b"first")
    assert read(rig, b"half\r\n").endswith(b"\r\n\r\n7\r\nsecond \r\n4\r\nhalf\r\n")
    rig.engine.push(two, KIND_PART, b"rest")
    rig.engine.push(two, KIND_END, b"")
    assert news(rig) == []
    assert read(rig, b"0\r\n\r\n") == b"4\r\nrest\r\n0\r\n\r\n"
    assert rig.reply() == (200, b"third")
    assert is_served(rig)


def test_a_stream_that_is_whole_before_its_turn_goes_out_at_once(rig: Rig) -> None:
    one, two, three = handles(rig, get("/1") + get("/2") + get("/3"), 3)
    begin(rig, two)
    rig.engine.push(two, KIND_PART, b"whole")
    rig.engine.push(two, KIND_END, b"")
    begin(rig, three, status=204)
    rig.flush()
    assert rig.engine.stats()["streams"] == 0
    assert news(rig, encode([(one, KIND_TEXT, "first")])) == []
    assert rig.reply() == (200, b"first")
    assert read(rig, b"0\r\n\r\n").endswith(b"\r\n\r\n5\r\nwhole\r\n0\r\n\r\n")
    assert read(rig, b"\r\n\r\n").startswith(b"HTTP/1.1 204 ")
    assert is_served(rig)


def test_more_is_asked_for_when_the_client_has_taken_nearly_all(rig: Rig) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle)
    assert news_of(rig, contract.NEWS_MORE) == [handle]
    pushed, told = 0, True
    while told:  # until the socket takes no more
        rig.engine.push(handle, KIND_ASK, PIECE)
        pushed += len(PIECE)
        told = news(rig) != []
    rig.engine.push(handle, KIND_PART, b"and a bit")
    assert news(rig) == []
    got = bytearray()
    while not told:
        got += rig.client.recv(65536)
        told = news(rig) == [(handle, contract.NEWS_MORE)]
    assert len(PIECE) < len(got)
    rig.engine.push(handle, KIND_PART, b"not asked")
    rig.engine.push(handle, KIND_END, b"")
    while not got.endswith(b"\r\n9\r\nnot asked\r\n0\r\n\r\n"):
        assert news(rig) == []
        got += rig.client.recv(65536)
    assert got.count(b"x") == pushed


def test_hints_come_before_the_answer(rig: Rig) -> None:
    [handle] = handles(rig, get())
    rig.engine.push(handle, KIND_HINTS, b"Link: </a.css>; rel=preload\r\n")
    rig.engine.push(handle, KIND_HINTS, b"no field")
    rig.flush()
    sent = read(rig, b"\r\n\r\n")
    assert sent == b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
    rig.flush(encode([(handle, KIND_TEXT, "yay"), (handle, KIND_HINTS, b"Link: too late\r\n")]))
    assert rig.reply() == (200, b"yay")
    assert is_served(rig)


def test_hints_out_of_turn_or_for_http_1_0_are_left_out(rig: Rig) -> None:
    one, two = handles(rig, get("/1") + get("/2"), 2)
    rig.engine.push(two, KIND_HINTS, b"Link: </a.css>\r\n")
    rig.flush()
    rig.flush(encode([(one, KIND_TEXT, "first"), (two, KIND_TEXT, "second")]))
    assert rig.reply() == (200, b"first")
    assert read(rig, b"\r\n").startswith(b"HTTP/1.1 200 ")
    read(rig, b"second")
    [old] = handles(rig, get(version="1.0"))
    rig.engine.push(old, KIND_HINTS, b"Link: </a.css>\r\n")
    rig.flush()
    rig.flush(encode([(old, KIND_TEXT, "old")]))
    assert rest(rig).startswith(b"HTTP/1.1 200 ")


def test_a_stream_is_not_held_to_the_deadline_of_its_handler(rigs: Rigs) -> None:
    rig = rigs(request_timeout_ms=50)
    [handle] = handles(rig, get())
    begin(rig, handle)
    rig.flush()
    with rig.connect() as later:
        later.sendall(get())
        assert [request.path for request in rig.requests()] == ["/"]
        while not rig.engine.stats()["requests_overdue"]:
            rig.flush()
        assert later.recv(65536).startswith(b"HTTP/1.1 504 ")
    rig.engine.push(handle, KIND_PART, b"still there")
    rig.flush()
    read(rig, b"still there\r\n")
    assert [age >= 50 for _, age in rig.engine.take_overdue()] == [True]


def test_a_stream_outlives_a_drain_until_its_end(rig: Rig) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle)
    rig.flush()
    rig.engine.drain()
    rig.flush()
    rig.engine.push(handle, KIND_PART, b"the last")
    rig.engine.push(handle, KIND_END, b"")
    while not rig.port.poll(b"") >> 48 & contract.POLL_DRAINED:
        pass
    assert rest(rig).endswith(b"8\r\nthe last\r\n0\r\n\r\n")


def test_a_part_ends_the_sleep_of_the_holder(rig: Rig) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle)
    assert news_of(rig, contract.NEWS_MORE) == [handle]
    status: list[int] = []
    holder = threading.Thread(target=lambda: status.append(rig.port.poll(b"")))
    holder.start()
    rig.engine.push(handle, KIND_ASK, b"from another thread")
    read(rig, b"from another thread\r\n")
    holder.join(30)
    assert [one >> 48 for one in status] == [contract.POLL_NEWS]
    assert rig.port.news() == [(handle, contract.NEWS_MORE)]


@pytest.mark.parametrize(
    ("length", "body"), [(LENGTH_UNKNOWN, b"6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"), (11, b"hello world")]
)
def test_the_last_part_brings_the_end_with_it(rig: Rig, length: int, body: bytes) -> None:
    [handle] = handles(rig, get())
    begin(rig, handle, length)
    assert news_of(rig, contract.NEWS_MORE) == [handle]
    rig.engine.push(handle, KIND_PART, b"hello ")
    rig.engine.push(handle, KIND_LAST, b"world")
    assert news(rig) == []
    assert read(rig, body).endswith(b"\r\n\r\n" + body)
    assert rig.engine.stats()["streams"] == 0
    assert is_served(rig)
