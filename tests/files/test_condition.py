"""Preconditions, in the order and with the comparisons of RFC 9110 section 13."""

from __future__ import annotations

import pytest

from tinybeam.files import Asked
from tinybeam.files.condition import Judged, Validators, judge

BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
THEN = "Sun, 06 Nov 1994 08:49:37 GMT"  # when the file was modified
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"
MODIFIED = 784111777
TAG = '"17-a"'
HAVE = Validators(TAG, MODIFIED, MODIFIED + 1000)
MANY = 1_000_000


def judged(lines: str, have: Validators = HAVE, *, head: bool = False) -> Judged:
    return judge(Asked.read(f"\n{lines}\n".encode("latin-1"), head=head), have)


# The table of tests/native/condition_test.c.
@pytest.mark.parametrize(
    ("lines", "status", "ranged"),
    [
        ("", 200, False),
        ("range:bytes=0-1", 200, True),
        # If-None-Match
        ('if-none-match:"17-a"', 304, False),
        ('if-none-match:W/"17-a"', 304, False),  # weak comparison
        ('if-none-match:"x"', 200, False),
        ('if-none-match:"x", "y,z" ,W/"w","17-a"', 304, False),
        ('if-none-match:,,\t,"x",, "17-a",', 304, False),
        ('if-none-match:"x"\nif-none-match:"17-a"', 304, False),
        ("if-none-match:*", 304, False),
        ('if-none-match:*\nif-none-match:"x"', 200, False),  # malformed
        ('if-none-match:"x", *', 200, False),
        ("if-none-match:**", 200, False),
        ("if-none-match:", 200, False),
        ("if-none-match:17-a", 200, False),
        ('if-none-match:"17-a', 200, False),
        ('if-none-match:17-a"', 200, False),
        ('if-none-match:"', 200, False),
        ("if-none-match:W/", 200, False),
        ("if-none-match:W", 200, False),
        ('if-none-match:w/"17-a"', 200, False),  # "W/" is case-sensitive
        ('if-none-match:W/ "17-a"', 200, False),
        ('if-none-match:"17-A"', 200, False),
        ('if-none-match:"17-a-gzip"', 200, False),
        ('if-none-match:"x" "17-a"', 200, False),  # no comma
        ('if-none-match:x, "17-a"', 200, False),
        ('if-none-match:"x""17-a"', 200, False),
        ('if-none-match:"x,"17-a"', 200, False),
        ('if-none-match:"17-a"\nrange:bytes=0-1', 304, False),
        ('if-none-match:"x"\nrange:bytes=0-1', 200, True),
        # If-Modified-Since
        (f"if-modified-since:{THEN}", 304, False),
        (f"if-modified-since:{AFTER}", 304, False),
        (f"if-modified-since:{BEFORE}", 200, False),
        ("if-modified-since:Sunday, 06-Nov-94 08:49:37 GMT", 304, False),
        ("if-modified-since:Sun Nov  6 08:49:37 1994", 304, False),
        (f"if-modified-since:{THEN}; length=5", 200, False),
        ("if-modified-since:yesterday", 200, False),
        ("if-modified-since:", 200, False),
        (f"if-modified-since:{THEN}\nif-modified-since:{THEN}", 200, False),
        (f'if-modified-since:{THEN}\nif-none-match:"x"', 200, False),  # the tag has spoken
        (f'if-modified-since:{BEFORE}\nif-none-match:"17-a"', 304, False),
        (f"if-modified-since:{THEN}\nif-none-match:x", 200, False),
        # If-Match
        ('if-match:"17-a"', 200, False),
        ("if-match:*", 200, False),
        ('if-match:"x", "17-a"', 200, False),
        ('if-match:W/"17-a"', 412, False),  # strong comparison
        ('if-match:"x"', 412, False),
        ("if-match:x", 412, False),
        ("if-match:", 412, False),
        ('if-match:"17-a"\nif-none-match:"17-a"', 304, False),
        ('if-match:"x"\nif-none-match:"17-a"', 412, False),
        ('if-match:"17-a"\nrange:bytes=0-1', 200, True),
        ('if-match:"x"\nrange:bytes=0-1', 412, False),
        # If-Unmodified-Since
        (f"if-unmodified-since:{THEN}", 200, False),
        (f"if-unmodified-since:{AFTER}", 200, False),
        (f"if-unmodified-since:{BEFORE}", 412, False),
        ("if-unmodified-since:never", 200, False),
        (f"if-unmodified-since:{BEFORE}\nif-unmodified-since:{BEFORE}", 200, False),
        (f'if-unmodified-since:{BEFORE}\nif-match:"17-a"', 200, False),
        (f"if-unmodified-since:{THEN}\nif-modified-since:{THEN}", 304, False),
        (f'if-unmodified-since:{THEN}\nif-none-match:"17-a"', 304, False),
        # If-Range
        ('if-range:"17-a"\nrange:bytes=0-1', 200, True),
        ('if-range:W/"17-a"\nrange:bytes=0-1', 200, False),
        ('if-range:"x"\nrange:bytes=0-1', 200, False),
        ('if-range:"17-a"', 200, False),
        ('if-range:"x"', 200, False),
        ('if-range:"17-a", "x"\nrange:bytes=0-1', 200, False),
        ("if-range:*\nrange:bytes=0-1", 200, False),
        ("if-range:\nrange:bytes=0-1", 200, False),
        (f"if-range:{THEN}\nrange:bytes=0-1", 200, True),
        (f"if-range:{AFTER}\nrange:bytes=0-1", 200, False),  # it has to be the same date
        (f"if-range:{BEFORE}\nrange:bytes=0-1", 200, False),
        ("if-range:Wed, 06 Nov 1994 08:49:37 GMT\nrange:bytes=0-1", 200, True),  # begins like a weak tag
        ('if-range:"17-a"\nif-range:"17-a"\nrange:bytes=0-1', 200, False),
        ('if-range:"17-a"\nif-none-match:"17-a"\nrange:bytes=0-1', 304, False),
    ],
)
def test_each_request_gets_its_status(lines: str, status: int, ranged: bool) -> None:
    assert judged(lines) == Judged(status, ranged)
    assert judged(lines, head=True) == Judged(status, ranged=False)


