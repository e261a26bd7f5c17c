"""HTTP-dates (RFC 9110 section 5.6.7).

Owns:  the grammar of the three forms.
Knows: that names of days and months are case-sensitive, and that 60 is a leap second.
Never: takes a date that is in no calendar, such as 30 Feb.
"""

from __future__ import annotations

import datetime
import re
import time
from email.utils import formatdate
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK: Final = r"(?P<H>[01]\d|2[0-3]):(?P<M>[0-5]\d):(?P<S>[0-5]\d|60)"
_MONTH: Final = rf"(?P<b>{'|'.join(_MONTHS)})"
_DAY: Final = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_WHOLE_DAY: Final = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_FORMS: Final = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"{_DAY}, (?P<d>\d\d) {_MONTH} (?P<Y>\d{{4}}) {_CLOCK} GMT",  # IMF-fixdate
        rf"{_WHOLE_DAY}, (?P<d>\d\d)-{_MONTH}-(?P<y>\d\d) {_CLOCK} GMT",  # rfc850-date
        rf"{_DAY} {_MONTH} (?P<d>[ \d]\d) {_CLOCK} (?P<Y>\d{{4}})",  # asctime-date
    )
)
_AHEAD_YEARS: Final = 50
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
# What four digits can say, in seconds.
_SECOND_MIN: Final = (datetime.date.min.toordinal() - _EPOCH) * 86_400
_SECOND_MAX: Final = (datetime.date.max.toordinal() - _EPOCH + 1) * 86_400 - 1


def read_date(text: str, now: float) -> int | None:
    """Seconds since 1970; None for what is no date. `now` tells which century two digits mean.

    >>> [read_date(one, 0) for one in ("Thu, 01 Jan 1970 00:01:00 GMT", "Thursday, 01-Jan-70 00:01:00 GMT", "soon")]
    [60, 60, None]
    """
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            part = found.groupdict()
            year = int(part["Y"]) if "Y" in part else _year_near(int(part["y"]), now)
            try:
                day = datetime.date(year, _MONTHS.index(part["b"]) + 1, int(part["d"]))
            except ValueError:
                return None
            clock = int(part["H"]) * 3600 + int(part["M"]) * 60 + int(part["S"])
            return (day.toordinal() - _EPOCH) * 86_400 + clock
    return None


def write_date(second: int) -> str:
    """As Last-Modified has it.

    >>> write_date(0)
    'Thu, 01 Jan 1970 00:00:00 GMT'
    """
    return formatdate(min(max(second, _SECOND_MIN), _SECOND_MAX), usegmt=True)


def _year_near(digits: int, now: float) -> int:
    """The latest year with these two digits that is at most so many years ahead."""
    last = time.gmtime(now).tm_year + _AHEAD_YEARS
    return last - (last - digits) % 100
