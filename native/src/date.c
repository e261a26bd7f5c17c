/* HTTP-dates; see date.h.
 *
 * Owns:  the grammar of each form as a pattern, and the arithmetic of the calendar.
 * Knows: that names of days and months are case-sensitive (RFC 9110 §5.6.7).
 * Never: takes a date that is in no calendar, such as 30 Feb.
 */
#include "date.h"

#include <string.h>

enum {
    DATE_DAY_SECONDS = 86400,
    DATE_YEAR_MAX = 9999,
    DATE_EPOCH = 719528, /* days from 1 Jan 0 to 1 Jan 1970 */
    DATE_CYCLE_YEARS = 400,
    DATE_CYCLE_DAYS = 146097,
    DATE_AHEAD_YEARS = 50,
};

static const char date_days[7][10] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char date_months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const uint16_t date_month_starts[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};

typedef struct date_parts {
    int64_t year;
    unsigned month; /* from 0 */
    unsigned day;   /* from 1 */
    unsigned hour;
    unsigned minute;
    unsigned second;
} date_parts;

static bool date_is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1 Jan 0 to the first of the month. */
static int64_t date_days_before(int64_t year, unsigned month) {
    const int64_t leaps = (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
    return 365 * year + leaps + date_month_starts[month] + (month > 1 && date_is_leap(year));
}

static int64_t date_year_of(int64_t days) {
    int64_t year = days * DATE_CYCLE_YEARS / DATE_CYCLE_DAYS; /* right, or one too many or too few */
    while (date_days_before(year, 0) > days) {
        year--;
    }
    while (date_days_before(year + 1, 0) <= days) {
        year++;
    }
    return year;
}

/* Seconds in whole days, rounded down also before 1970. */
static int64_t date_days_of(int64_t second) {
    return second / DATE_DAY_SECONDS - (second % DATE_DAY_SECONDS < 0);
}

/* So many digits. */
static const uint8_t *date_on_digits(const uint8_t *at, const uint8_t *stop, unsigned count, unsigned *number) {
    *number = 0;
    for (; count > 0; at++, count--) {
        if (at == stop || *at < '0' || *at > '9') {
            return NULL;
        }
        *number = *number * 10 + (unsigned)(*at - '0');
    }
    return at;
}

static const uint8_t *date_on_day_name(const uint8_t *at, const uint8_t *stop, bool whole) {
    for (unsigned i = 0; i < 7; i++) {
        const size_t len = whole ? strlen(date_days[i]) : 3;
        if ((size_t)(stop - at) >= len && memcmp(at, date_days[i], len) == 0) {
            return at + len;
        }
    }
    return NULL;
}

static const uint8_t *date_on_month(const uint8_t *at, const uint8_t *stop, unsigned *month) {
    for (unsigned i = 0; i < 12; i++) {
        if (stop - at >= 3 && memcmp(at, date_months[i], 3) == 0) {
            *month = i;
            return at + 3;
        }
    }
    return NULL;
}

/* The latest year with these two digits that is at most so many years ahead. */
static int64_t date_year_near(unsigned digits, int64_t now) {
    const int64_t last = date_year_of(date_days_of(now) + DATE_EPOCH) + DATE_AHEAD_YEARS;
    return last - (last - (int64_t)digits) % 100;
}

static const uint8_t *date_on_part(char kind, const uint8_t *at, const uint8_t *stop, int64_t now, date_parts *parts) {
    unsigned number = 0;
    switch (kind) {
    case 'a':
    case 'A':
        return date_on_day_name(at, stop, kind == 'A');
    case 'b':
        return date_on_month(at, stop, &parts->month);
    case 'e': /* two places, of which the first may be a space */
        return at < stop && *at == ' ' ? date_on_digits(at + 1, stop, 1, &parts->day)
                                       : date_on_digits(at, stop, 2, &parts->day);
    case 'd':
        return date_on_digits(at, stop, 2, &parts->day);
    case 'H':
        return date_on_digits(at, stop, 2, &parts->hour);
    case 'M':
        return date_on_digits(at, stop, 2, &parts->minute);
    case 'S':
        return date_on_digits(at, stop, 2, &parts->second);
    case 'y':
        at = date_on_digits(at, stop, 2, &number);
        parts->year = date_year_near(number, now);
        return at;
    default: /* 'Y' */
        at = date_on_digits(at, stop, 4, &number);
        parts->year = number;
        return at;
    }
}

/* Whether the octets are what the pattern says: "%" and a kind for a part, and all else itself. */
static bool date_matches(const uint8_t *at, const uint8_t *stop, const char *pattern, int64_t now, date_parts *parts) {
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '%') {
            at = date_on_part(*++pattern, at, stop, now, parts);
        } else {
            at = at < stop && *at == (uint8_t)*pattern ? at + 1 : NULL;
        }
        if (at == NULL) {
            return false;
        }
    }
    return at == stop;
}

