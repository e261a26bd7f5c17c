/* Which lines of a head ask something of a file. */
#include "asked.h"

#include <stdlib.h>

#include "asking.h"
#include "guard.h"

static const char *value_of(const parser_field *line) {
    static char value[64];
    snprintf(value, sizeof value, "%.*s", line == NULL ? 4 : (int)line->value_len,
             line == NULL ? "NULL" : (const char *)line->value);
    return value;
}

static void each_field_is_found_in_any_letter_case(void) {
    const asked *want = asking_for("HEAD", "ACCEPT-encoding: 1\r\nIf-Match: 2\r\nif-none-match: 3\r\n"
                                           "If-Modified-SINCE: 4\r\nIf-Unmodified-Since: 5\r\nIf-Range: 6\r\n"
                                           "RANGE: 7\r\nReferer: x\r\nIf-Matcx: y\r\n");
    CHECK(want->head);
    for (unsigned name = 0; name < ASKED_NAMES; name++) {
        const char wanted[2] = {(char)('1' + name), '\0'};
        const parser_field *line = asked_next(want, (asked_name)name, NULL);
        CHECK_INT(strcmp(value_of(line), wanted), 0);
        CHECK_INT(want->count[name], 1);
        CHECK(asked_single(want, (asked_name)name) == line);
        CHECK(asked_next(want, (asked_name)name, line) == NULL);
    }
}

static void a_request_without_them_asks_for_nothing(void) {
    const asked *want = asking_for("GET", "Accept: */*\r\nX-Range: 1\r\n");
    CHECK(!want->head);
    for (unsigned name = 0; name < ASKED_NAMES; name++) {
        CHECK(asked_next(want, (asked_name)name, NULL) == NULL);
        CHECK(asked_single(want, (asked_name)name) == NULL);
    }
}

static void lines_of_a_name_come_in_their_order_and_are_no_single_value(void) {
    const asked *want =
        asking_for("GET", "If-Match: 1\r\nRange: x\r\nif-match: 2\r\nIf-None-Match: y\r\nIF-MATCH: 3\r\n");
    const parser_field *line = NULL;
    for (char wanted[2] = "1"; wanted[0] <= '3'; wanted[0]++) {
        line = asked_next(want, ASKED_IF_MATCH, line);
        CHECK_INT(strcmp(value_of(line), wanted), 0);
    }
    CHECK(asked_next(want, ASKED_IF_MATCH, line) == NULL);
    CHECK(asked_single(want, ASKED_IF_MATCH) == NULL);
}

static void a_million_lines_are_gone_through_once(void) {
    enum { LINES = 1000000 };
    parser_field *fields = calloc(LINES, sizeof *fields);
    for (uint32_t i = 0; i < LINES; i++) {
        fields[i] = (parser_field){.name = (const uint8_t *)(i % 2 ? "if-none-match" : "if-match"),
                                   .name_len = i % 2 ? 13 : 8,
                                   .value = (const uint8_t *)"\"a\"",
                                   .value_len = 3};
    }
    asked want;
    asked_init(&want, fields, LINES, false);
    uint32_t count = 0;
    for (const parser_field *line = NULL; (line = asked_next(&want, ASKED_IF_NONE_MATCH, line)) != NULL;) {
        count++;
    }
    CHECK_INT(count, LINES / 2);
    free(fields);
}

static void the_lines_of_a_record_are_read_alike(void) {
    static const char *const odd[] = {"", "\n", "\n\n\n", "range", "range:", ":", "\n:x\n", "\nrange:1", "x:y"};
    guard page = guard_open(4096);
    parser_field room[3];
    asked want;
    static const char block[] = "\nhost:a\nif-match:1\naccept-encoding:\nif-match:a:b\nrange:too many\n";
    asked_read(&want, guard_put(&page, block, sizeof block - 1), sizeof block - 1, room, 3, true);
    CHECK(want.head);
    const parser_field *line = asked_next(&want, ASKED_IF_MATCH, NULL);
    CHECK_INT(strcmp(value_of(line), "1"), 0);
    CHECK_INT(strcmp(value_of(asked_next(&want, ASKED_IF_MATCH, line)), "a:b"), 0);
    CHECK_INT(strcmp(value_of(asked_single(&want, ASKED_ACCEPT_ENCODING)), ""), 0);
    CHECK_INT(want.count[ASKED_RANGE], 0); /* there was no room */
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        const size_t len = strlen(odd[i]);
        asked_read(&want, guard_put(&page, odd[i], len), len, room, 3, false);
        CHECK_INT(want.field_count, strstr(odd[i], "range:") != NULL);
    }
    asked_read(&want, NULL, 0, room, 3, false);
    CHECK_INT(want.field_count, 0);
    guard_close(&page);
}

int main(void) {
    RUN(each_field_is_found_in_any_letter_case);
    RUN(a_request_without_them_asks_for_nothing);
    RUN(lines_of_a_name_come_in_their_order_and_are_no_single_value);
    RUN(a_million_lines_are_gone_through_once);
    RUN(the_lines_of_a_record_are_read_alike);
    return check_end();
}
