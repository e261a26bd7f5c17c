/* Field lines (RFC 9112 section 5), each head cut at every octet. */
#include "verdict.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define END "\r\n\r\n"

static const verdict_case cases[] = {
    {"every tchar in a name", OCTETS(GET "!#$%&'*+-.^_`|~09azAZ: v" END), 0},
    {"empty value", OCTETS(GET "X-Empty:" END), 0},
    {"only spaces for a value", OCTETS(GET "X-Empty: \t " END), 0},
    {"tab inside a value", OCTETS(GET "X: a\tb" END), 0},
    {"obs-text", OCTETS(GET "X: \x80\xff" END), 0},
    {"colons in a value", OCTETS(GET "X::a:b" END), 0},
    {"space before the colon", OCTETS(GET "X : b" END), 400},
    {"tab before the colon", OCTETS(GET "X\t: b" END), 400},
    {"space before the colon of Host", OCTETS("GET / HTTP/1.1\r\nHost : a" END), 400},
    {"no colon", OCTETS(GET "NoColon" END), 400},
    {"no colon but a value", OCTETS(GET "X b" END), 400},
    {"no name", OCTETS(GET ": v" END), 400},
    {"only a colon", OCTETS(GET ":" END), 400},
    {"a name in two lines", OCTETS(GET "Transfer-\r\nEncoding: chunked" END), 400},
    {"8-bit octet in a name",
     OCTETS(GET "X\xe9"
                "A: b" END),
     400},
    {"NUL in a name", OCTETS(GET "X\0A: b" END), 400},
    {"VT in a name", OCTETS(GET "X\v: b" END), 400},
    {"VT before a name", OCTETS(GET "\vX: b" END), 400},
    {"parenthesis in a name", OCTETS(GET "X(A: b" END), 400},
    {"backslash in a name", OCTETS(GET "X\\A: b" END), 400},
    {"brace in a name", OCTETS(GET "X{A: b" END), 400},
    {"slash in a name", OCTETS(GET "X/A: b" END), 400},
    {"LF in a name", OCTETS(GET "X\nA: b" END), 400},
    {"LF ends a line", OCTETS(GET "X: a\nY: b" END), 400},
    {"LF ends the section", OCTETS(GET "X: a\r\n\n"), 400},
    {"LF twice", OCTETS(GET "X: a\n\n"), 400},
    {"bare CR in a value", OCTETS(GET "X: a\rb" END), 400},
    {"bare CR before CRLF", OCTETS(GET "X: a\r" END), 400},
    {"bare CR begins a line", OCTETS(GET "\rX: b" END), 400},
    {"bare CR before the colon", OCTETS(GET "X\r: b" END), 400},
    {"CR alone ends lines", OCTETS("GET / HTTP/1.1\r\nHost: a\r\r"), 400},
    {"NUL in a value", OCTETS(GET "X: a\0b" END), 400},
    {"SOH in a value",
     OCTETS(GET "X: a\x01"
                "b" END),
     400},
    {"VT in a value", OCTETS(GET "X: a\vb" END), 400},
    {"FF before a value", OCTETS(GET "X: \fb" END), 400},
    {"ESC in a value",
     OCTETS(GET "X: a\x1b"
                "b" END),
     400},
    {"DEL in a value", OCTETS(GET "X: a\x7f" END), 400},
    {"DEL far into a value", OCTETS(GET "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x7f" END), 400},
    {"obs-fold", OCTETS(GET "X: a\r\n b" END), 400},
    {"obs-fold with a tab", OCTETS(GET "X: a\r\n\tb" END), 400},
    {"obs-fold that is empty", OCTETS(GET "X: a\r\n \r\nY: b" END), 400},
    {"obs-fold of a coding", OCTETS(GET "Transfer-Encoding:\r\n chunked" END), 400},
    {"whitespace before the first line", OCTETS("GET / HTTP/1.1\r\n X: b\r\nHost: a" END), 400},
    {"whitespace for the first line", OCTETS("GET / HTTP/1.1\r\n \r\nHost: a" END), 400},
};

static void a_section_gets_its_verdict_however_it_is_cut(void) {
    VERDICT_CHECK(cases);
}

static void fields_keep_their_order_and_spelling_and_lose_the_space_around(void) {
    static const char head[] = "GET / HTTP/1.1\r\nhOsT:a\r\nX-Tab:\t \tb c\t d \t \r\nX-Tab:\r\nY: \r\nZ:z\r\n\r\nnext";
    static const char *const wanted[][2] = {{"hOsT", "a"}, {"X-Tab", "b c\t d"}, {"X-Tab", ""}, {"Y", ""}, {"Z", "z"}};
    guard buffer = guard_open(256);
    static parser_request request;
    CHECK_INT(verdict_once(&buffer, OCTETS(head), &verdict_limits, &request), sizeof head - 1 - strlen("next"));
    if (CHECK_INT(request.field_count, 5)) {
        for (int i = 0; i < 5; i++) {
            CHECK_TEXT(request.fields[i].name, request.fields[i].name_len, wanted[i][0]);
            CHECK_TEXT(request.fields[i].value, request.fields[i].value_len, wanted[i][1]);
        }
    }
    guard_close(&buffer);
}

