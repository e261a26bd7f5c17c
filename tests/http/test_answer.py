"""Every result that a handler may return becomes an answer that the engine can read."""

import enum
import re
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from tinybeam import http
from tinybeam.errors import HTTPError
from tinybeam.http import KIND_BYTES, KIND_JSON, KIND_TEXT, Response, answer, as_response

HEADER = Path(__file__).parents[2] / "native" / "include" / "tinybeam.h"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
JSON = b"Content-Type: application/json\r\n"


class User(msgspec.Struct):
    id: int


@dataclass
class Point:
    x: int


class Colour(str, enum.Enum):  # noqa: UP042 - with a __str__ that is not its text.
    RED = "red"

    def __str__(self) -> str:
        return "a colour"


class Text(str):
    __slots__ = ()


class Octets(bytes):
    pass


class Dict(dict[str, int]):
    pass


class TeapotError(HTTPError):
    def __init__(self) -> None:
        super().__init__(418, "short and stout")


class Special(Response):
    __slots__ = ()


def test_the_kinds_have_the_numbers_of_the_native_header() -> None:
    numbers = dict(re.findall(r"#define TB_KIND_(\w+) (\d+)", HEADER.read_text()))
    ours = {name.removeprefix("KIND_"): number for name, number in vars(http).items() if name.startswith("KIND_")}
    assert {name: int(number) for name, number in numbers.items()} == ours


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("yay", (7, KIND_TEXT, "yay")),
        ("", (7, KIND_TEXT, "")),
        ("é", (7, KIND_TEXT, "é".encode())),
        (Text("yay"), (7, KIND_TEXT, "yay")),
        (Colour.RED, (7, KIND_TEXT, "red")),
        (b"\xff", (7, KIND_BYTES, b"\xff")),
        (Octets(b"a"), (7, KIND_BYTES, b"a")),
        (bytearray(b"a"), (7, KIND_BYTES, b"a")),
        (memoryview(b"abcd")[::2], (7, KIND_BYTES, b"ac")),
        ({"a": 1}, (7, KIND_JSON, b'{"a":1}')),
        ({}, (7, KIND_JSON, b"{}")),
        ([], (7, KIND_JSON, b"[]")),
        (Dict(a=1), (7, KIND_JSON, b'{"a":1}')),
        (OrderedDict(a=1), (7, KIND_JSON, b'{"a":1}')),
        (User(7), (7, KIND_JSON, b'{"id":7}')),
        (Point(7), (7, KIND_JSON, b'{"x":7}')),
        (None, (7, 204, b"", None)),
        (Response("a", 201, {"X": "y"}), (7, 201, b"X: y\r\n" + TEXT, b"a")),
        (Special("a"), (7, 200, TEXT, b"a")),
        (Response(), (7, 200, b"", b"")),
        ((404, "gone"), (7, 404, TEXT, b"gone")),
        ((201, {"id": 7}), (7, 201, JSON, b'{"id":7}')),
        ((204, None), (7, 204, b"", b"")),
        ((200, {"X": "y"}, [1]), (7, 200, b"X: y\r\n" + JSON, b"[1]")),
        ((200, [("X", "y"), ("X", "z")], None), (7, 200, b"X: y\r\nX: z\r\n", b"")),
        (HTTPError(404), (7, 404, TEXT, b"Not Found")),
        (HTTPError(404, "no such user"), (7, 404, TEXT, b"no such user")),
        (
            HTTPError(401, headers={"WWW-Authenticate": "Basic"}),
            (7, 401, b"WWW-Authenticate: Basic\r\n" + TEXT, b"Unauthorized"),
        ),
        (HTTPError(304), (7, 304, b"", b"")),
        (TeapotError(), (7, 418, TEXT, b"short and stout")),
    ],
    ids=repr,
)
def test_a_result_becomes_an_answer(result: object, expected: tuple[object, ...]) -> None:
    given = answer(7, result)
    assert given == expected
    # The writer of the batch knows these types only, not their subclasses.
    assert [type(part) for part in given] == [type(part) for part in expected]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([given])) == [list(expected)]


