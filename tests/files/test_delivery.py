"""What a request for a file gets: every status, its fields, and the segments of its body."""

from __future__ import annotations

import os
import re

import pytest

from tinybeam.files import Asked
from tinybeam.files.asset import Asset, describe
from tinybeam.files.delivery import Delivery, deliver
from tinybeam.files.ranges import PARTS_MAX, Span

NOW = 1_700_000_000
LENGTH = 100
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ETAG = '"ae1b981bc490a05-64"'
LASTING = f"ETag: {ETAG}\r\nLast-Modified: {DATE}\r\n"
RANGES = LASTING + "Accept-Ranges: bytes\r\n"
KIND = "Content-Type: text/plain; charset=utf-8\r\n"
WHOLE = RANGES + KIND


def file_of(length: int) -> Asset:
    stat = os.stat_result((0,) * 6 + (length,) + (0,) * 3, {"st_mtime_ns": 784111777 * 10**9 + 5})
    return describe(stat, "a.txt", NOW)


def delivered(lines: str = "", length: int = LENGTH, *, head: bool = False) -> Delivery:
    plan = deliver(Asked.read(f"\n{lines}\n".encode(), head=head), file_of(length), NOW)
    for segment in plan.segments:
        assert isinstance(segment, bytes) or 0 <= segment.first < segment.first + segment.octets <= length
    return plan


def body(plan: Delivery) -> bytes:
    """As it goes on the wire, of a file of which octet n is the last digit of n."""
    octets = b"".join(
        one if isinstance(one, bytes) else bytes(48 + n % 10 for n in range(one.first, one.first + one.octets))
        for one in plan.segments
    )
    assert len(octets) == plan.length
    return octets


def test_a_get_gets_the_whole_file() -> None:
    assert delivered() == Delivery(200, WHOLE, (Span(0, LENGTH),))
    assert delivered().length == LENGTH
    assert delivered(length=1 << 60).length == 1 << 60


def test_a_head_is_told_the_same() -> None:
    plan = delivered("range:bytes=0-1", head=True)
    assert (plan.status, plan.fields, plan.length) == (200, WHOLE, LENGTH)
    assert delivered(f"if-none-match:{ETAG}", head=True) == Delivery(304, LASTING)


def test_an_empty_file_has_no_segments() -> None:
    for lines in ("", "range:bytes=0-", "range:bytes=-1"):
        plan = delivered(lines, 0)
        assert (plan.status, plan.segments, plan.length) == (200, (), 0)


@pytest.mark.parametrize(
    ("value", "span", "said", "octets"),
    [
        ("98-", Span(98, 2), "98-99/100", b"89"),
        ("0-5,3-9", Span(0, 10), "0-9/100", b"0123456789"),  # which are one
        ("5-5,300-", Span(5, 1), "5-5/100", b"5"),  # of which one is there
        ("-3", Span(97, 3), "97-99/100", b"789"),
        ("99-99", Span(99, 1), "99-99/100", b"9"),
    ],
)
def test_one_range_is_a_part(value: str, span: Span, said: str, octets: bytes) -> None:
    plan = delivered(f"range:bytes={value}")
    assert plan == Delivery(206, WHOLE + f"Content-Range: bytes {said}\r\n", (span,))
    assert body(plan) == octets


def test_all_of_a_file_by_a_range_is_a_part_too() -> None:
    assert delivered("range:bytes=0-") == Delivery(206, WHOLE + "Content-Range: bytes 0-99/100\r\n", (Span(0, LENGTH),))


def test_many_ranges_are_parts_in_frames() -> None:
    plan = delivered("range:bytes=0-2,10-10,-1")
    fields = re.fullmatch(RANGES + "Content-Type: multipart/byteranges; boundary=([0-9a-f]{16})\r\n", plan.fields)
    assert fields is not None
    frames = [
        f"--{fields[1]}\r\n{KIND}Content-Range: bytes {said}/100\r\n\r\n{octets}\r\n"
        for said, octets in (("0-2", "012"), ("10-10", "0"), ("99-99", "9"))
    ]
    assert plan.status == 206
    assert body(plan).decode() == "".join(frames) + f"--{fields[1]}--\r\n"
    assert [one for one in plan.segments if isinstance(one, Span)] == [Span(0, 3), Span(10, 1), Span(99, 1)]


def test_no_two_answers_have_the_same_boundary() -> None:
    assert len({delivered("range:bytes=0-0,9-9").fields for _ in range(100)}) == 100


def test_the_most_parts_of_the_longest_file_are_answered() -> None:
    first = 9_000_000_000_000_000_000
    specs = ",".join(f"{first + n * 10}-{first + n * 10 + 1}" for n in range(PARTS_MAX))
    plan = delivered(f"range:bytes={specs}", 2**63 - 1)
    assert plan.status == 206
    assert len(plan.segments) == 2 * PARTS_MAX + 1
    assert plan.length == sum(len(one) if isinstance(one, bytes) else 2 for one in plan.segments)


@pytest.mark.parametrize("value", ["100-", "100-200", "-0", "200-,300-"])
def test_ranges_beyond_the_end_are_told_the_length(value: str) -> None:
    refused = Delivery(416, "Accept-Ranges: bytes\r\nContent-Range: bytes */100\r\n")
    assert delivered(f"range:bytes={value}") == refused
    assert refused.length == 0


@pytest.mark.parametrize(
    "lines",
    [
        "range:bytes=5-4",
        "range:items=0-1",
        "range:bytes=0-1\nrange:bytes=3-4",
        'range:bytes=0-1\nif-range:"other"',
        'range:bytes=200-\nif-range:"other"',
        "range:",
    ],
)
def test_ranges_that_do_not_count_get_the_whole_file(lines: str) -> None:
    assert delivered(lines) == Delivery(200, WHOLE, (Span(0, LENGTH),))


def test_preconditions_come_before_ranges() -> None:
    assert delivered(f"if-none-match:{ETAG}\nrange:bytes=200-") == Delivery(304, LASTING)
    # Which no cache may keep for as long as the file.
    assert delivered('if-match:"other"\nrange:bytes=0-1') == Delivery(412, "")
    assert delivered(f"if-range:{ETAG}\nrange:bytes=0-1").status == 206
    assert delivered(f"if-modified-since:{DATE}") == Delivery(304, LASTING)
    assert delivered(f"if-unmodified-since:{DATE}").status == 200


def test_what_varies_says_so_in_a_304_and_its_coding_only_with_octets() -> None:
    stat = os.stat_result((0,) * 6 + (LENGTH,) + (0,) * 3, {"st_mtime_ns": 784111777 * 10**9 + 5})
    file = describe(stat, "a.txt", NOW, coding="gzip", negotiated=True)
    known = deliver(Asked([("if-none-match", file.etag)]), file, NOW)
    assert (known.status, known.fields) == (304, "Vary: Accept-Encoding\r\n" + LASTING.replace('-64"', '-64-gzip"'))
    for value in ("bytes=0-1", "bytes=0-0,9-9"):
        part = deliver(Asked([("range", value)]), file, NOW)
        assert (part.status, part.fields.count("Content-Encoding: gzip\r\n")) == (206, 1)


def test_a_file_of_this_very_second_is_no_part_by_its_date() -> None:
    asked = Asked([("if-range", DATE), ("range", "bytes=0-1")])
    assert deliver(asked, file_of(LENGTH), 784111777).status == 200
    assert deliver(asked, file_of(LENGTH), 784111778).status == 206
