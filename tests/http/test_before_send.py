"""before_send: who is called, in which order, with what, and what becomes of a request's successor."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tinybeam import HTTPError, Request, Response
from tinybeam.http import InParts, answer_seen, carry_over


def request_with(*functions: Any) -> Request:
    request = Request(7, "GET", "/")
    for function in functions:
        request.before_send(function)
    return request


def marking(mark: str) -> Any:
    def mark_it(response: Response) -> Response:
        response.add_header("X-Mark", mark)
        return response

    return mark_it


def marks(answer: Any) -> list[str]:
    return [line.partition(": ")[2] for line in answer[2].decode().split("\r\n") if line.startswith("X-Mark")]


def test_the_last_one_registered_is_called_first() -> None:
    assert marks(answer_seen(request_with(marking("a"), marking("b"), marking("c")), "x")) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("result", "status", "body"),
    [
        ("text", 200, b"text"),
        (b"octets", 200, b"octets"),
        ({"a": 1}, 200, b'{"a":1}'),
        (None, 204, b""),
        ((404, "gone"), 404, b"gone"),
        (Response("x", 201), 201, b"x"),
        (HTTPError(418, "tea"), 418, b"tea"),
    ],
)
def test_they_see_a_response_whatever_was_returned(result: Any, status: int, body: bytes) -> None:
    seen: list[tuple[int, bytes]] = []

    def see(response: Response) -> Response:
        seen.append((response.status, response.body))
        return response

    assert answer_seen(request_with(see), result)[1] == status
    assert seen == [(status, body)]


def test_a_response_that_a_handler_returns_again_and_again_stays_as_it_is() -> None:
    page = Response("x", headers={"X-Own": "1"})
    for _ in range(2):
        assert marks(answer_seen(request_with(marking("a")), page)) == ["a"]
    assert page.header("X-Mark") is None


def test_they_may_return_another_response() -> None:
    answer = answer_seen(request_with(marking("after"), lambda _response: Response("other", 202)), "x")
    assert answer[1] == 202
    assert answer[3] == b"other"
    assert marks(answer) == ["after"]


@pytest.mark.parametrize("wrong", [None, "text", 7])
def test_one_that_returns_no_response_is_told_by_its_name(wrong: Any) -> None:
    def forgetful(response: Response) -> Any:
        return wrong

    with pytest.raises(TypeError, match=r"forgetful, which was given to before_send, returned"):
        answer_seen(request_with(forgetful), "x")


def test_when_one_raises_no_other_is_called_then_or_later() -> None:
    def broken(response: Response) -> Response:
        raise RuntimeError("broken")

    request = request_with(marking("never"), broken, marking("before"))
    with pytest.raises(RuntimeError, match="broken"):
        answer_seen(request, "x")
    assert marks(answer_seen(request, Response("x"))) == []


def test_one_that_is_registered_by_another_is_called_next() -> None:
    request = Request(7, "GET", "/")

    def registers(response: Response) -> Response:
        request.before_send(marking("late"))
        return response

    request.before_send(marking("early"))
    request.before_send(registers)
    assert marks(answer_seen(request, "x")) == ["late", "early"]


def test_a_body_in_parts_is_still_a_source_then() -> None:
    def see(response: Response) -> Response:
        assert response.source is not None
        response.add_header("X-Mark", "seen")
        return response

    with pytest.raises(InParts) as raised:
        answer_seen(request_with(see), iter(["a"]))
    assert raised.value.response.header("X-Mark") == "seen"


def test_a_coroutine_is_no_answer_and_is_closed() -> None:
    async def handler() -> str:
        return "x"

    with pytest.raises(TypeError, match="returned a coroutine"):
        answer_seen(request_with(marking("a")), handler())


def test_a_successor_shares_what_was_registered_before_and_after() -> None:
    request = request_with(marking("old"))
    other = replace(request, path_raw="/other")
    other.before_send(marking("new"))
    carry_over(request, other)
    other.before_send(marking("newer"))
    assert marks(answer_seen(request, "x")) == ["newer", "new", "old"]


def test_a_successor_of_a_request_without_any_shares_what_comes() -> None:
    request, other = Request(7, "GET", "/"), Request(7, "GET", "/other")
    other.before_send(marking("theirs"))
    carry_over(request, other)
    other.before_send(marking("later"))
    assert marks(answer_seen(request, "x")) == ["later", "theirs"]


def test_a_successor_has_what_was_left_and_leaves_it_to_the_next() -> None:
    request = Request(7, "GET", "/")
    request.assigns["user"] = "ada"
    other = replace(request, path_raw="/other")
    other.assigns["language"] = "sv"
    carry_over(request, other)
    assert other.assigns == {"user": "ada", "language": "sv"}
    assert other.assigns is request.assigns
    assert other.path == "/other"


def test_what_nobody_asked_for_is_not_there() -> None:
    request = Request(7, "GET", "/")
    assert request.before_sends is None
    assert "assigns" not in request.__dict__
