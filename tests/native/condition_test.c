/* Preconditions, in the order and with the comparisons of RFC 9110 §13. */
#include "condition.h"

#include <stdlib.h>

#include "asking.h"
#include "guard.h"

#define TAG "\"17-a\""
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define THEN "Sun, 06 Nov 1994 08:49:37 GMT" /* when the file was modified */
#define AFTER "Sun, 06 Nov 1994 08:49:38 GMT"

enum { MODIFIED = 784111777 };

static const condition_validators have = {
    .etag = (const uint8_t *)TAG, .etag_len = sizeof TAG - 1, .modified = MODIFIED, .now = MODIFIED + 1000};

typedef struct condition_case {
    const char *lines;
    uint32_t status;
    bool ranged;
} condition_case;

static const condition_case cases[] = {
    {"", 200, false},
    {"Range: bytes=0-1\r\n", 200, true},
    /* If-None-Match */
    {"If-None-Match: " TAG "\r\n", 304, false},
    {"If-None-Match: W/" TAG "\r\n", 304, false}, /* weak comparison */
    {"If-None-Match: \"x\"\r\n", 200, false},
    {"If-None-Match: \"x\", \"y,z\" ,W/\"w\"," TAG "\r\n", 304, false},
    {"If-None-Match: ,,\t,\"x\",, " TAG ",\r\n", 304, false},
    {"If-None-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 304, false},
    {"If-None-Match: *\r\n", 304, false},
    {"If-None-Match: *\r\nIf-None-Match: \"x\"\r\n", 200, false}, /* malformed */
    {"If-None-Match: \"x\", *\r\n", 200, false},
    {"If-None-Match: **\r\n", 200, false},
    {"If-None-Match:\r\n", 200, false},
    {"If-None-Match: 17-a\r\n", 200, false},
    {"If-None-Match: \"17-a\r\n", 200, false},
    {"If-None-Match: 17-a\"\r\n", 200, false},
    {"If-None-Match: \"\r\n", 200, false},
    {"If-None-Match: W/\r\n", 200, false},
    {"If-None-Match: W\r\n", 200, false},
    {"If-None-Match: w/" TAG "\r\n", 200, false}, /* "W/" is case-sensitive */
    {"If-None-Match: W/ " TAG "\r\n", 200, false},
    {"If-None-Match: \"17-A\"\r\n", 200, false},
    {"If-None-Match: \"17-a-gzip\"\r\n", 200, false},
    {"If-None-Match: \"x\" " TAG "\r\n", 200, false}, /* no comma */
    {"If-None-Match: x, " TAG "\r\n", 200, false},
    {"If-None-Match: \"x\"" TAG "\r\n", 200, false},
    {"If-None-Match: \"x," TAG "\r\n", 200, false},
    {"If-None-Match: " TAG "\r\nRange: bytes=0-1\r\n", 304, false},
    {"If-None-Match: \"x\"\r\nRange: bytes=0-1\r\n", 200, true},
    /* If-Modified-Since */
    {"If-Modified-Since: " THEN "\r\n", 304, false},
    {"If-Modified-Since: " AFTER "\r\n", 304, false},
    {"If-Modified-Since: " BEFORE "\r\n", 200, false},
    {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n", 304, false},
    {"If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n", 304, false},
    {"If-Modified-Since: " THEN "; length=5\r\n", 200, false},
    {"If-Modified-Since: yesterday\r\n", 200, false},
    {"If-Modified-Since:\r\n", 200, false},
    {"If-Modified-Since: " THEN "\r\nIf-Modified-Since: " THEN "\r\n", 200, false},
    {"If-Modified-Since: " THEN "\r\nIf-None-Match: \"x\"\r\n", 200, false}, /* the tag has spoken */
    {"If-Modified-Since: " BEFORE "\r\nIf-None-Match: " TAG "\r\n", 304, false},
    {"If-Modified-Since: " THEN "\r\nIf-None-Match: x\r\n", 200, false},
    /* If-Match */
    {"If-Match: " TAG "\r\n", 200, false},
    {"If-Match: *\r\n", 200, false},
    {"If-Match: \"x\", " TAG "\r\n", 200, false},
    {"If-Match: W/" TAG "\r\n", 412, false}, /* strong comparison */
    {"If-Match: \"x\"\r\n", 412, false},
    {"If-Match: x\r\n", 412, false},
    {"If-Match:\r\n", 412, false},
    {"If-Match: " TAG "\r\nIf-None-Match: " TAG "\r\n", 304, false},
    {"If-Match: \"x\"\r\nIf-None-Match: " TAG "\r\n", 412, false},
    {"If-Match: " TAG "\r\nRange: bytes=0-1\r\n", 200, true},
    {"If-Match: \"x\"\r\nRange: bytes=0-1\r\n", 412, false},
    /* If-Unmodified-Since */
    {"If-Unmodified-Since: " THEN "\r\n", 200, false},
    {"If-Unmodified-Since: " AFTER "\r\n", 200, false},
    {"If-Unmodified-Since: " BEFORE "\r\n", 412, false},
    {"If-Unmodified-Since: never\r\n", 200, false},
    {"If-Unmodified-Since: " BEFORE "\r\nIf-Unmodified-Since: " BEFORE "\r\n", 200, false},
    {"If-Unmodified-Since: " BEFORE "\r\nIf-Match: " TAG "\r\n", 200, false},
    {"If-Unmodified-Since: " THEN "\r\nIf-Modified-Since: " THEN "\r\n", 304, false},
    {"If-Unmodified-Since: " THEN "\r\nIf-None-Match: " TAG "\r\n", 304, false},
    /* If-Range */
    {"If-Range: " TAG "\r\nRange: bytes=0-1\r\n", 200, true},
    {"If-Range: W/" TAG "\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: \"x\"\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: " TAG "\r\n", 200, false},
    {"If-Range: \"x\"\r\n", 200, false},
    {"If-Range: " TAG ", \"x\"\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: *\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range:\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: " THEN "\r\nRange: bytes=0-1\r\n", 200, true},
    {"If-Range: " AFTER "\r\nRange: bytes=0-1\r\n", 200, false}, /* it has to be the same date */
    {"If-Range: " BEFORE "\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: Wed, 06 Nov 1994 08:49:37 GMT\r\nRange: bytes=0-1\r\n", 200, true}, /* begins like a weak tag */
    {"If-Range: " TAG "\r\nIf-Range: " TAG "\r\nRange: bytes=0-1\r\n", 200, false},
    {"If-Range: " TAG "\r\nIf-None-Match: " TAG "\r\nRange: bytes=0-1\r\n", 304, false},
};

static void each_request_gets_its_status(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ranged;
        check_state.subject = cases[i].lines;
        CHECK_INT(condition_status(asking_for("GET", cases[i].lines), &have, &ranged), cases[i].status);
        CHECK_INT(ranged, cases[i].ranged);
        CHECK_INT(condition_status(asking_for("HEAD", cases[i].lines), &have, &ranged), cases[i].status);
        CHECK(!ranged);
    }
}

static void a_date_is_no_proof_while_its_second_lasts(void) {
    condition_validators fresh = have;
    bool ranged;
    fresh.now = MODIFIED;
    condition_status(asking_for("GET", "If-Range: " THEN "\r\nRange: bytes=0-1\r\n"), &fresh, &ranged);
    CHECK(!ranged);
    fresh.now = MODIFIED + 1;
    condition_status(asking_for("GET", "If-Range: " THEN "\r\nRange: bytes=0-1\r\n"), &fresh, &ranged);
    CHECK(ranged);
}

/* One line with these octets again and again, and nothing readable behind it. */
static uint32_t status_of_many(const char *part, const char *last) {
    enum { COUNT = 1000000 };
    const size_t part_len = strlen(part), len = part_len * COUNT + strlen(last);
    guard page = guard_open(len);
    char *value = malloc(len + 1);
    for (size_t i = 0; i < COUNT; i++) {
        memcpy(value + i * part_len, part, part_len);
    }
    strcpy(value + part_len * COUNT, last);
    const parser_field field = {.name = (const uint8_t *)"if-none-match",
                                .name_len = 13,
                                .value = guard_put(&page, value, len),
                                .value_len = (uint32_t)len};
    asked want;
    bool ranged;
    asked_init(&want, &field, 1, false);
    const uint32_t status = condition_status(&want, &have, &ranged);
    free(value);
    guard_close(&page);
    return status;
}

static void a_list_of_a_million_entries_is_gone_through_once(void) {
    CHECK_INT(status_of_many("\"x\",", TAG), 304);
    CHECK_INT(status_of_many("\"x\",", "\"y\""), 200);
    CHECK_INT(status_of_many("W/\"\",", "W/" TAG), 304);
    CHECK_INT(status_of_many(",", TAG), 304);
    CHECK_INT(status_of_many("\"", ""), 200);
    CHECK_INT(status_of_many("W/", TAG), 200);
    CHECK_INT(status_of_many("\"x", ""), 200);
}

static void a_million_lines_are_gone_through_once(void) {
    enum { LINES = 1000000 };
    parser_field *fields = calloc(LINES, sizeof *fields);
    for (uint32_t i = 0; i < LINES; i++) {
        const char *value = i == LINES - 1 ? TAG : "\"x\"";
        fields[i] = (parser_field){.name = (const uint8_t *)"If-None-Match",
                                   .name_len = 13,
                                   .value = (const uint8_t *)value,
                                   .value_len = (uint32_t)strlen(value)};
    }
    asked want;
    bool ranged;
    asked_init(&want, fields, LINES, false);
    CHECK_INT(condition_status(&want, &have, &ranged), 304);
    free(fields);
}

int main(void) {
    RUN(each_request_gets_its_status);
    RUN(a_date_is_no_proof_while_its_second_lasts);
    RUN(a_list_of_a_million_entries_is_gone_through_once);
    RUN(a_million_lines_are_gone_through_once);
    return check_end();
}
