"""Range fields against a length: the examples of RFC 9110 section 14, the mistakes, and the attacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.files.ranges import PARTS_MAX, Span, read_ranges

# A range as a client may write it: first and last, the last left out, or the first.
Spec = tuple[int | None, int | None]


def told(value: str, length: int) -> str:
    """What it comes to: "ignored", "416", or "first+octets" for each part."""
    spans = read_ranges(value, length)
    if spans is None:
        return "ignored"
    return " ".join(f"{span.first}+{span.octets}" for span in spans) or "416"


# The table of tests/native/range_test.c; its one length that no file has is the greatest that one may have here.
@pytest.mark.parametrize(
    ("value", "length", "wanted"),
    [
        ("bytes=0-499", 10000, "0+500"),
        ("bytes=500-999", 10000, "500+500"),
        ("bytes=-500", 10000, "9500+500"),
        ("bytes=9500-", 10000, "9500+500"),
        ("bytes=0-0,-1", 10000, "0+1 9999+1"),
        ("bytes= 0-999, 4500-5499, -1000", 10000, "0+1000 4500+1000 9000+1000"),
        ("bytes=500-600,601-999", 10000, "500+500"),
        ("bytes=500-700,601-999", 10000, "500+500"),
        ("BYTES=0-0", 10, "0+1"),
        ("bytes=0-", 10, "0+10"),
        ("bytes=9-", 10, "9+1"),
        ("bytes=10-", 10, "416"),
        ("bytes=10-20", 10, "416"),
        ("bytes=-0", 10, "416"),
        ("bytes=-0,3-3", 10, "3+1"),
        ("bytes=20-,30-40", 10, "416"),
        ("bytes=20-,3-3", 10, "3+1"),
        ("bytes=5-100", 10, "5+5"),
        ("bytes=-11", 10, "0+10"),
        ("bytes=0-9", 10, "0+10"),
        ("bytes=1-1", 1, "416"),
        ("bytes=0-1\t,\t4-5", 10, "0+2 4+2"),
        ("bytes=,,0-1,,,4-5,", 10, "0+2 4+2"),
        ("bytes=4-5,0-1", 10, "4+2 0+2"),  # in their order
        ("bytes=0007-0008", 10, "7+2"),
        # Overflow.
        ("bytes=0-18446744073709551615", 10, "0+10"),
        ("bytes=0-18446744073709551616", 10, "0+10"),
        ("bytes=0-99999999999999999999999999999999999", 10, "0+10"),
        ("bytes=18446744073709551616-", 10, "416"),
        ("bytes=18446744073709551617-18446744073709551618", 10, "416"),
        ("bytes=-18446744073709551616", 10, "0+10"),
        ("bytes=-99999999999999999999999999", 10, "0+10"),
        ("bytes=9223372036854775805-9223372036854775807", 2**63 - 1, "9223372036854775805+2"),
        ("bytes=9223372036854775807-", 10, "416"),
        # Not of this grammar.
        ("", 10, "ignored"),
        ("bytes", 10, "ignored"),
        ("bytes=", 10, "ignored"),
        ("bytes=,", 10, "ignored"),
        ("bytes=-", 10, "ignored"),
        ("bytes=5", 10, "ignored"),
        ("bytes=5-4", 10, "ignored"),
        ("bytes=0-1,5-4", 10, "ignored"),
        ("bytes=99-98", 10, "ignored"),
        ("bytes=a-b", 10, "ignored"),
        ("bytes=0-1x", 10, "ignored"),
        ("bytes=0-1;4-5", 10, "ignored"),
        ("bytes=0-1 4-5", 10, "ignored"),
        ("bytes=0 - 1", 10, "ignored"),
        ("bytes=--1", 10, "ignored"),
        ("bytes=+1-2", 10, "ignored"),
        ("bytes=0x1-2", 10, "ignored"),
        ("bytes =0-1", 10, "ignored"),
        ("bytes:0-1", 10, "ignored"),
        ("bits=0-1", 10, "ignored"),
        ("items=0-1", 10, "ignored"),
        ("0-1", 10, "ignored"),
        # Nothing to cut.
        ("bytes=0-", 0, "ignored"),
        ("bytes=-5", 0, "ignored"),
        # Overlap, in every order.
        ("bytes=0-,0-,0-,0-", 10, "0+10"),
        ("bytes=0-3,2-5,5-7", 10, "0+8"),
        ("bytes=5-7,0-3,2-5", 10, "0+8"),
        ("bytes=0-1,8-9,2-7", 10, "0+10"),
        ("bytes=0-0,2-2,4-4,1-3", 10, "0+5"),
        ("bytes=8-9,0-0,2-2", 10, "8+2 0+1 2+1"),
        ("bytes=3-3,0-0,1-2", 10, "0+4"),
        ("bytes=0-0,2-2,4-4,6-6,8-8", 9, "0+1 2+1 4+1 6+1 8+1"),
    ],
)
def test_a_field_gets_its_parts(value: str, length: int, wanted: str) -> None:
    assert told(value, length) == wanted


def test_a_range_that_ends_before_it_begins_is_malformed_however_long_its_numbers() -> None:
    for digits in (1, 18, 19, 20):
        begin = 10 ** (digits - 1)
        assert told(f"bytes={begin + 1}-{begin}", 10) == "ignored", digits


def test_a_number_is_what_it_is_without_the_zeros_before_it() -> None:
    zeros = "0" * 100
    assert told(f"bytes={zeros}3-{zeros}5", 10) == "3+3"
    assert told(f"bytes=-{zeros}2", 10) == "8+2"


@pytest.mark.parametrize(
    "value", ["bytes=\u0661-2", "bytes=1-\u00b2", "bytes=1\u20132", "bytes=0-1\n", "bytes=0-1\x0b"]
)
def test_digits_and_spaces_are_those_of_ascii(value: str) -> None:
    assert told(value, 10) == "ignored"


def test_sixteen_ranges_are_answered_and_seventeen_are_not() -> None:
    assert PARTS_MAX == 16
    specs = [f"{number * 10}-{number * 10}" for number in range(16)]
    assert told("bytes=" + ",".join(specs), 1000) == " ".join(f"{number * 10}+1" for number in range(16))
    assert told("bytes=" + ",,".join([*specs, ""]), 1000) == told("bytes=" + ",".join(specs), 1000)
    assert told("bytes=" + ",".join([*specs, "990-"]), 1000) == "ignored"
    assert told("bytes=" + ",".join(["0-"] * 17), 1000) == "ignored"


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("bytes=" + "0-,1-" * 1_000_000, "ignored"),
        ("bytes=" + "," * 5_000_000, "ignored"),
        ("bytes=" + "9" * 5_000_000 + "-", "416"),
        ("bytes=0-" + "9" * 5_000_000, "0+1000"),
        ("bytes=" + "0" * 5_000_000 + "1-", "1+999"),
        ("bytes=" + " " * 5_000_000 + "1-1", "1+1"),
    ],
    ids=["ranges", "commas", "first", "last", "zeros", "spaces"],
)
def test_ranges_in_bulk_are_no_work(value: str, wanted: str) -> None:
    assert told(value, 1000) == wanted


places = st.integers(0, 60)
specs = st.one_of(
    st.tuples(places, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    st.tuples(places, st.none()),
    st.tuples(st.none(), places),
)


def value_of(asked: list[Spec]) -> str:
    return "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)


def octets_of(spec: Spec, length: int) -> set[int]:
    """A plain reading of section 14.1.2."""
    first, last = spec
    if first is None:
        assert last is not None
        return set(range(length)[max(length - last, 0) :])
    return {place for place in range(length) if first <= place and (last is None or place <= last)}


def octets_in(span: Span) -> set[int]:
    return set(range(span.first, span.first + span.octets))


@given(st.lists(specs, min_size=1, max_size=PARTS_MAX), st.integers(1, 50))
def test_whatever_the_ranges_each_octet_is_given_once(asked: list[Spec], length: int) -> None:
    spans = read_ranges(value_of(asked), length)
    assert spans is not None
    given_ = [place for span in spans for place in octets_in(span)]
    assert len(given_) == len(set(given_)) <= length
    assert set(given_) == set().union(*(octets_of(spec, length) for spec in asked))
    assert all(span.octets > 0 for span in spans)


@given(st.lists(specs, min_size=1, max_size=PARTS_MAX), st.integers(1, 50))
def test_no_two_parts_touch_and_they_come_in_the_order_that_was_asked(asked: list[Spec], length: int) -> None:
    spans = read_ranges(value_of(asked), length)
    assert spans is not None
    ends = {span.first + span.octets for span in spans}
    assert ends.isdisjoint(span.first for span in spans)
    wanted = [octets for spec in asked if (octets := octets_of(spec, length))]
    begins = [next(i for i, octets in enumerate(wanted) if octets <= octets_in(span)) for span in spans]
    assert begins == sorted(begins)


@given(st.text("0123456789-, \t=bytes"), st.integers(0, 50))
def test_whatever_is_written_what_is_given_is_in_the_file(text: str, length: int) -> None:
    for value in (text, "bytes=" + text):
        spans = read_ranges(value, length) or []
        given_ = [place for span in spans for place in octets_in(span)]
        assert len(given_) == len(set(given_))
        assert set(given_) <= set(range(length))