@pytest.mark.parametrize("now", [MODIFIED, MODIFIED + 0.999, MODIFIED + 1, MODIFIED + 1.5])
def test_a_date_is_no_proof_while_its_second_lasts(now: float) -> None:
    fresh = HAVE._replace(now=now)
    assert judged(f"if-range:{THEN}\nrange:bytes=0-1", fresh).ranged == (now >= MODIFIED + 1)
    assert judged(f"if-range:{TAG}\nrange:bytes=0-1", fresh).ranged


@pytest.mark.parametrize("tag", ['""', '"a b"', '"a,b"', '"\xff"', '"W/"', '"*"'])
def test_a_tag_is_whatever_stands_between_its_quotes(tag: str) -> None:
    have = HAVE._replace(etag=tag)
    assert judged(f'if-none-match:"x",{tag}', have).status == 304
    assert judged(f"if-match:{tag}", have).status == 200
    assert judged(f"if-range:{tag}\nrange:bytes=0-1", have).ranged
    assert judged(f'if-match:"x{tag[1:]}', have).status == 412


def test_what_comes_before_a_malformed_tag_counts_and_so_does_the_next_line() -> None:
    assert judged(f"if-none-match:{TAG}, x").status == 304
    assert judged(f"if-none-match:x\nif-none-match:{TAG}").status == 304
    assert judged(f"if-match:x\nif-match:{TAG}").status == 200


def test_a_year_of_two_digits_is_read_as_of_now() -> None:
    line = "if-modified-since:Sunday, 06-Nov-94 08:49:37 GMT"
    assert judged(line).status == 304
    assert judged(line, HAVE._replace(now=MODIFIED - 60 * 365 * 86400)).status == 200  # it is 1894 then
    later = HAVE._replace(modified=1_920_000_000, now=1_920_001_000)
    assert judged("if-range:Monday, 04-Nov-30 05:20:00 GMT\nrange:bytes=0-1", later).ranged


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ('"x",' * MANY + TAG, 304),
        ('"x",' * MANY + '"y"', 200),
        ('W/"",' * MANY + "W/" + TAG, 304),
        ("," * MANY + TAG, 304),
        (" " * MANY + TAG, 304),
        ('"' * MANY, 200),
        ("W/" * MANY + TAG, 200),
        ('"x' * MANY, 200),
    ],
    ids=["tags", "others", "weak", "commas", "spaces", "quotes", "prefixes", "unended"],
)
def test_a_list_of_a_million_entries_is_gone_through_once(value: str, status: int) -> None:
    assert judged(f"if-none-match:{value}").status == status


def test_a_million_lines_are_gone_through_once() -> None:
    assert judged('if-none-match:"x"\n' * MANY + f"if-none-match:{TAG}").status == 304
