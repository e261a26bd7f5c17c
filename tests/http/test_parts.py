"""Bodies that come in parts: what may be a part, and what may give them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tinybeam.http import KIND_STREAM, InParts, Response, answer, as_response, beginning
from tinybeam.http.parts import part_octets


async def later() -> AsyncIterator[str]:
    yield "x"


@pytest.mark.parametrize(
    ("part", "octets"),
    [("ö", b"\xc3\xb6"), (b"\xff", b"\xff"), (bytearray(b"a"), b"a"), (memoryview(b"ab")[1:], b"b"), ("", b"")],
)
def test_a_part_is_text_or_octets(part: Any, octets: bytes) -> None:
    assert part_octets(part) == octets


@pytest.mark.parametrize("wrong", [None, 1, {"a": 1}, ["x"], object])
def test_nothing_else_is_a_part(wrong: Any) -> None:
    with pytest.raises(TypeError, match="str or bytes, not"):
        part_octets(wrong)


@pytest.mark.parametrize("make", [lambda: iter("ab"), lambda: (part for part in "ab"), later, lambda: map(str, "ab")])
def test_an_iterator_as_a_result_is_a_body_in_parts(make: Any) -> None:
    source = make()
    with pytest.raises(InParts) as raised:
        answer(7, source)
    assert raised.value.response.source is source
    assert raised.value.response.headers == (("Content-Type", "application/octet-stream"),)
    assert as_response(source).source is source


def test_a_stream_as_a_result_is_begun_by_whoever_asked() -> None:
    response = Response.stream(["a"], 201, {"X-A": "b"}, content_type="text/plain", length=1)
    with pytest.raises(InParts) as raised:
        answer(7, response)
    assert raised.value.response is response
    fields = b"X-A: b\r\nContent-Type: text/plain\r\n"
    assert beginning(7, response) == (7, KIND_STREAM, 201, fields, 1)
    assert beginning(7, Response.stream(["a"]))[4] == (1 << 64) - 1
    assert repr(response) == "<Response 201, in parts>"
    assert response.body == b""


def test_a_content_type_among_the_headers_goes_before() -> None:
    response = Response.stream(["a"], headers={"content-type": "text/csv"})
    assert response.headers == (("content-type", "text/csv"),)


@pytest.mark.parametrize("wrong", ["text", b"octets", bytearray(), 7, None])
def test_a_source_is_an_iterable_of_parts(wrong: Any) -> None:
    with pytest.raises(TypeError, match="the source of a stream is an iterable"):
        Response.stream(wrong)


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_no_stream(status: int) -> None:
    with pytest.raises(ValueError, match=f"a {status} answer has no body"):
        Response.stream(["x"], status)


@pytest.mark.parametrize("length", [-1, 1.5, "3", True])
def test_a_length_is_a_whole_number(length: Any) -> None:
    with pytest.raises(ValueError, match="length is"):
        Response.stream(["x"], length=length)


def test_events_are_not_to_be_kept() -> None:
    response = Response.events(["x"], {"X-A": "b"}, heartbeat_s=None)
    assert response.headers == (("X-A", "b"), ("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
    assert response.heartbeat_s is None
    assert response.to_part("x") == b"data: x\n\n"
