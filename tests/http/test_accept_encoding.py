"""Accept-Encoding: what is read of it, and which coding that comes to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.http.accept_encoding import Choice, choose

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("gzip", "gzip"),
        ("GZip", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),  # what browsers send
        ("gzip, deflate, br", "br"),
        ("gzip,br", "br"),
        ("br;q=0.9, gzip", "gzip"),
        ("br; q=1.000 ,\tgzip;q=0.999", "br"),
        ("gzip;Q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.000", None),
        ("*", "zstd"),
        ("*;q=0", None),
        ("zstd;q=0, *", "br"),
        ("*;q=0.5, gzip", "gzip"),
        ("deflate, compress, exi", None),
        ("identity", None),
        ("identity, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", "gzip"),
        ("identity;q=0.5, gzip;q=0.8", "gzip"),
        ("gzip;q=0, gzip", None),
        ("gzip, gzip;q=0", None),
        ("gzip, x-gzip;q=0", None),
    ],
)
def test_what_the_client_likes_best_is_chosen_and_we_decide_ties(accepted: str | None, coding: str | None) -> None:
    assert choose(accepted, ALL) == Choice(coding)


@pytest.mark.parametrize("accepted", ["gzip, identity;q=0", "gzip;q=0.1, identity;q=0.0", "gzip, *;q=0"])
def test_a_client_that_refuses_what_has_no_coding_is_known(accepted: str) -> None:
    assert choose(accepted, ALL) == Choice("gzip", required="identity" in accepted or "*" in accepted)


def test_a_client_that_refuses_all_we_have_gets_none() -> None:
    assert choose("identity;q=0", ALL) == Choice(None)
    assert choose("deflate, *;q=0", ALL) == Choice(None)


@pytest.mark.parametrize(
    "element",
    ["gzip;q=2", "gzip;q=-1", "gzip;q=0.1234", "gzip;q=", "gzip;level=9", "gzip;q=1;x", "gz ip", ";q=1", "gzip;q=.5"],
)
def test_an_element_that_cannot_be_read_counts_for_nothing(element: str) -> None:
    assert choose(element, ALL) == Choice(None)
    assert choose(f"{element}, , br;q=0.3,", ALL) == Choice("br")


def test_the_star_speaks_for_what_has_no_coding_too() -> None:
    assert choose("*, gzip;q=0.5", ("gzip",)) == Choice(None)
    assert choose("*;q=0.5, gzip", ("gzip",)) == Choice("gzip")
    assert choose("*, gzip;q=0.5, identity;q=0.1", ("gzip",)) == Choice("gzip")


def test_only_what_is_offered_is_chosen() -> None:
    assert choose("zstd, br;q=0.5", ("gzip", "br")) == Choice("br")
    assert choose("zstd", ("gzip",)) == Choice(None)


def test_a_long_field_is_read_as_a_short_one() -> None:
    assert choose("a, " * 5000 + "gzip", ALL) == Choice("gzip")


@given(st.text(alphabet="gzipbr*d;q=0.19, \tx", max_size=60))
def test_no_text_is_an_error_and_no_coding_is_made_up(accepted: str) -> None:
    chosen = choose(accepted, ALL)
    assert chosen.coding is None or chosen.coding in accepted or "*" in accepted


weights = st.sampled_from(["", ";q=0", ";q=0.3", ";q=0.7", ";q=1"])


@given(st.dictionaries(st.sampled_from([*ALL, "*", "identity", "exi"]), weights))
def test_no_offer_is_liked_better_than_what_is_chosen(liked: dict[str, str]) -> None:
    chosen = choose(", ".join(f"{name}{weight}" for name, weight in liked.items()), ALL).coding
    of = {name: float(weight[3:] or 1) for name, weight in liked.items()}
    offers = [of.get(name, of.get("*", 0)) for name in ALL]
    if chosen is None:
        assert max(offers) == 0 or of.get("identity", of.get("*", 0)) > max(offers)
    else:
        assert offers[ALL.index(chosen)] == max(offers) > 0
        assert max(offers) not in offers[: ALL.index(chosen)]
