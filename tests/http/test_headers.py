"""Headers: a mapping over the engine's block of lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.http import Headers

BLOCK = (
    b"\nhost:localhost\naccept:text/html\nx-empty:\naccept:*/*\ncookie:a=1\nx-host:no\ncookie:b=2\nx-name:J\xfcrgen\n"
)


@pytest.fixture
def headers() -> Headers:
    return Headers(BLOCK)


@pytest.mark.parametrize("name", ["host", "Host", "HOST", "hOsT"])
def test_a_name_is_found_whatever_its_case(headers: Headers, name: str) -> None:
    assert headers[name] == headers.get(name) == "localhost"
    assert name in headers


def test_several_lines_of_a_name_are_joined_by_commas(headers: Headers) -> None:
    assert headers["Accept"] == "text/html, */*"
    assert headers.get_all("Accept") == ["text/html", "*/*"]


def test_several_cookie_lines_are_joined_by_semicolons(headers: Headers) -> None:
    assert headers["Cookie"] == "a=1; b=2"


def test_an_empty_value_is_not_a_missing_one(headers: Headers) -> None:
    assert headers["x-empty"] == ""
    assert "x-empty" in headers
    assert headers.get("x-none") is None
    assert headers.get("x-none", "default") == "default"
    assert headers.get_all("x-none") == []


def test_a_missing_name_is_a_key_error(headers: Headers) -> None:
    with pytest.raises(KeyError, match="x-none"):
        headers["x-none"]


def test_values_are_latin_1(headers: Headers) -> None:
    assert headers["x-name"] == "Jürgen"


@pytest.mark.parametrize("name", ["", "ost", "hos", "local", "host:localhost", "\nhost", "host\n", "x-empty:\naccept"])
def test_only_a_whole_name_is_found(headers: Headers, name: str) -> None:
    assert name not in headers
    assert headers.get(name) is None
    assert headers.get_all(name) == []


def test_a_character_that_only_lowers_to_ascii_is_no_match() -> None:
    kelvin = "\u212aeep"
    assert kelvin.lower() == "keep"
    assert kelvin not in Headers(b"\nkeep:1\n")


def test_a_name_beyond_latin_1_and_what_is_no_name_are_just_missing(headers: Headers) -> None:
    assert headers.get("€") is None
    assert 7 not in headers


def test_iteration_gives_each_name_once_in_order(headers: Headers) -> None:
    assert list(headers) == ["host", "accept", "x-empty", "cookie", "x-host", "x-name"]
    assert len(headers) == 6
    assert dict(headers)["accept"] == "text/html, */*"
    assert dict(headers.items()) == dict(headers)


def test_lines_gives_every_line_as_sent(headers: Headers) -> None:
    assert headers.lines()[:4] == [("host", "localhost"), ("accept", "text/html"), ("x-empty", ""), ("accept", "*/*")]
    assert ("location", "http://a:80/b") in Headers(b"\nlocation:http://a:80/b\n").lines()


@pytest.mark.parametrize("block", [b"", b"\n"])
def test_no_fields_at_all_is_an_empty_mapping(block: bytes) -> None:
    assert not Headers(block)
    assert list(Headers(block)) == []
    assert Headers(block).get("host") is None


def test_headers_of_pairs_are_found_like_those_of_the_engine() -> None:
    headers = Headers.of([("Accept", " text/html "), ("ACCEPT", "*/*"), ("X", "é")])
    assert headers.lines() == [("accept", "text/html"), ("accept", "*/*"), ("x", "é")]


@pytest.mark.parametrize(
    "pair", [("a:b", "c"), ("", "c"), ("a", "b\nc"), ("a\n", "c"), ("a", "b\r"), ("é", "c"), ("a", "€")]
)
def test_headers_of_what_is_no_field_is_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="cannot be a header field"):
        Headers.of([pair])


def test_equality_is_that_of_a_mapping() -> None:
    assert Headers.of([("A", "1")]) == Headers.of([("a", "1")]) == {"a": "1"}
    assert Headers.of([("A", "1")]) != Headers.of([("a", "2")])


def test_printing_headers_shows_no_values() -> None:
    assert repr(Headers.of([("Authorization", "secret")])) == "<Headers authorization>"


TOKENS = st.text(alphabet="abX-!", min_size=1, max_size=3)
VALUES = st.text(alphabet="a:é ,;", max_size=5)


@given(st.lists(st.tuples(TOKENS, VALUES), max_size=8), TOKENS)
def test_look_ups_agree_with_a_plain_list_of_pairs(pairs: list[tuple[str, str]], name: str) -> None:
    headers = Headers.of(pairs)
    expected = [value.strip(" \t") for key, value in pairs if key.lower() == name.lower()]
    assert headers.get_all(name) == expected
    assert headers.get(name) == (", ".join(expected) if expected else None)
    assert (name in headers) == bool(expected)