static void a_value_of_any_length_is_found_at_every_alignment(void) {
    char head[256];
    guard buffer = guard_open(1024);
    static parser_request request;
    parser_error error;
    for (size_t value_len = 0; value_len < 100; value_len++) {
        size_t len = (size_t)snprintf(head, sizeof head, GET "X: ");
        memset(head + len, 'v', value_len);
        memcpy(head + len + value_len, "\r\n\r\n", 4);
        len += value_len + 4;
        for (size_t offset = 0; offset < 64; offset++) {
            const uint8_t *octets = guard_put_aligned(&buffer, head, len, offset);
            CHECK_INT(parser_next(octets, len, &verdict_limits, &request, &error), len);
            CHECK_INT(request.fields[1].value_len, value_len);
        }
    }
    guard_close(&buffer);
}

/* A head with this many fields, Host among them. */
static size_t head_of_fields(char *head, size_t size, unsigned count) {
    size_t len = (size_t)snprintf(head, size, GET);
    for (unsigned i = 1; i < count; i++) {
        len += (size_t)snprintf(head + len, size - len, "X%03u: y\r\n", i);
    }
    return len + (size_t)snprintf(head + len, size - len, "\r\n");
}

static void as_many_fields_as_the_limit_pass_and_one_more_does_not(void) {
    static char head[65536];
    static parser_request request;
    guard buffer = guard_open(sizeof head);
    for (uint32_t max = 1; max < 40; max += 6) {
        const parser_limits limits = {.request_line_bytes_max = 100, .header_bytes_max = 10000, .fields_max = max};
        size_t len = head_of_fields(head, sizeof head, max);
        CHECK_INT(verdict_of_all_cuts(&buffer, head, len, &limits, &request), len);
        CHECK_INT(request.field_count, max);
        len = head_of_fields(head, sizeof head, max + 1);
        CHECK_INT(verdict_of_all_cuts(&buffer, head, len, &limits, &request), -431);
    }
    guard_close(&buffer);
}

static void a_limit_above_the_array_is_the_array(void) {
    static char head[65536];
    static parser_request request;
    const parser_limits limits = {.request_line_bytes_max = 100, .header_bytes_max = 60000, .fields_max = UINT32_MAX};
    guard buffer = guard_open(sizeof head);
    size_t len = head_of_fields(head, sizeof head, PARSER_FIELDS_MAX);
    CHECK_INT(verdict_once(&buffer, head, len, &limits, &request), len);
    len = head_of_fields(head, sizeof head, PARSER_FIELDS_MAX + 1);
    CHECK_INT(verdict_once(&buffer, head, len, &limits, &request), -431);
    guard_close(&buffer);
}

static void a_section_at_its_limit_passes_and_one_octet_more_does_not(void) {
    static const char line[] = "GET / HTTP/1.1\r\n";
    static const char lines[] = "Host: a\r\nX: 0123456789abcdef0123456789abcdef\r\n";
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nX: 0123456789abcdef0123456789abcdef\r\n\r\nnext request";
    static parser_request request;
    guard buffer = guard_open(256);
    for (uint32_t max = 0; max < sizeof lines + 20; max++) {
        const parser_limits limits = {.request_line_bytes_max = 100, .header_bytes_max = max, .fields_max = 10};
        const ptrdiff_t verdict = verdict_of_all_cuts(&buffer, OCTETS(head), &limits, &request);
        CHECK_INT(verdict, max >= sizeof lines - 1 ? (ptrdiff_t)(sizeof line - 1 + sizeof lines - 1 + 2) : -431);
    }
    guard_close(&buffer);
}

static void a_value_without_an_end_is_refused_at_the_limit(void) {
    static char head[70000];
    static parser_request request;
    guard buffer = guard_open(sizeof head);
    const size_t begin = (size_t)snprintf(head, sizeof head, GET "X: ");
    memset(head + begin, 'a', sizeof head - begin);
    CHECK_INT(verdict_once(&buffer, head, 65536, &verdict_limits, &request), 0);
    CHECK_INT(verdict_once(&buffer, head, sizeof head, &verdict_limits, &request), -431);
    guard_close(&buffer);
}

int main(void) {
    RUN(a_section_gets_its_verdict_however_it_is_cut);
    RUN(fields_keep_their_order_and_spelling_and_lose_the_space_around);
    RUN(a_value_of_any_length_is_found_at_every_alignment);
    RUN(as_many_fields_as_the_limit_pass_and_one_more_does_not);
    RUN(a_limit_above_the_array_is_the_array);
    RUN(a_section_at_its_limit_passes_and_one_octet_more_does_not);
    RUN(a_value_without_an_end_is_refused_at_the_limit);
    return check_end();
}
