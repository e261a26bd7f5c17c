"""Which lines of a request ask something of a file, as tests/native/asked_test.c has them."""

from __future__ import annotations

import pytest

from tinybeam.files import Asked

NAMES = (
    "accept-encoding",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "range",
)


def test_each_field_is_found() -> None:
    block = "".join(f"\n{name}:{number}" for number, name in enumerate(NAMES)) + "\nreferer:x\nif-matcx:y\n"
    asked = Asked.read(block.encode(), head=True)
    assert asked.head
    assert [(asked.lines(name), asked.single(name)) for name in NAMES] == [([one], one) for one in "0123456"]


def test_a_request_without_them_asks_for_nothing() -> None:
    for asked in (Asked.read(b"\naccept:*/*\nx-range:1\n", head=False), Asked()):
        assert not asked.head
        assert [(asked.lines(name), asked.single(name)) for name in NAMES] == [([], None)] * len(NAMES)


def test_lines_of_a_name_come_in_their_order_and_are_no_single_value() -> None:
    asked = Asked.read(b"\nif-match:1\nrange:x\nif-match:2\nif-none-match:y\nif-match:3\n", head=False)
    assert asked.lines("if-match") == ["1", "2", "3"]
    assert asked.single("if-match") is None
    assert (asked.single("range"), asked.single("if-none-match")) == ("x", "y")


def test_a_line_that_comes_twice_with_one_value_is_no_single_value_either() -> None:
    assert Asked.read(b"\nrange:bytes=0-1\nrange:bytes=0-1\n", head=False).single("range") is None


def test_a_value_is_all_behind_the_first_colon_and_may_be_empty() -> None:
    asked = Asked.read(b"\nhost:a\nif-match:a:b\naccept-encoding:\n", head=False)
    assert (asked.single("if-match"), asked.single("accept-encoding")) == ("a:b", "")


def test_a_value_may_have_any_octet() -> None:
    assert Asked.read(b'\nif-match:"\xff\xc3\xa9"\n', head=False).single("if-match") == '"\xff\xc3\xa9"'


@pytest.mark.parametrize("block", [b"", b"\n", b"\n\n\n", b":", b"\n:x\n", b"x:y", b"\nx:range:1\n", b"\n range:1\n"])
def test_what_has_none_of_the_names_asks_for_nothing(block: bytes) -> None:
    asked = Asked.read(block, head=False)
    assert [asked.lines(name) for name in NAMES] == [[]] * len(NAMES)


@pytest.mark.parametrize("block", [b"range:", b"\nrange:1", b"range:\n\n"])
def test_a_line_needs_no_other_around_it(block: bytes) -> None:
    assert len(Asked.read(block, head=False).lines("range")) == 1


@pytest.mark.parametrize("block", [b"range", b"\nrange\n", b"\nhost:a\nif-match\n"])
def test_a_line_without_a_colon_is_no_field(block: bytes) -> None:
    asked = Asked.read(block, head=False)
    assert [asked.lines(name) for name in NAMES] == [[]] * len(NAMES)


def test_pairs_are_taken_as_lines_are() -> None:
    asked = Asked([("range", "bytes=0-1"), ("host", "a"), ("if-match", "1"), ("if-match", "2")])
    assert (asked.single("range"), asked.lines("if-match"), asked.lines("host")) == ("bytes=0-1", ["1", "2"], [])
