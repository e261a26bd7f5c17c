"""Fields that go out: no name and no value can end its own line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.http.fields import checked_field, checked_fields, field_octets, is_token

TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("code", range(256))
def test_a_name_may_have_exactly_the_characters_of_a_token(code: int) -> None:
    assert is_token(f"X{chr(code)}") == (chr(code) in TOKEN_CHARACTERS)


@pytest.mark.parametrize("name", ["", "X Y", "X:", "X\r\n", "X\n", "Ä", "\u212a", "{x}", "X\0"])
def test_a_name_that_is_no_token_is_refused_and_named(name: str) -> None:
    with pytest.raises(ValueError, match="must be a token") as caught:
        checked_field(name, "v")
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("code", range(256))
def test_a_value_may_have_tab_and_latin_1_but_no_control_character(code: int) -> None:
    value = f"a{chr(code)}b"
    if code == 9 or 32 <= code < 127 or code >= 128:
        assert checked_field("X-Id", value) == ("X-Id", value)
    else:
        with pytest.raises(ValueError, match="header X-Id"):
            checked_field("X-Id", value)


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b=1", "a\n", "\r", "a\0", "\x7f", "€", "\ud800"])
def test_a_value_that_would_break_the_message_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="header X-Id: .*control characters"):
        checked_field("X-Id", value)


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "CONNECTION", "Date", "Keep-Alive"])
def test_a_field_that_the_engine_writes_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="the engine writes this field itself"):
        checked_field(name, "1")


@pytest.mark.parametrize(("name", "value"), [("X-Count", 3), (b"X", "a"), ("X", b"a"), ("X", None), (None, "a")])
def test_names_and_values_must_be_text(name: str, value: str) -> None:
    with pytest.raises(TypeError, match="must be str"):
        checked_field(name, value)


def test_spaces_around_a_value_are_trimmed() -> None:
    assert checked_field("X", " \t a b \t") == ("X", "a b")


def test_a_content_length_that_is_true_is_dropped() -> None:
    assert checked_fields({"Content-Length": "3", "X": "y"}, 3) == [("X", "y")]


@pytest.mark.parametrize("value", ["2", "03", "+3", "3, 3", ""])
def test_a_content_length_that_is_not_exactly_the_body_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="content-length: the engine writes"):
        checked_fields([("content-length", value)], 3)


def test_a_mapping_and_pairs_give_the_same_fields() -> None:
    assert checked_fields({"A": "1", "B": "2"}, 0) == checked_fields([("A", "1"), ("B", "2")], 0)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=6))
def test_whatever_is_accepted_is_one_line_per_pair(pairs: list[tuple[str, str]]) -> None:
    accepted = []
    for name, value in pairs:
        try:
            accepted.append(checked_field(name, value))
        except ValueError:
            continue
    lines = field_octets(accepted).split(b"\r\n")
    assert len(lines) == len(accepted) + 1
    assert not any(octet in line for line in lines for octet in (b"\r", b"\n", b"\0"))
    assert [tuple(line.decode("latin-1").split(": ", 1)) for line in lines[:-1]] == accepted
