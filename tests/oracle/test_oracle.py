"""The engine's parser against h11, over connections made up by a seed.

TINYBEAM_ORACLE_CASES sets how many (20,000 otherwise), TINYBEAM_ORACLE_SEED where they begin. A failure names its seed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from compare import Difference, difference, refuses_later, row_of, told_differently
from disagreements import H11, NOBODY, SAME_MEANING, TABLE, WE, Row, document
from generator import Generator
from readings import Message, Ours, Pieces, Reading, read_by_h11

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# With fewer cases than this, not every row may be met.
CASES_TO_MEET_ALL = 20_000
CASES = int(os.environ.get("TINYBEAM_ORACLE_CASES", CASES_TO_MEET_ALL))
SEED = int(os.environ.get("TINYBEAM_ORACLE_SEED", "0"))


def compared(own: Reading, other: Reading, pieces: Pieces) -> tuple[Difference | None, Row | None]:
    """The difference of two readings of these pieces, and the row that explains it."""
    found = difference(own, other, lambda: refuses_later(pieces))
    return found, None if found is None else row_of(found, b"".join(pieces))


def test_every_difference_is_one_that_we_know_of_and_every_one_of_those_is_met(ours: Ours) -> None:
    never = set(TABLE)
    told: set[str] = set()
    whole_requests = 0
    for seed in range(SEED, SEED + CASES):
        generator = Generator(seed)
        octets = generator.connection()
        pieces = generator.pieces(octets)
        own, other = ours.read(pieces), read_by_h11(pieces)
        found, row = compared(own, other, pieces)
        if found is not None:
            assert row is not None, f"seed {seed}: {found}\n{octets!r}\nin pieces of {list(map(len, pieces))} octets"
            never.discard(row)
        else:
            told |= told_differently(own, other)
            whole_requests += len(own.requests)
    if CASES >= CASES_TO_MEET_ALL:
        assert not never, f"no seed comes to {[(row.who, row.why) for row in never]}"
        assert told == set(SAME_MEANING)
        assert whole_requests > CASES / 2, "much of what is made up is read by both, to its end"


def test_however_the_octets_are_cut_the_engine_reads_the_same(ours: Ours) -> None:
    for seed in range(SEED, SEED + CASES):
        generator = Generator(seed)
        octets = generator.connection()
        pieces = generator.pieces(octets)
        whole, cut = ours.read([octets]), ours.read(pieces)
        assert whole == cut, f"seed {seed}: {octets!r}\nin pieces of {list(map(len, pieces))} octets"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.who}: {row.why}")
def test_the_example_of_a_row_shows_it(ours: Ours, row: Row) -> None:
    pieces = [row.example]
    found, explained = compared(ours.read(pieces), read_by_h11(pieces), pieces)
    assert explained is row, found


def test_the_document_is_that_of_the_table() -> None:
    assert (ROOT / "docs" / "h11-differences.md").read_text() == document()


def test_the_same_seed_gives_the_same_connection() -> None:
    def made(seed: int) -> list[bytes]:
        generator = Generator(seed)
        return generator.pieces(generator.connection())

    assert made(7) == made(7)
    assert made(7) != made(8)


ONE = Message(b"GET", b"/", b"1.1", [(b"host", b"a")])
TWO = Message(b"GET", b"/", b"1.1", [(b"host", b"b")])
OLD = Message(b"GET", b"/", b"1.0", [])


@pytest.mark.parametrize(
    ("own", "other", "who"),
    [
        (Reading([ONE], "more", stops=[9]), Reading([ONE], "more"), None),
        (Reading([ONE], "refused", "400 x", stops=[9]), Reading([ONE], "refused", "400 y"), None),
        (Reading([ONE], "refused", "400 x", stops=[9]), Reading([ONE], "more"), WE),
        (Reading([ONE], "refused", "400 x", stops=[9]), Reading([ONE, ONE], "more"), WE),
        (Reading([ONE], "more", stops=[9]), Reading([], "refused", "400 y"), H11),
        (Reading([ONE], "more", stops=[9]), Reading([TWO], "more"), NOBODY),
        (Reading([ONE, ONE], "more", stops=[9, 18]), Reading([ONE], "more"), NOBODY),
        (Reading([], "more", cut_off=ONE), Reading([], "more"), NOBODY),
        (Reading([], "more", cut_off=ONE), Reading([], "more", cut_off=TWO), NOBODY),
        (Reading([ONE], "close", stops=[9]), Reading([ONE], "close"), None),
        (Reading([ONE], "close", stops=[9]), Reading([ONE], "more"), NOBODY),
        (Reading([ONE], "close", stops=[9]), Reading([ONE], "refused", "400 y"), NOBODY),
        (Reading([ONE], "refused", "400 x", stops=[9]), Reading([ONE], "close"), NOBODY),
        (Reading([OLD], "refused", "400 x", stops=[9]), Reading([OLD], "close"), None),
        (Reading([OLD], "close", stops=[9]), Reading([OLD], "more"), NOBODY),
    ],
)
def test_a_difference_is_seen(own: Reading, other: Reading, who: str | None) -> None:
    found = difference(own, other, lambda: False)
    assert (None if found is None else found.who) == who
    if found is not None and found.who == NOBODY:
        assert row_of(found, b"") is None, "no row may excuse it"


@pytest.mark.parametrize(
    ("octets", "later"),
    [
        (b"GET / HTTP/1.1\r\nX Y", True),
        (b"GET / HTTP/1.1\r\nHost: a,b\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r", False),
        (b"GET /|", False),
        (b"GET /\x01", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;", False),
    ],
)
def test_what_h11_waits_for_is_asked_for(octets: bytes, later: bool) -> None:
    assert refuses_later([octets]) is later


def test_a_row_explains_only_what_the_octets_show() -> None:
    found = Difference(WE, "400 bare LF ends a line (RFC 9112 §2.2)")
    assert row_of(found, b"GET / HTTP/1.1\r\nHost: a\n\r\n") is not None
    assert row_of(found, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") is None
