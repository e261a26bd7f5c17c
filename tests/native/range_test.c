/* Range fields against a length: the examples of RFC 9110 §14, the mistakes, and the attacks. */
#include "range.h"

#include <stdlib.h>

#include "check.h"
#include "guard.h"

typedef struct range_case {
    const char *value;
    uint64_t length;
    const char *wanted; /* "ignored", "416", or "first+len" for each part */
} range_case;

static const range_case cases[] = {
    {"bytes=0-499", 10000, "0+500"},
    {"bytes=500-999", 10000, "500+500"},
    {"bytes=-500", 10000, "9500+500"},
    {"bytes=9500-", 10000, "9500+500"},
    {"bytes=0-0,-1", 10000, "0+1 9999+1"},
    {"bytes= 0-999, 4500-5499, -1000", 10000, "0+1000 4500+1000 9000+1000"},
    {"bytes=500-600,601-999", 10000, "500+500"},
    {"bytes=500-700,601-999", 10000, "500+500"},
    {"BYTES=0-0", 10, "0+1"},
    {"bytes=0-", 10, "0+10"},
    {"bytes=9-", 10, "9+1"},
    {"bytes=10-", 10, "416"},
    {"bytes=10-20", 10, "416"},
    {"bytes=-0", 10, "416"},
    {"bytes=-0,3-3", 10, "3+1"},
    {"bytes=20-,30-40", 10, "416"},
    {"bytes=20-,3-3", 10, "3+1"},
    {"bytes=5-100", 10, "5+5"},
    {"bytes=-11", 10, "0+10"},
    {"bytes=0-9", 10, "0+10"},
    {"bytes=1-1", 1, "416"},
    {"bytes=0-1\t,\t4-5", 10, "0+2 4+2"},
    {"bytes=,,0-1,,,4-5,", 10, "0+2 4+2"},
    {"bytes=4-5,0-1", 10, "4+2 0+2"}, /* in their order */
    {"bytes=0007-0008", 10, "7+2"},
    /* Overflow. */
    {"bytes=0-18446744073709551615", 10, "0+10"},
    {"bytes=0-18446744073709551616", 10, "0+10"},
    {"bytes=0-99999999999999999999999999999999999", 10, "0+10"},
    {"bytes=18446744073709551616-", 10, "416"},
    {"bytes=18446744073709551617-18446744073709551618", 10, "416"},
    {"bytes=-18446744073709551616", 10, "0+10"},
    {"bytes=-99999999999999999999999999", 10, "0+10"},
    {"bytes=18446744073709551614-18446744073709551615", UINT64_MAX, "18446744073709551614+1"},
    {"bytes=9223372036854775807-", 10, "416"},
    /* Not of this grammar. */
    {"", 10, "ignored"},
    {"bytes", 10, "ignored"},
    {"bytes=", 10, "ignored"},
    {"bytes=,", 10, "ignored"},
    {"bytes=-", 10, "ignored"},
    {"bytes=5", 10, "ignored"},
    {"bytes=5-4", 10, "ignored"},
    {"bytes=0-1,5-4", 10, "ignored"},
    {"bytes=99-98", 10, "ignored"},
    {"bytes=a-b", 10, "ignored"},
    {"bytes=0-1x", 10, "ignored"},
    {"bytes=0-1;4-5", 10, "ignored"},
    {"bytes=0-1 4-5", 10, "ignored"},
    {"bytes=0 - 1", 10, "ignored"},
    {"bytes=--1", 10, "ignored"},
    {"bytes=+1-2", 10, "ignored"},
    {"bytes=0x1-2", 10, "ignored"},
    {"bytes =0-1", 10, "ignored"},
    {"bytes:0-1", 10, "ignored"},
    {"bits=0-1", 10, "ignored"},
    {"items=0-1", 10, "ignored"},
    {"0-1", 10, "ignored"},
    /* Nothing to cut. */
    {"bytes=0-", 0, "ignored"},
    {"bytes=-5", 0, "ignored"},
    /* Overlap, in every order. */
    {"bytes=0-,0-,0-,0-", 10, "0+10"},
    {"bytes=0-3,2-5,5-7", 10, "0+8"},
    {"bytes=5-7,0-3,2-5", 10, "0+8"},
    {"bytes=0-1,8-9,2-7", 10, "0+10"},
    {"bytes=0-0,2-2,4-4,1-3", 10, "0+5"},
    {"bytes=8-9,0-0,2-2", 10, "8+2 0+1 2+1"},
    {"bytes=3-3,0-0,1-2", 10, "0+4"},
    {"bytes=0-0,2-2,4-4,6-6,8-8", 9, "0+1 2+1 4+1 6+1 8+1"},
};

