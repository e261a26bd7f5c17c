/* The request line, its limits, how early the parser refuses, and mutated heads whole against cut. */
#include "verdict.h"

#define REST "\r\nHost: a\r\n\r\n"

static const verdict_case line_cases[] = {
    {"plain", OCTETS("GET / HTTP/1.1" REST), 0},
    {"one empty line before", OCTETS("\r\nGET / HTTP/1.1" REST), 0},
    {"two empty lines before", OCTETS("\r\n\r\nGET / HTTP/1.1" REST), 0},
    {"three empty lines before", OCTETS("\r\n\r\n\r\nGET / HTTP/1.1" REST), 400},
    {"LF before", OCTETS("\nGET / HTTP/1.1" REST), 400},
    {"bare CR before", OCTETS("\rGET / HTTP/1.1" REST), 400},
    {"space before", OCTETS(" GET / HTTP/1.1" REST), 400},
    {"NUL before", OCTETS("\0GET / HTTP/1.1" REST), 400},
    {"empty method", OCTETS(" / HTTP/1.1" REST), 400},
    {"any token is a method", OCTETS("BREW / HTTP/1.1" REST), 0},
    {"every tchar in a method", OCTETS("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1" REST), 0},
    {"32 octets of method", OCTETS("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF / HTTP/1.1" REST), 0},
    {"33 octets of method", OCTETS("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1" REST), 501},
    {"32 octets of method and a bad one", OCTETS("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF( / HTTP/1.1" REST), 400},
    {"parenthesis in the method", OCTETS("G(T / HTTP/1.1" REST), 400},
    {"8-bit octet in the method", OCTETS("G\xc9T / HTTP/1.1" REST), 400},
    {"tab after the method", OCTETS("GET\t/ HTTP/1.1" REST), 400},
    {"VT after the method", OCTETS("GET\v/ HTTP/1.1" REST), 400},
    {"CR after the method", OCTETS("GET\r/ HTTP/1.1" REST), 400},
    {"only a method", OCTETS("GET\r\nHost: a\r\n\r\n"), 400},
    {"no version", OCTETS("GET /\r\nHost: a\r\n\r\n"), 400},
    {"no target", OCTETS("GET HTTP/1.1" REST), 400},
    {"two spaces after the method", OCTETS("GET  / HTTP/1.1" REST), 400},
    {"two spaces after the target", OCTETS("GET /  HTTP/1.1" REST), 400},
    {"space after the version", OCTETS("GET / HTTP/1.1 " REST), 400},
    {"four words", OCTETS("GET / HTTP/1.1 HTTP/1.1" REST), 400},
    {"junk before", OCTETS("Extra lineGET / HTTP/1.1" REST), 400},
    {"LF ends the line", OCTETS("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
    {"bare CR ends the line", OCTETS("GET / HTTP/1.1\rHost: a\r\r"), 400},
    {"two CRs end the line", OCTETS("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400},
};

static const verdict_case version_cases[] = {
    {"1.0", OCTETS("GET / HTTP/1.0\r\n\r\n"), 0},
    {"1.1", OCTETS("GET / HTTP/1.1" REST), 0},
    {"1.2 counts as 1.1", OCTETS("GET / HTTP/1.2" REST), 0},
    {"1.9 counts as 1.1", OCTETS("GET / HTTP/1.9" REST), 0},
    {"1.2 needs a Host too", OCTETS("GET / HTTP/1.2\r\n\r\n"), 400},
    {"2.0", OCTETS("GET / HTTP/2.0" REST), 505},
    {"0.9", OCTETS("GET / HTTP/0.9" REST), 505},
    {"9.1", OCTETS("GET / HTTP/9.1" REST), 505},
    {"lower case", OCTETS("GET / http/1.1" REST), 400},
    {"no slash", OCTETS("GET / HTTP 1.1" REST), 400},
    {"comma", OCTETS("GET / HTTP/1,1" REST), 400},
    {"space inside", OCTETS("GET / HTTP/ 1.1" REST), 400},
    {"two digits of minor", OCTETS("GET / HTTP/1.10" REST), 400},
    {"two digits of major", OCTETS("GET / HTTP/11.1" REST), 400},
    {"leading zero", OCTETS("GET / HTTP/01.1" REST), 400},
    {"2^32 + 1", OCTETS("GET / HTTP/4294967297.1" REST), 400},
    {"no minor", OCTETS("GET / HTTP/1" REST), 400},
    {"empty minor", OCTETS("GET / HTTP/1." REST), 400},
    {"sign", OCTETS("GET / HTTP/1.-1" REST), 400},
    {"letter", OCTETS("GET / HTTP/1.a" REST), 400},
    {"suffix", OCTETS("GET / HTTP/1.1abc" REST), 400},
    {"NUL after", OCTETS("GET / HTTP/1.1\0" REST), 400},
    {"CR inside", OCTETS("GET / HTTP/\r1.1" REST), 400},
    {"another protocol", OCTETS("GET / ICY/1.1" REST), 400},
};

static void a_request_line_gets_its_verdict_however_it_is_cut(void) {
    VERDICT_CHECK(line_cases);
}
static void a_version_gets_its_verdict_however_it_is_cut(void) {
    VERDICT_CHECK(version_cases);
}

static void a_method_is_known_by_its_exact_name(void) {
    static const struct {
        const char *method;
        parser_method id;
    } methods[] = {
        {"GET", PARSER_METHOD_GET},         {"HEAD", PARSER_METHOD_HEAD},   {"POST", PARSER_METHOD_POST},
        {"PUT", PARSER_METHOD_PUT},         {"PATCH", PARSER_METHOD_PATCH}, {"DELETE", PARSER_METHOD_DELETE},
        {"OPTIONS", PARSER_METHOD_OPTIONS}, {"TRACE", PARSER_METHOD_TRACE}, {"get", PARSER_METHOD_OTHER},
        {"GETS", PARSER_METHOD_OTHER},      {"GE", PARSER_METHOD_OTHER},    {"OPTIONSX", PARSER_METHOD_OTHER},
    };
    guard buffer = guard_open(256);
    static parser_request request;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char head[64];
        const int len = snprintf(head, sizeof head, "%s / HTTP/1.1" REST, methods[i].method);
        check_state.subject = methods[i].method;
        CHECK_INT(verdict_once(&buffer, head, (size_t)len, &verdict_limits, &request), len);
        CHECK_INT(request.method_id, methods[i].id);
        CHECK_TEXT(request.method, request.method_len, methods[i].method);
    }
    CHECK(verdict_once(&buffer, OCTETS("CONNECT a:1 HTTP/1.0\r\n\r\n"), &verdict_limits, &request) > 0);
    CHECK_INT(request.method_id, PARSER_METHOD_CONNECT);
    CHECK_INT(request.minor_version, 0);
    CHECK(verdict_once(&buffer, OCTETS("GET / HTTP/1.7" REST), &verdict_limits, &request) > 0);
    CHECK_INT(request.minor_version, 1);
    guard_close(&buffer);
}

static void what_is_not_http_is_refused_by_its_first_wrong_octet(void) {
    static const struct {
        const char *name;
        const char *octets;
        size_t len; /* with fewer octets the parser still waits */
    } cases[] = {
        {"TLS", OCTETS("\x16")},
        {"SSH", OCTETS("SSH-2.0-OpenSSH_9.2\r")},
        {"Redis", OCTETS("*1\r")},
        {"UTF-16", OCTETS("\xff")},
        {"a response", OCTETS("HTTP/")},
        {"HTTP/0.9", OCTETS("GET /\r")},
        {"PROXY protocol", OCTETS("PROXY T")},
        {"PROXY protocol 2", OCTETS("\r\n\r\n\0")},
        {"HTTP/2", OCTETS("PRI *")},
        {"GET of another scheme", OCTETS("GET f")},
        {"bare LF after the line", OCTETS("GET / HTTP/1.1\n")},
        {"bare LF after a field", OCTETS("GET / HTTP/1.1\r\nHost: a\n")},
        {"obs-fold", OCTETS("GET / HTTP/1.1\r\nHost: a\r\n ")},
        {"an illegal octet in a method", OCTETS("G(")},
        {"an illegal octet in a name", OCTETS("GET / HTTP/1.1\r\nX(")},
        {"an illegal octet in a value", OCTETS("GET / HTTP/1.1\r\nX: a\x01")},
        {"a second Host", OCTETS("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n")},
        {"a bad length", OCTETS("GET / HTTP/1.1\r\nContent-Length: x\r\n")},
    };
    guard buffer = guard_open(256);
    static parser_request request;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_state.subject = cases[i].name;
        CHECK_INT(verdict_once(&buffer, cases[i].octets, cases[i].len - 1, &verdict_limits, &request), 0);
        CHECK_INT(verdict_once(&buffer, cases[i].octets, cases[i].len, &verdict_limits, &request), -400);
    }
    guard_close(&buffer);
}

static void a_refusal_says_what_is_wrong(void) {
    static const char *const cases[][2] = {
        {"GET /a#b HTTP/1.1" REST, "fragment"},
        {"GET /a\\b HTTP/1.1" REST, "an octet that no target may have"},
        {"GET /%4x HTTP/1.1" REST, "two hex digits"},
        {"GET http://u@a/ HTTP/1.1" REST, "user information"},
        {"GET http://a:b/ HTTP/1.1" REST, "host or port"},
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "does not end with a version"},
        {"GET / HTTP/1.1\r\n X: y" REST, "begins with whitespace"},
        {"GET / HTTP/1.1\r\nX : y" REST, "between field name and colon"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", "bare LF"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "bare LF"},
        {"GET / HTTP/1.1\r\nX\n" REST, "no colon"},
        {"GET / HTTP/1.1\r\nX" REST, "no colon"},
        {"GET / HTTP/1.1\r\nX(: y" REST, "not a token"},
        {"GET / HTTP/1.1\r\nX: \x01" REST, "control character"},
        {"GET / HTTP/1.1\r\nX: y\rz" REST, "bare CR"},
    };
    static parser_request request;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parser_error error = {0};
        check_state.subject = cases[i][1];
        CHECK_INT(parser_next((const uint8_t *)cases[i][0], strlen(cases[i][0]), &verdict_limits, &request, &error),
                  -1);
        CHECK(error.reason != NULL && strstr(error.reason, cases[i][1]) != NULL);
    }
}

static void no_octets_and_empty_lines_alone_are_not_yet_a_request(void) {
    guard buffer = guard_open(256);
    static parser_request request;
    CHECK_INT(verdict_once(&buffer, "", 0, &verdict_limits, &request), 0);
    CHECK_INT(verdict_of_all_cuts(&buffer, OCTETS("\r\n"), &verdict_limits, &request), 0);
    CHECK_INT(verdict_of_all_cuts(&buffer, OCTETS("\r\n\r\n"), &verdict_limits, &request), 0);
    guard_close(&buffer);
}

static void a_line_at_its_limit_passes_and_one_octet_more_does_not(void) {
    static const char line[] = "GET /0123456789?abcdef HTTP/1.1";
    static const char head[] = "\r\nGET /0123456789?abcdef HTTP/1.1" REST "next request";
    static parser_request request;
    guard buffer = guard_open(256);
    for (uint32_t max = 0; max < sizeof head + 10; max++) {
        const parser_limits limits = {.request_line_bytes_max = max, .header_bytes_max = 100, .fields_max = 10};
        const ptrdiff_t verdict = verdict_of_all_cuts(&buffer, OCTETS(head), &limits, &request);
        CHECK_INT(verdict, max >= sizeof line - 1 ? (ptrdiff_t)(sizeof head - sizeof "next request") : -414);
    }
    guard_close(&buffer);
}

static void a_line_without_an_end_is_refused_at_the_limit(void) {
    static char head[20000];
    static parser_request request;
    guard buffer = guard_open(sizeof head);
    memcpy(head, "GET /", 5);
    memset(head + 5, 'a', sizeof head - 5);
    CHECK_INT(verdict_once(&buffer, head, 8192, &verdict_limits, &request), 0);
    CHECK_INT(verdict_once(&buffer, head, 8192 + 3, &verdict_limits, &request), -414);
    CHECK_INT(verdict_once(&buffer, head, sizeof head, &verdict_limits, &request), -414);
    guard_close(&buffer);
}

static void a_request_line_of_eight_thousand_octets_passes(void) {
    static char head[9000];
    static parser_request request;
    guard buffer = guard_open(sizeof head);
    const int len = snprintf(head, sizeof head, "GET /%07986d HTTP/1.1" REST, 0);
    CHECK_INT(verdict_once(&buffer, head, (size_t)len, &verdict_limits, &request), len);
    CHECK_INT(request.path_len, 7987);
    guard_close(&buffer);
}

static void the_octets_after_a_head_are_left_alone(void) {
    static const char two[] = "GET /1 HTTP/1.1" REST "\x16\x03 not HTTP at all";
    guard buffer = guard_open(256);
    static parser_request request;
    CHECK_INT(verdict_of_all_cuts(&buffer, OCTETS(two), &verdict_limits, &request), strlen("GET /1 HTTP/1.1" REST));
    guard_close(&buffer);
}

static uint32_t random_next(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Changes, removes, doubles or inserts a few octets, preferring those that mean something. Returns the new length. */
static size_t mutate(char *head, size_t len, size_t size, uint32_t *random) {
    static const char telling[] = "\r\n \t:,;/?%#*\"\\@[]\0\x7f\x80\xff"
                                  "0a9HTPhost\x01\x0b";
    for (uint32_t changes = 1 + random_next(random) % 4; changes > 0 && len > 1; changes--) {
        const size_t place = random_next(random) % len;
        const size_t run = 1 + random_next(random) % 8;
        const char octet = telling[random_next(random) % (sizeof telling - 1)];
        const uint32_t kind = random_next(random) % 4;
        if (kind == 0) {
            head[place] = octet;
        } else if (kind == 1 && len < size) {
            memmove(head + place + 1, head + place, len - place);
            head[place] = octet;
            len++;
        } else if (kind == 2 && place + run < len) {
            memmove(head + place, head + place + run, len - place - run);
            len -= run;
        } else if (kind == 3 && place + run < len && len + run <= size) {
            memmove(head + place + run, head + place, len - place);
            len += run;
        }
    }
    return len;
}

/* What must hold of every accepted head, whatever it was made of. */
static void check_accepted(const parser_request *request) {
    CHECK(request->method_len > 0 && request->path_len > 0);
    CHECK(memchr(request->target, ' ', request->target_len) == NULL);
    CHECK(request->field_count <= verdict_limits.fields_max);
    for (uint32_t i = 0; i < request->field_count; i++) {
        const parser_field *field = &request->fields[i];
        CHECK(field->name_len > 0 && memchr(field->name, ':', field->name_len) == NULL);
        for (uint32_t j = 0; j < field->value_len; j++) {
            const uint8_t octet = field->value[j];
            CHECK(octet == '\t' || (octet >= 0x20 && octet != 0x7f));
            CHECK((j > 0 && j + 1 < field->value_len) || (octet != ' ' && octet != '\t'));
        }
    }
}

static void a_mutated_head_gets_one_verdict_however_it_is_cut(void) {
    static const char *const seeds[] = {
        "GET /a/%41?b=%20c HTTP/1.1\r\nHost: a.example:80\r\nAccept: */*\r\nConnection: keep-alive, close\r\n\r\n",
        "PUT http://[::1]:80/ HTTP/1.1\r\nHost: [::1.2.3.4]\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
        "\r\nOPTIONS * HTTP/1.0\r\nTransfer-Encoding: gzip, chunked\r\nHost: a\r\nUpgrade: x\r\n\r\nGET / HTTP/1.1",
        "CONNECT a:443 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    static parser_request request;
    guard buffer = guard_open(4096);
    uint32_t random = 0x7b1a2c3d;
    int accepted = 0;
    for (int round = 0; round < 12000 && check_state.checks_failed == 0; round++) {
        char head[256];
        const char *seed = seeds[round % 4];
        memcpy(head, seed, strlen(seed));
        const size_t len = mutate(head, strlen(seed), sizeof head, &random);
        const ptrdiff_t verdict = verdict_of_all_cuts(&buffer, head, len, &verdict_limits, &request);
        if (verdict > 0) {
            accepted++;
            check_accepted(&request);
        }
    }
    CHECK(accepted > 500 && accepted < 11000); /* Otherwise the mutations are too wild or too tame to say much. */
    guard_close(&buffer);
}

int main(void) {
    RUN(a_request_line_gets_its_verdict_however_it_is_cut);
    RUN(a_version_gets_its_verdict_however_it_is_cut);
    RUN(a_method_is_known_by_its_exact_name);
    RUN(what_is_not_http_is_refused_by_its_first_wrong_octet);
    RUN(a_refusal_says_what_is_wrong);
    RUN(no_octets_and_empty_lines_alone_are_not_yet_a_request);
    RUN(a_line_at_its_limit_passes_and_one_octet_more_does_not);
    RUN(a_line_without_an_end_is_refused_at_the_limit);
    RUN(a_request_line_of_eight_thousand_octets_passes);
    RUN(the_octets_after_a_head_are_left_alone);
    RUN(a_mutated_head_gets_one_verdict_however_it_is_cut);
    return check_end();
}
