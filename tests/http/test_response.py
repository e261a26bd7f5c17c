"""A response is checked when it is made."""

from dataclasses import dataclass
from http import HTTPStatus

import msgspec
import pytest

from tinybeam.http import Response

TEXT = ("Content-Type", "text/plain; charset=utf-8")
BYTES = ("Content-Type", "application/octet-stream")
JSON = ("Content-Type", "application/json")


class User(msgspec.Struct):
    id: int


@dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("body", "octets", "headers"),
    [
        (None, b"", ()),
        ("", b"", (TEXT,)),
        ("é", "é".encode(), (TEXT,)),
        (b"\xff", b"\xff", (BYTES,)),
        (bytearray(b"\xff"), b"\xff", (BYTES,)),
        (memoryview(b"abcd")[::2], b"ac", (BYTES,)),
        ({"a": 1}, b'{"a":1}', (JSON,)),
        ([1, None], b"[1,null]", (JSON,)),
        (User(7), b'{"id":7}', (JSON,)),
        (Point(7), b'{"x":7}', (JSON,)),
    ],
)
def test_the_body_decides_the_content_type(body: object, octets: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    response = Response(body)
    assert (response.status, response.body, response.headers) == (200, octets, headers)


def test_a_content_type_that_is_given_goes_before_that_of_the_body() -> None:
    assert Response("a,b", content_type="text/csv").headers == (("Content-Type", "text/csv"),)
    assert Response("a,b", headers={"content-type": "text/csv"}).headers == (("content-type", "text/csv"),)
    assert Response(None, content_type="text/csv").headers == (("Content-Type", "text/csv"),)


def test_headers_keep_their_order_their_case_and_their_repetition() -> None:
    pairs = [("set-cookie", "a=1"), ("X-ID", "7"), ("set-cookie", "b=2")]
    assert Response(None, headers=pairs).headers == tuple(pairs)
    assert Response(None, headers=iter(pairs)).headers == tuple(pairs)
    assert Response(None, headers=pairs).field_octets() == b"set-cookie: a=1\r\nX-ID: 7\r\nset-cookie: b=2\r\n"


@pytest.mark.parametrize("headers", [{"X-Id": "a\r\nb"}, {"X Id": "a"}, {"X-Id": "€"}, [("Content-Length", "9")]])
def test_a_bad_header_is_refused_when_the_response_is_made(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header"):
        Response("hi", headers=headers)


def test_a_bad_content_type_is_refused_like_any_header() -> None:
    with pytest.raises(ValueError, match="header Content-Type"):
        Response("hi", content_type="text/plain\r\nX: y")


def test_a_true_content_length_is_dropped_because_the_engine_writes_it() -> None:
    assert Response("é", headers={"Content-Length": "2"}).headers == (TEXT,)


def test_a_header_can_be_added_but_not_a_bad_one() -> None:
    response = Response(None)
    response.add_header("Set-Cookie", "a=1")
    response.add_header("Set-Cookie", "b=2")
    with pytest.raises(ValueError, match="header Set-Cookie"):
        response.add_header("Set-Cookie", "c=3\n")
    assert response.headers == (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))


def test_headers_cannot_be_changed_behind_the_checks() -> None:
    response = Response("hi")
    with pytest.raises(AttributeError):
        response.headers = (("a", "b\r\n"),)  # type: ignore[misc]
    with pytest.raises(AttributeError):
        response.status = 700  # type: ignore[misc]
    with pytest.raises(AttributeError):
        response.body = {}  # type: ignore[misc, assignment]


def test_a_mutable_body_is_copied() -> None:
    body = bytearray(b"abc")
    response = Response(body)
    body[:] = b"xyz"
    assert response.body == b"abc"


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_refuses_one(status: int) -> None:
    with pytest.raises(ValueError, match=f"a {status} answer has no body"):
        Response("hi", status)
    assert Response(None, status).body == b""


@pytest.mark.parametrize("status", [100, 199, 600, True, "200", None])
def test_a_status_out_of_range_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="an int from 200 to 599"):
        Response("hi", status)


def test_a_status_of_the_enum_is_taken() -> None:
    assert Response(None, HTTPStatus.CREATED).status == 201


@pytest.mark.parametrize("body", [7, 1.5, True, object(), {1, 2}, (1, 2), iter([]), User, Point, len])
def test_a_body_of_another_type_is_refused_and_named(body: object) -> None:
    with pytest.raises(TypeError, match=f"a body cannot be {type(body).__name__}"):
        Response(body)


def test_text_html_and_json_have_their_types() -> None:
    assert Response.text("hi", 201, {"A": "b"}).headers == (("A", "b"), TEXT)
    assert Response.html("<p>").headers == (("Content-Type", "text/html; charset=utf-8"),)
    for value, octets in [(None, b"null"), ("a", b'"a"'), (1.5, b"1.5"), ((1, 2), b"[1,2]"), ({3}, b"[3]")]:
        response = Response.json(value)
        assert (response.body, response.headers) == (octets, (JSON,))


def test_a_redirect_says_where_to() -> None:
    assert Response.redirect("/new").status == 302
    response = Response.redirect("https://example.org/a?b=c&d=%20#e", 308)
    assert (response.status, response.headers) == (308, (("Location", "https://example.org/a?b=c&d=%20#e"),))


def test_a_redirect_encodes_what_a_uri_cannot_hold() -> None:
    assert Response.redirect("/é\r\nX: y").headers == (("Location", "/%C3%A9%0D%0AX:%20y"),)


@pytest.mark.parametrize("status", [200, 300, 304, 306, 404])
def test_a_redirect_needs_a_status_that_redirects(status: int) -> None:
    with pytest.raises(ValueError, match="a redirection has the status"):
        Response.redirect("/", status)


def test_text_that_utf_8_cannot_hold_is_refused_when_the_response_is_made() -> None:
    with pytest.raises(UnicodeEncodeError):
        Response("\ud800")


def test_printing_a_response_shows_no_content() -> None:
    assert repr(Response("secret", 201)) == "<Response 201, 6 octets>"
