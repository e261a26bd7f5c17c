"""HTTP-dates: the three forms of RFC 9110 section 5.6.7, against Python's own calendar."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.files.date import read_date, write_date

NOW = 1_700_000_000  # 2023-11-14
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MONTHS = calendar.month_abbr[1:]
FIRST = calendar.timegm((1, 1, 1, 0, 0, 0))
LAST = calendar.timegm((9999, 12, 31, 23, 59, 59))
seconds = st.integers(FIRST, LAST)


def at(second: int) -> datetime:
    return EPOCH + timedelta(seconds=second)


def clock_of(when: datetime) -> str:
    return f"{when.hour:02}:{when.minute:02}:{when.second:02}"


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_all_three_forms_tell_the_same_second(text: str) -> None:
    assert read_date(text, NOW) == 784111777


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S",
        "Sun",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 08:49:37 GMT\n",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 NOV 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:00:61 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun, 06 Nov 199\N{ARABIC-INDIC DIGIT FOUR} 08:49:37 GMT",
        "784111777",
        "9999999999999999999999999999999999",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    assert read_date(text, NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Fri, 30 Feb 2024 00:00:00 GMT",
        "Friday, 30-Feb-24 00:00:00 GMT",
        "Fri Feb 30 00:00:00 2024",
        "Sun Nov  0 08:49:37 1994",
        "Sun, 99 Dec 1994 08:49:37 GMT",
    ],
)
def test_a_day_that_is_in_no_calendar_is_refused(text: str) -> None:
    assert read_date(text, NOW) is None


@given(st.integers(1, 9999), st.integers(1, 12), st.integers(0, 40))
def test_a_day_is_read_if_the_calendar_has_it(year: int, month: int, day: int) -> None:
    exists = 1 <= day <= calendar.monthrange(year, month)[1]
    text = f"Mon, {day:02} {MONTHS[month - 1]} {year:04} 01:02:03 GMT"
    assert read_date(text, NOW) == (calendar.timegm((year, month, day, 1, 2, 3)) if exists else None)


@pytest.mark.parametrize(
    ("text", "second"),
    [
        ("Thu, 29 Feb 2024 00:00:00 GMT", 1709164800),
        ("Tue, 29 Feb 2000 00:00:00 GMT", 951782400),
        ("Sat, 31 Dec 2016 23:59:60 GMT", 1483228800),
    ],
)
def test_the_29th_of_february_and_the_leap_second_are_read(text: str, second: int) -> None:
    assert read_date(text, NOW) == second


@pytest.mark.parametrize("day", ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
def test_the_day_of_the_week_need_not_be_right_but_one(day: str) -> None:
    whole = {"Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Sat": "Saturday"}.get(day, f"{day}day")
    assert read_date(f"{day}, 06 Nov 1994 08:49:37 GMT", NOW) == 784111777
    assert read_date(f"{whole}, 06-Nov-94 08:49:37 GMT", NOW) == 784111777


@pytest.mark.parametrize(
    ("text", "now", "second"),
    [
        ("Sunday, 01-Jan-73 00:00:00 GMT", NOW, 3250454400),  # 2073
        ("Tuesday, 01-Jan-74 00:00:00 GMT", NOW, 126230400),  # 1974
        ("Sunday, 01-Jan-23 00:00:00 GMT", NOW, 1672531200),
        ("Wednesday, 01-Jan-10 00:00:00 GMT", 4102444800 - 1, 4417977600),  # 2110, at the end of 2099
    ],
)
def test_a_year_of_two_digits_is_at_most_fifty_years_ahead(text: str, now: int, second: int) -> None:
    assert read_date(text, now) == second


@given(seconds)
def test_every_second_is_written_as_the_calendar_does_and_read_back(second: int) -> None:
    when = at(second)
    day = calendar.day_abbr[when.weekday()]
    wanted = f"{day}, {when.day:02} {MONTHS[when.month - 1]} {when.year:04} {clock_of(when)} GMT"
    assert write_date(second) == wanted
    assert read_date(wanted, NOW) == second


@given(seconds)
def test_what_asctime_writes_is_read(second: int) -> None:
    when = at(second)
    day = calendar.day_abbr[when.weekday()]
    text = f"{day} {MONTHS[when.month - 1]} {when.day:2} {clock_of(when)} {when.year:04}"
    assert read_date(text, NOW) == second


@given(st.integers(0, 4_102_444_800), st.integers(-49, 50), st.integers(1, 12), st.integers(1, 28))
def test_two_digits_are_read_as_the_year_that_is_near(now: int, years: int, month: int, day: int) -> None:
    when = datetime(at(now).year + years, month, day, 12, tzinfo=UTC)
    text = f"{calendar.day_name[when.weekday()]}, {day:02}-{MONTHS[month - 1]}-{when.year % 100:02} 12:00:00 GMT"
    assert read_date(text, now) == (when - EPOCH).total_seconds()


@given(st.text(max_size=40))
def test_whatever_else_it_is_reading_it_raises_nothing(text: str) -> None:
    second = read_date(text, NOW)
    assert second is None or read_date(write_date(second), NOW) == second


def test_what_no_date_can_tell_becomes_the_first_or_the_last() -> None:
    # Python's calendar begins a year after that of the native engine.
    assert write_date(-(2**63)) == write_date(FIRST) == "Mon, 01 Jan 0001 00:00:00 GMT"
    assert write_date(2**63 - 1) == write_date(LAST) == "Fri, 31 Dec 9999 23:59:59 GMT"
    assert write_date(-1) == "Wed, 31 Dec 1969 23:59:59 GMT"
    assert read_date("Sat, 01 Jan 0000 00:00:00 GMT", NOW) is None
