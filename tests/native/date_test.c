/* HTTP-dates: the three forms of RFC 9110 §5.6.7, against the C library's own calendar. */
#include "date.h"

#include <time.h>

#include "check.h"
#include "guard.h"

enum { NOW = 1700000000 }; /* 2023-11-14 */

static guard page;

static bool read_text(const char *text, int64_t now, int64_t *second) {
    return date_read(guard_put(&page, text, strlen(text)), strlen(text), now, second);
}

static void all_three_forms_tell_the_same_second(void) {
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        int64_t second = 0;
        check_state.subject = forms[i];
        CHECK(read_text(forms[i], NOW, &second));
        CHECK_INT(second, 784111777);
    }
}

static void what_is_no_date_is_refused(void) {
    static const char *const texts[] = {
        "",
        "S",
        "Sun",
        "Sun,",
        "Sun, 06 Nov 1994 08:49:37 GM",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
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
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 06 Nov -994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov 06 08:49:37 94",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "784111777",
        "9999999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t second;
        check_state.subject = texts[i];
        CHECK(!read_text(texts[i], NOW, &second));
    }
}

static void the_29th_of_february_and_the_leap_second_are_read(void) {
    int64_t second;
    CHECK(read_text("Thu, 29 Feb 2024 00:00:00 GMT", NOW, &second));
    CHECK_INT(second, 1709164800);
    CHECK(read_text("Tue, 29 Feb 2000 00:00:00 GMT", NOW, &second));
    CHECK_INT(second, 951782400);
    CHECK(read_text("Sat, 31 Dec 2016 23:59:60 GMT", NOW, &second));
    CHECK_INT(second, 1483228800);
}

static void a_year_of_two_digits_is_at_most_fifty_years_ahead(void) {
    int64_t second;
    CHECK(read_text("Sunday, 01-Jan-73 00:00:00 GMT", NOW, &second));
    CHECK_INT(second, 3250454400); /* 2073 */
    CHECK(read_text("Tuesday, 01-Jan-74 00:00:00 GMT", NOW, &second));
    CHECK_INT(second, 126230400); /* 1974 */
    CHECK(read_text("Sunday, 01-Jan-23 00:00:00 GMT", NOW, &second));
    CHECK_INT(second, 1672531200);
    CHECK(read_text("Wednesday, 01-Jan-10 00:00:00 GMT", 4102444800 - 1, &second)); /* at the end of 2099 */
    CHECK_INT(second, 4417977600);                                                  /* 2110 */
}

static void every_day_is_written_as_the_library_does_and_read_back(void) {
    static const int64_t first = -62167219200, last = 253402300799;
    for (int64_t second = first; second <= last; second += 86400 * 29 + 12347) {
        const time_t when = (time_t)second;
        struct tm tm;
        char wanted[64], got[DATE_LEN];
        gmtime_r(&when, &tm);
        strftime(wanted, sizeof wanted, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        if (tm.tm_year + 1900 < 1000) { /* which the library does not pad */
            snprintf(wanted + 12, sizeof wanted - 12, "%04d", tm.tm_year + 1900);
            strftime(wanted + 16, sizeof wanted - 16, " %H:%M:%S GMT", &tm);
        }
        date_write(got, second);
        int64_t back = 0;
        if (memcmp(got, wanted, DATE_LEN) != 0 || !read_text(wanted, NOW, &back) || back != second) {
            CHECK_TEXT(got, DATE_LEN, wanted);
            CHECK_INT(back, second);
            return;
        }
    }
}

static void what_no_date_can_tell_becomes_the_first_or_the_last(void) {
    char got[DATE_LEN];
    date_write(got, INT64_MIN);
    CHECK_TEXT(got, DATE_LEN, "Sat, 01 Jan 0000 00:00:00 GMT");
    date_write(got, INT64_MAX);
    CHECK_TEXT(got, DATE_LEN, "Fri, 31 Dec 9999 23:59:59 GMT");
    date_write(got, -1);
    CHECK_TEXT(got, DATE_LEN, "Wed, 31 Dec 1969 23:59:59 GMT");
}

int main(void) {
    page = guard_open(4096);
    RUN(all_three_forms_tell_the_same_second);
    RUN(what_is_no_date_is_refused);
    RUN(the_29th_of_february_and_the_leap_second_are_read);
    RUN(a_year_of_two_digits_is_at_most_fifty_years_ahead);
    RUN(every_day_is_written_as_the_library_does_and_read_back);
    RUN(what_no_date_can_tell_becomes_the_first_or_the_last);
    guard_close(&page);
    return check_end();
}