/* Whether the calendar and the clock have it; 60 is a leap second. */
static bool date_exists(const date_parts *parts) {
    const unsigned days = (unsigned)(date_month_starts[parts->month + 1] - date_month_starts[parts->month]) +
                          (parts->month == 1 && date_is_leap(parts->year));
    return parts->day >= 1 && parts->day <= days && parts->hour < 24 && parts->minute < 60 && parts->second <= 60;
}

bool date_read(const uint8_t *octets, size_t len, int64_t now, int64_t *second) {
    const uint8_t *stop = octets + len;
    date_parts parts = {0};
    if (len < 4) {
        return false;
    }
    const char *pattern = octets[3] == ','   ? "%a, %d %b %Y %H:%M:%S GMT"  /* IMF-fixdate */
                          : octets[3] == ' ' ? "%a %b %e %H:%M:%S %Y"       /* asctime-date */
                                             : "%A, %d-%b-%y %H:%M:%S GMT"; /* rfc850-date */
    if (!date_matches(octets, stop, pattern, now, &parts) || !date_exists(&parts)) {
        return false;
    }
    const int64_t days = date_days_before(parts.year, parts.month) + (int64_t)parts.day - 1 - DATE_EPOCH;
    *second = days * DATE_DAY_SECONDS + (int64_t)parts.hour * 3600 + (int64_t)parts.minute * 60 + (int64_t)parts.second;
    return true;
}

static char *date_write_text(char *at, const char *text, size_t len) {
    memcpy(at, text, len);
    return at + len;
}

static char *date_write_digits(char *at, uint64_t number, unsigned count) {
    for (unsigned i = count; i > 0; i--) {
        at[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return at + count;
}

void date_write(char *into, int64_t second) {
    const int64_t first = -(int64_t)DATE_EPOCH * DATE_DAY_SECONDS;
    const int64_t last = (date_days_before(DATE_YEAR_MAX + 1, 0) - DATE_EPOCH) * DATE_DAY_SECONDS - 1;
    second = second < first ? first : second > last ? last : second;
    const int64_t days = date_days_of(second) + DATE_EPOCH;
    const uint64_t clock = (uint64_t)(second - (days - DATE_EPOCH) * DATE_DAY_SECONDS);
    const int64_t year = date_year_of(days);
    unsigned month = 11;
    while (date_days_before(year, month) > days) {
        month--;
    }
    char *at = date_write_text(into, date_days[(days + 6) % 7], 3); /* 1 Jan 0 was a Saturday */
    at = date_write_text(at, ", ", 2);
    at = date_write_digits(at, (uint64_t)(days - date_days_before(year, month)) + 1, 2);
    *at++ = ' ';
    at = date_write_text(at, date_months[month], 3);
    *at++ = ' ';
    at = date_write_digits(at, (uint64_t)year, 4);
    *at++ = ' ';
    at = date_write_digits(at, clock / 3600, 2);
    *at++ = ':';
    at = date_write_digits(at, clock / 60 % 60, 2);
    *at++ = ':';
    at = date_write_digits(at, clock % 60, 2);
    date_write_text(at, " GMT", 4);
}