static guard page;

static void check_value(const char *value, size_t len, uint64_t length, const char *wanted) {
    range_set set;
    char got[1024] = "";
    const range_verdict verdict = range_read(guard_put(&page, value, len), len, length, &set);
    if (verdict == RANGE_PARTIAL) {
        size_t at = 0;
        for (uint32_t i = 0; i < set.count; i++) {
            at += (size_t)snprintf(got + at, sizeof got - at, "%s%llu+%llu", i == 0 ? "" : " ",
                                   (unsigned long long)set.parts[i].first, (unsigned long long)set.parts[i].len);
        }
    } else {
        strcpy(got, verdict == RANGE_IGNORED ? "ignored" : "416");
    }
    CHECK_TEXT(got, strlen(got), wanted);
}

static void a_field_gets_its_parts(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_state.subject = cases[i].value;
        check_value(cases[i].value, strlen(cases[i].value), cases[i].length, cases[i].wanted);
    }
}

static void sixteen_ranges_are_answered_and_seventeen_are_not(void) {
    char value[256] = "bytes=", wanted[256] = "";
    for (unsigned i = 0; i < RANGE_PARTS_MAX; i++) {
        sprintf(value + strlen(value), "%s%u-%u", i == 0 ? "" : ",", i * 10, i * 10);
        sprintf(wanted + strlen(wanted), "%s%u+1", i == 0 ? "" : " ", i * 10);
    }
    check_value(value, strlen(value), 1000, wanted);
    strcat(value, ",990-");
    check_value(value, strlen(value), 1000, "ignored");
}

static void ranges_in_bulk_are_ignored_soon(void) {
    enum { LEN = 6 + 5 * 1000000 };
    guard large = guard_open(LEN);
    char *value = malloc(LEN + 1);
    strcpy(value, "bytes=");
    for (size_t at = 6; at < LEN; at += 5) {
        memcpy(value + at, "0-,1-", 5);
    }
    range_set set;
    CHECK_INT(range_read(guard_put(&large, value, LEN), LEN, 1000, &set), RANGE_IGNORED);
    memset(value + 6, ',', LEN - 6);
    CHECK_INT(range_read(guard_put(&large, value, LEN), LEN, 1000, &set), RANGE_IGNORED);
    memset(value + 6, '9', LEN - 6);
    value[LEN - 1] = '-';
    CHECK_INT(range_read(guard_put(&large, value, LEN), LEN, 1000, &set), RANGE_UNSATISFIABLE);
    free(value);
    guard_close(&large);
}

/* Against a plain reading: every octet that is in a valid range is sent, once, and no other. */
static void whatever_the_ranges_each_octet_is_sent_once(void) {
    enum { LENGTH = 40 };
    srand(1);
    for (unsigned round = 0; round < 200000; round++) {
        char value[512] = "bytes=";
        bool asked[LENGTH] = {false};
        const unsigned count = 1 + (unsigned)rand() % RANGE_PARTS_MAX;
        for (unsigned i = 0; i < count; i++) {
            const unsigned first = (unsigned)rand() % LENGTH, last = first + (unsigned)rand() % 4;
            sprintf(value + strlen(value), "%s%u-%u", i == 0 ? "" : ",", first, last);
            for (unsigned k = first; k <= last && k < LENGTH; k++) {
                asked[k] = true;
            }
        }
        range_set set;
        bool good = range_read((const uint8_t *)value, strlen(value), LENGTH, &set) == RANGE_PARTIAL;
        for (uint32_t i = 0; good && i < set.count; i++) {
            for (uint64_t k = set.parts[i].first; k < set.parts[i].first + set.parts[i].len; k++) {
                good = good && k < LENGTH && asked[k];
                asked[k < LENGTH ? k : 0] = false;
            }
            for (uint32_t k = 0; k < i; k++) { /* nor do two touch */
                good = good && (set.parts[i].first > set.parts[k].first + set.parts[k].len ||
                                set.parts[k].first > set.parts[i].first + set.parts[i].len);
            }
        }
        for (unsigned k = 0; good && k < LENGTH; k++) {
            good = !asked[k];
        }
        if (!good) {
            check_state.subject = value;
            CHECK(good);
            return;
        }
    }
}

int main(void) {
    page = guard_open(4096);
    RUN(a_field_gets_its_parts);
    RUN(sixteen_ranges_are_answered_and_seventeen_are_not);
    RUN(ranges_in_bulk_are_ignored_soon);
    RUN(whatever_the_ranges_each_octet_is_sent_once);
    guard_close(&page);
    return check_end();
}
