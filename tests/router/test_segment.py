"""The kinds of parameter take exactly what they say."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.router.segment import CONVERTERS, to_float, to_int, to_str, to_uuid

CANONICAL = "123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize("segment", ["a", "0", " ", "a/b", "é", "..", "{x}"])
def test_a_str_is_any_segment_that_is_not_empty(segment: str) -> None:
    assert to_str(segment) == segment
    assert to_str("") is None


@pytest.mark.parametrize(
    ("segment", "number"),
    [("0", 0), ("-0", 0), ("42", 42), ("-42", -42), ("007", 7), ("9" * 19, 10**19 - 1), ("-" + "9" * 19, 1 - 10**19)],
)
def test_an_int_is_up_to_19_digits_with_a_sign_or_without(segment: str, number: int) -> None:
    assert to_int(segment) == number


@pytest.mark.parametrize(
    "segment",
    ["", "-", "--1", "+1", "1.0", "1e3", " 1", "1 ", "1\n", "-1\n", "1_0", "0x1", "²", "٤٢", "-٤", "a", "1a", "9" * 20]
    + ["0" * 20, "-" + "9" * 20, "-" * 9000, "-" * 9000 + "1", "9" * 9000],
)
def test_nothing_else_is_an_int(segment: str) -> None:
    assert to_int(segment) is None


@pytest.mark.parametrize(
    ("segment", "number"),
    [("0", 0.0), ("2.5", 2.5), ("-2.50", -2.5), ("42", 42.0), ("0.00012345678901234567", 0.00012345678901234567)],
)
def test_a_float_is_a_finite_decimal(segment: str, number: float) -> None:
    assert to_float(segment) == number
    assert isinstance(to_float(segment), float)


@pytest.mark.parametrize(
    "segment",
    ["", ".5", "5.", "1e5", "nan", "inf", "-inf", "+1.0", "1_0.0", "1.0\n", "٤.٢", "1.2.3", "1" * 400, "0." + "1" * 41],
)
def test_nothing_else_is_a_float(segment: str) -> None:
    assert to_float(segment) is None


@pytest.mark.parametrize("segment", [CANONICAL, CANONICAL.upper()])
def test_a_uuid_is_its_canonical_form_in_either_case(segment: str) -> None:
    assert to_uuid(segment) == UUID(CANONICAL)


@pytest.mark.parametrize(
    "segment",
    [
        "",
        CANONICAL.replace("-", ""),
        f"{{{CANONICAL}}}",
        f"urn:uuid:{CANONICAL}",
        CANONICAL[:-1],
        CANONICAL + "0",
        CANONICAL + "\n",
    ]
    + ["123e4567e-89b-12d3-a456-426614174000", CANONICAL.replace("a", "g"), CANONICAL.replace("1", "١")],
)
def test_nothing_else_is_a_uuid(segment: str) -> None:
    assert to_uuid(segment) is None


@given(st.integers(-(10**19) + 1, 10**19 - 1))
def test_every_int_in_range_comes_back(number: int) -> None:
    assert to_int(str(number)) == number


@given(st.text())
def test_no_converter_ever_raises(segment: str) -> None:
    for convert in CONVERTERS.values():
        convert(segment)