def test_json_knows_the_types_of_the_standard_library() -> None:
    value = {
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "price": Decimal("1.50"),
        "id": UUID(int=7),
        "colour": Colour.RED,
        "tags": {"a"},
        "point": Point(1),
        "pair": (1, 2),
    }
    assert answer(7, value)[2] == (
        b'{"at":"2026-01-02T03:04:05Z","price":"1.50","id":"00000000-0000-0000-0000-000000000007",'
        b'"colour":"red","tags":["a"],"point":{"x":1},"pair":[1,2]}'
    )


Pair = namedtuple("Pair", "status body")


@pytest.mark.parametrize(
    "result",
    [7, 0, 1.5, True, False, 1j, {1}, frozenset(), object(), Pair(200, "a"), range(3)]
    + [User, Point, dict, len, Ellipsis, ValueError("x"), Decimal(1)],
    ids=lambda value: type(value).__name__,
)
def test_any_other_result_is_a_type_error_that_names_it_and_what_may_be_returned(result: object) -> None:
    with pytest.raises(TypeError, match=rf"a handler returned {type(result).__name__}; it may return str, bytes, dict"):
        answer(7, result)


@pytest.mark.parametrize("result", [(), (200,), (200, {}, "a", "b")])
def test_a_tuple_of_another_length_is_refused(result: tuple[object, ...]) -> None:
    with pytest.raises(TypeError, match=rf"a tuple of {len(result)}; it may return \(status, body\)"):
        answer(7, result)


@pytest.mark.parametrize("status", [True, 199, 600, "200", None, 200.0])
def test_a_tuple_needs_a_status(status: object) -> None:
    with pytest.raises(ValueError, match="an int from 200 to 599"):
        answer(7, (status, "a"))


def test_a_tuple_of_body_and_status_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="a status must be an int from 200 to 599, not 'a'"):
        answer(7, ("a", 200))


@pytest.mark.parametrize("result", [(200, {"X": "a\r\nb"}, "a"), HTTPError(400, headers={"X": "a\nb"}), (204, "a")])
def test_an_answer_that_cannot_be_sent_raises_here(result: object) -> None:
    with pytest.raises(ValueError, match=r"header X|no body"):
        answer(7, result)


@pytest.mark.parametrize("result", ["\ud800", Text("\udfff"), {"a": "\ud800"}, (200, "\ud800")])
def test_a_lone_surrogate_raises_here_and_not_when_the_batch_is_written(result: object) -> None:
    with pytest.raises(UnicodeEncodeError):
        answer(7, result)


@pytest.mark.parametrize("result", [{"a": object()}, [{1: object()}]])
def test_json_of_an_unknown_type_inside_is_a_type_error(result: object) -> None:
    with pytest.raises(TypeError):
        answer(7, result)


def test_a_mutable_body_is_copied() -> None:
    body = bytearray(b"abc")
    first, second = answer(7, body), answer(7, memoryview(body))
    body[:] = b"xyz"
    assert first[2] == second[2] == b"abc"


@pytest.mark.parametrize("result", ["é", b"a", {"a": 1}, None, (201, "a"), HTTPError(404), Response("a")], ids=repr)
def test_as_response_says_the_same_in_full(result: object) -> None:
    response = as_response(result)
    short = answer(7, result)
    if len(short) == 3:
        kinds = {
            KIND_TEXT: "text/plain; charset=utf-8",
            KIND_JSON: "application/json",
            KIND_BYTES: "application/octet-stream",
        }
        assert response.headers == (("Content-Type", kinds[short[1]]),)
        assert (response.status, response.body) == (200, short[2])
    else:
        assert (response.status, response.field_octets(), response.body) == (short[1], short[2], short[3] or b"")


def test_a_response_is_passed_through_as_it_is() -> None:
    response = Response("a")
    assert as_response(response) is response


def test_a_coroutine_is_refused_with_what_to_write_and_leaves_no_warning() -> None:
    async def forgotten() -> str:
        return "never"

    with pytest.raises(TypeError, match="returned a coroutine: make it, or the decorator around it, `async def`"):
        answer(7, forgotten())
