/* Response heads, octet by octet. */
#include "response.h"

#include "check.h"
#include "tinybeam.h"

static response_clock clock_at(int64_t second) {
    response_clock clock = {0};
    response_tick(&clock, second);
    return clock;
}

/* Writes the head into memory of exactly response_head_max octets and compares it. */
static void check_head(response res, const char *expected) {
    const response_clock clock = clock_at(784111777);
    uint8_t head[1024];
    size_t len = (size_t)(response_write_head(head, &clock, &res) - head);
    CHECK(len <= response_head_max(&res));
    CHECK_TEXT(head, len, expected);
}

#define FRAME "\r\nServer: tinybeam\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

static void a_short_answer_has_its_content_type_and_length(void) {
    check_head((response){.status = 200, .kind = TB_KIND_TEXT, .body_len = 3},
               "HTTP/1.1 200 OK" FRAME "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\r\n");
    check_head((response){.status = 200, .kind = TB_KIND_JSON, .body_len = 0},
               "HTTP/1.1 200 OK" FRAME "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n");
    check_head((response){.status = 200, .kind = TB_KIND_BYTES, .body_len = 10},
               "HTTP/1.1 200 OK" FRAME "Content-Type: application/octet-stream\r\nContent-Length: 10\r\n\r\n");
    check_head((response){.status = 200, .kind = TB_KIND_HTML, .body_len = 18446744073709551615u},
               "HTTP/1.1 200 OK" FRAME
               "Content-Type: text/html; charset=utf-8\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

static void a_full_answer_has_its_own_fields(void) {
    const char *fields = "X-A: 1\r\nX-B: 2\r\n";
    check_head(
        (response){.status = 404, .fields = (const uint8_t *)fields, .fields_len = strlen(fields), .body_len = 9},
        "HTTP/1.1 404 Not Found" FRAME "X-A: 1\r\nX-B: 2\r\nContent-Length: 9\r\n\r\n");
}

static void a_status_without_a_known_phrase_keeps_the_space_before_it(void) {
    check_head((response){.status = 299}, "HTTP/1.1 299 " FRAME "Content-Length: 0\r\n\r\n");
}

static void statuses_without_content_have_no_length_of_it(void) {
    check_head((response){.status = 204, .body_len = 5}, "HTTP/1.1 204 No Content" FRAME "\r\n");
    check_head((response){.status = 304, .body_len = 5}, "HTTP/1.1 304 Not Modified" FRAME "\r\n");
    check_head((response){.status = 205, .body_len = 5},
               "HTTP/1.1 205 Reset Content" FRAME "Content-Length: 0\r\n\r\n");
    CHECK(!response_has_body(100) && !response_has_body(204) && !response_has_body(205) && !response_has_body(304));
    CHECK(response_has_body(200) && response_has_body(404) && response_has_body(500));
}

static void the_connection_is_named_where_it_is_not_the_default(void) {
    check_head((response){.status = 204, .connection = RESPONSE_CLOSE},
               "HTTP/1.1 204 No Content" FRAME "Connection: close\r\n\r\n");
    check_head((response){.status = 200, .kind = TB_KIND_TEXT, .connection = RESPONSE_KEEP_ALIVE},
               "HTTP/1.1 200 OK" FRAME
               "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

static void the_date_is_rendered_as_rfc_9110_wants_it(void) {
    static const struct {
        int64_t second;
        const char *date;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4102444799, "Thu, 31 Dec 2099 23:59:59 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const response_clock clock = clock_at(rows[i].second);
        CHECK_TEXT(clock.date, sizeof clock.date, rows[i].date);
    }
}

static void the_ready_heads_follow_the_clock(void) {
    response_clock clock = clock_at(0);
    response_tick(&clock, 1);
    const response res = {.status = 200, .kind = TB_KIND_TEXT, .body_len = 1};
    uint8_t head[512];
    *response_write_head(head, &clock, &res) = '\0';
    CHECK(strstr((const char *)head, "Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n") != NULL);
    clock.date[0] = '?'; /* within the same second nothing is rendered anew */
    response_tick(&clock, 1);
    CHECK_INT(clock.date[0], '?');
    response_tick(&clock, 0); /* a clock that was set back is followed too */
    CHECK_INT(clock.date[0], 'T');
}

static void no_head_is_longer_than_the_bound(void) {
    const response_clock clock = clock_at(784111777);
    uint8_t head[1024];
    for (uint32_t status = 200; status <= 599; status++) {
        const response res = {.status = status, .body_len = SIZE_MAX, .connection = RESPONSE_KEEP_ALIVE};
        CHECK((size_t)(response_write_head(head, &clock, &res) - head) <= response_head_max(&res));
    }
    for (uint32_t kind = 1; kind < RESPONSE_KINDS; kind++) {
        const response res = {.status = 200, .kind = kind, .body_len = SIZE_MAX, .connection = RESPONSE_KEEP_ALIVE};
        CHECK((size_t)(response_write_head(head, &clock, &res) - head) <= response_head_max(&res));
    }
}

int main(void) {
    RUN(a_short_answer_has_its_content_type_and_length);
    RUN(a_full_answer_has_its_own_fields);
    RUN(a_status_without_a_known_phrase_keeps_the_space_before_it);
    RUN(statuses_without_content_have_no_length_of_it);
    RUN(the_connection_is_named_where_it_is_not_the_default);
    RUN(the_date_is_rendered_as_rfc_9110_wants_it);
    RUN(the_ready_heads_follow_the_clock);
    RUN(no_head_is_longer_than_the_bound);
    return check_end();
}
