/* Body framing (RFC 9112 sections 6 and 7): every body whole, in two pieces at every octet, and octet by octet. */
#include "body.h"

#include "check.h"
#include "guard.h"

#define OCTETS(literal) (literal), sizeof(literal) - 1
#define CONTENT_MAX 4096

static const body_limits limits = {
    .bytes_max = 100, .chunk_line_bytes_max = 64, .trailer_bytes_max = 64, .trailer_fields_max = 3};

/* What came of a body. */
typedef struct outcome {
    body_event event; /* the last one */
    int status;
    size_t consumed;
    size_t content_len;
    char trailers[CONTENT_MAX];
    size_t trailers_len;
    uint8_t content[CONTENT_MAX];
} outcome;

/* Feeds one piece until it is used up or the body is over. */
static void feed(body_state *state, guard *buffer, const uint8_t *octets, size_t len, const body_limits *with,
                 outcome *result) {
    const uint8_t *piece = guard_put(buffer, octets, len);
    size_t used = 0;
    do {
        const uint8_t *data = NULL;
        size_t data_len = 0;
        size_t consumed = SIZE_MAX;
        parser_error error = {0};
        result->event = body_next(state, piece + used, len - used, with, &consumed, &data, &data_len, &error);
        if (!CHECK(consumed <= len - used)) {
            return;
        }
        if (result->event == BODY_DATA) {
            CHECK(data_len > 0 && data >= piece + used && data + data_len == piece + used + consumed);
            if (CHECK(result->content_len + data_len <= CONTENT_MAX)) {
                memcpy(result->content + result->content_len, data, data_len);
                result->content_len += data_len;
            }
        }
        if (result->event == BODY_TRAILER) {
            CHECK(data_len > 0 && data >= piece + used && data + data_len == piece + used + consumed);
            if (CHECK(result->trailers_len + data_len <= CONTENT_MAX)) {
                memcpy(result->trailers + result->trailers_len, data, data_len);
                result->trailers_len += data_len;
            }
        }
        used += consumed;
        CHECK(result->event != BODY_MORE || used == len);
        CHECK(result->event != BODY_ERROR || (error.status >= 400 && strstr(error.reason, "(RFC ") != NULL));
        result->status = error.status;
    } while (result->event == BODY_DATA || result->event == BODY_TRAILER);
    result->consumed += used;
}

/* Feeds a body in pieces that end at the cut and then every `step` octets. */
static void feed_cut(guard *buffer, parser_framing framing, uint64_t length, const char *octets, size_t len, size_t cut,
                     size_t step, const body_limits *with, outcome *result) {
    body_state state;
    memset(result, 0, sizeof *result);
    body_init(&state, framing, length);
    result->event = BODY_MORE;
    for (size_t at = 0; at < len && result->event == BODY_MORE;) {
        const size_t piece = at < cut ? cut - at : len - at < step ? len - at : step;
        feed(&state, buffer, (const uint8_t *)octets + at, piece, with, result);
        at += piece;
    }
}

/* The outcome of the whole, after that of every two pieces and of single octets was found to be the same. */
static void feed_all_cuts(guard *buffer, parser_framing framing, uint64_t length, const char *octets, size_t len,
                          const body_limits *with, outcome *whole) {
    static outcome other;
    feed_cut(buffer, framing, length, octets, len, 0, len, with, whole);
    for (size_t cut = 0; cut <= len; cut++) {
        feed_cut(buffer, framing, length, octets, len, cut, cut == 0 ? 1 : len, with, &other);
        CHECK_INT(other.event, whole->event);
        CHECK_INT(other.status, whole->status);
        CHECK_INT(other.consumed, whole->consumed);
        CHECK_MEM(other.content, other.content_len, whole->content, whole->content_len);
    }
}

typedef struct chunked_case {
    const char *name;
    const char *octets;
    size_t len;
    int status;          /* of the refusal; 0: the body ends; -1: it is not complete */
    const char *content; /* what came out of it, also before a refusal */
} chunked_case;

#define HELLO "5\r\nhello\r\n"

static const chunked_case good_cases[] = {
    {"empty", OCTETS("0\r\n\r\n"), 0, ""},
    {"two chunks", OCTETS(HELLO "6\r\n world\r\n0\r\n\r\n"), 0, "hello world"},
    {"leading zeros", OCTETS("0005\r\nhello\r\n000\r\n\r\n"), 0, "hello"},
    {"hex digits of either case", OCTETS("a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n"), 0,
     "01234567890123456789a"},
    {"a request as content", OCTETS("12\r\nGET / HTTP/1.1\r\n\r\n\r\n0\r\n\r\n"), 0, "GET / HTTP/1.1\r\n\r\n"},
    {"extensions", OCTETS("5;a=b;c\r\nhello\r\n0;z=\"q;\\\" \"\r\n\r\n"), 0, "hello"},
    {"extensions with space around", OCTETS("5 ;\ta = b\t; c\r\nhello\r\n0;a= \"\xff\t\" ;b\r\n\r\n"), 0, "hello"},
    {"an empty quoted value", OCTETS("5;a=\"\"\r\nhello\r\n0\r\n\r\n"), 0, "hello"},
    {"a trailer", OCTETS(HELLO "0\r\nX-Check: 1\r\n\r\n"), 0, "hello"},
    {"three trailers, one of them empty", OCTETS(HELLO "0\r\na:\r\nb: \t\xff\r\nc:d\r\n\r\n"), 0, "hello"},
    {"every digit", OCTETS("9\r\n123456789\r\n1f\r\n0123456789012345678901234567890\r\n0\r\n\r\n"), 0,
     "1234567890123456789012345678901234567890"},
    {"an extension as long as is allowed",
     OCTETS("5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nhello\r\n0\r\n\r\n"), 0, "hello"},
    {"extensions as many as are allowed",
     OCTETS("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"
            "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n0\r\n\r\n"),
     0, "xxx"},
    {"a trailer as long as is allowed",
     OCTETS("0\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"), 0, ""},
    {"a trailer that may not change anything", OCTETS("0\r\nContent-Length: 7\r\n\r\n"), 0, ""},
    {"as much as is allowed",
     OCTETS("64\r\n0123456789012345678901234567890123456789012345678901234567890123456789"
            "012345678901234567890123456789\r\n0\r\n\r\n"),
     0, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"},
    {"no end", OCTETS(HELLO), -1, "hello"},
    {"no empty line", OCTETS(HELLO "0\r\n"), -1, "hello"},
    {"no LF at the end", OCTETS(HELLO "0\r\n\r"), -1, "hello"},
    {"content cut short", OCTETS("A\r\nhello"), -1, "hello"},
    {"size cut short", OCTETS("5"), -1, ""},
};

static const chunked_case size_cases[] = {
    {"none", OCTETS("\r\nhello\r\n0\r\n\r\n"), 400, ""},
    {"no digit before an extension", OCTETS(";a\r\n"), 400, ""},
    {"hex prefix", OCTETS("0x5\r\n"), 400, ""},
    {"plus", OCTETS("+5\r\n"), 400, ""},
    {"minus", OCTETS("-0\r\n"), 400, ""},
    {"suffix", OCTETS("5h\r\n"), 400, ""},
    {"not hex", OCTETS("g\r\n"), 400, ""},
    {"leading space", OCTETS(" 5\r\n"), 400, ""},
    {"trailing space", OCTETS("5 \r\n"), 400, ""},
    {"two numbers", OCTETS("5 5\r\n"), 400, ""},
    {"NUL", OCTETS("5\0\r\n"), 400, ""},
    {"VT", OCTETS("5\v\r\n"), 400, ""},
    {"comma", OCTETS("5,5\r\n"), 400, ""},
    {"underscore", OCTETS("1_0\r\n"), 400, ""},
    {"Arabic digit", OCTETS("\xd9\xa5\r\n"), 400, ""},
    {"LF ends the line", OCTETS("5\nhello"), 400, ""},
    {"bare CR ends the line", OCTETS("5\rhello"), 400, ""},
    {"two CRs", OCTETS("5\r\r\n"), 400, ""},
    {"one more than is allowed", OCTETS("65\r\n"), 413, ""},
    {"one more in the sum", OCTETS(HELLO "60\r\n"), 413, "hello"},
    {"2^32 + 5", OCTETS("100000005\r\n"), 413, ""},
    {"2^63", OCTETS("8000000000000000\r\n"), 413, ""},
    {"2^64 - 1", OCTETS("FFFFFFFFFFFFFFFF\r\n"), 413, ""},
    {"2^64 + 5", OCTETS("10000000000000005\r\n"), 413, ""},
    {"too many zeros", OCTETS("00000000000000000000000000000000000000000000000000000000000000005\r\n"), 413, ""},
};

static const chunked_case line_cases[] = {
    {"extension without a name", OCTETS("5;\r\n"), 400, ""},
    {"empty extension between", OCTETS("5;;a\r\n"), 400, ""},
    {"extension without a value", OCTETS("5;a=\r\n"), 400, ""},
    {"extension with two values", OCTETS("5;a=b=c\r\n"), 400, ""},
    {"two words", OCTETS("5;a b\r\n"), 400, ""},
    {"two words, the second longer", OCTETS("5;a bc\r\n"), 400, ""},
    {"two values", OCTETS("5;a=b c\r\n"), 400, ""},
    {"space at the end of a value", OCTETS("5;a=b \r\n"), 400, ""},
    {"space at the end of a name", OCTETS("5;a \r\n"), 400, ""},
    {"no semicolon after a quoted value", OCTETS("5;a=\"b\"c\r\n"), 400, ""},
    {"name that is no token", OCTETS("5;a[b]=c\r\n"), 400, ""},
    {"control octet in a name", OCTETS("5;a\x01=b\r\n"), 400, ""},
    {"LF after a semicolon", OCTETS("2;\nxx\r\n"), 400, ""},
    {"LF in a value", OCTETS("5;a=b\nc\r\n"), 400, ""},
    {"LF in a quoted value", OCTETS("5;a=\"\n\"\r\n"), 400, ""},
    {"CRLF in a quoted value", OCTETS("5;a=\"\r\n\"\r\n"), 400, ""},
    {"escaped CR", OCTETS("5;a=\"\\\r\n\"\r\n"), 400, ""},
    {"bare CR in an extension", OCTETS("5;a\rb\r\n"), 400, ""},
    {"a long extension", OCTETS("5;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"), 413, ""},
    {"many extensions that are not long",
     OCTETS("1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"
            "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"),
     413, "xx"},
    {"no CRLF after the content", OCTETS("5\r\nhello0\r\n\r\n"), 400, "hello"},
    {"two other octets after the content", OCTETS("5\r\nhelloXX0\r\n\r\n"), 400, "hello"},
    {"CR and another octet after the content", OCTETS("5\r\nhello\rX0\r\n\r\n"), 400, "hello"},
    {"another octet and LF after the content", OCTETS("5\r\nhelloX\n0\r\n\r\n"), 400, "hello"},
    {"LF after the content", OCTETS("5\r\nhello\n0\r\n\r\n"), 400, "hello"},
    {"bare CR after the content", OCTETS("5\r\nhello\r0\r\n\r\n"), 400, "hello"},
    {"content longer than its size", OCTETS("4\r\nhello\r\n0\r\n\r\n"), 400, "hell"},
    {"an empty line between chunks", OCTETS(HELLO "\r\n0\r\n\r\n"), 400, "hello"},
    {"LF after the last size", OCTETS("0\n\r\n"), 400, ""},
};

static const chunked_case trailer_cases[] = {
    {"two other octets for the end", OCTETS("0\r\nXXGET / HTTP/1.1\r\n"), 400, ""},
    {"a request line", OCTETS("0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), 400, ""},
    {"LF for the empty line", OCTETS("0\r\n\n"), 400, ""},
    {"bare CR for the empty line", OCTETS("0\r\n\rX"), 400, ""},
    {"LF ends a trailer", OCTETS("0\r\nX: y\n\n"), 400, ""},
    {"bare CR in a trailer", OCTETS("0\r\nX: a\rb\r\n\r\n"), 400, ""},
    {"NUL in a trailer", OCTETS("0\r\nX: a\0b\r\n\r\n"), 400, ""},
    {"DEL in a trailer", OCTETS("0\r\nX: a\x7f\r\n\r\n"), 400, ""},
    {"space before the colon", OCTETS("0\r\nX : y\r\n\r\n"), 400, ""},
    {"obs-fold", OCTETS("0\r\nX: y\r\n z\r\n\r\n"), 400, ""},
    {"no colon", OCTETS("0\r\nX\r\n\r\n"), 400, ""},
    {"no name", OCTETS("0\r\n: x\r\n\r\n"), 400, ""},
    {"8-bit octet in a name", OCTETS("0\r\nX\xe9: y\r\n\r\n"), 400, ""},
    {"four of them", OCTETS("0\r\na:\r\nb:\r\nc:\r\nd:\r\n\r\n"), 431, ""},
    {"a long one", OCTETS("0\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"), 431,
     ""},
    {"two that are long together",
     OCTETS("0\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n"), 431, ""},
};

static void check_cases(const chunked_case *cases, size_t count) {
    guard buffer = guard_open(CONTENT_MAX);
    static outcome result;
    for (size_t i = 0; i < count; i++) {
        check_state.subject = cases[i].name;
        feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, cases[i].octets, cases[i].len, &limits, &result);
        CHECK_INT(result.event, cases[i].status == 0 ? BODY_END : cases[i].status < 0 ? BODY_MORE : BODY_ERROR);
        CHECK_INT(result.status, cases[i].status > 0 ? cases[i].status : 0);
        CHECK_TEXT(result.content, result.content_len, cases[i].content);
        CHECK(result.event == BODY_ERROR || result.consumed == cases[i].len);
    }
    check_state.subject = NULL;
    guard_close(&buffer);
}

#define CHECK_CASES(cases) check_cases((cases), sizeof(cases) / sizeof((cases)[0]))

static void a_good_chunked_body_is_decoded(void) {
    CHECK_CASES(good_cases);
}
static void a_chunk_size_is_hex_digits_and_not_too_many_octets(void) {
    CHECK_CASES(size_cases);
}
static void a_chunk_line_that_is_not_by_the_grammar_is_refused(void) {
    CHECK_CASES(line_cases);
}
static void a_trailer_keeps_the_rules_of_a_header_and_its_own_limits(void) {
    CHECK_CASES(trailer_cases);
}

static void no_body_is_over_before_its_first_octet(void) {
    guard buffer = guard_open(CONTENT_MAX);
    static outcome result;
    feed_all_cuts(&buffer, PARSER_BODY_NONE, 0, OCTETS("GET / HTTP/1.1"), &limits, &result);
    CHECK_INT(result.event, BODY_END);
    CHECK_INT(result.consumed, 0);
    feed_all_cuts(&buffer, PARSER_BODY_LENGTH, 0, OCTETS("GET / HTTP/1.1"), &limits, &result);
    CHECK_INT(result.event, BODY_END);
    CHECK_INT(result.consumed, 0);
    guard_close(&buffer);
}

static void a_length_takes_so_many_octets_and_no_more(void) {
    guard buffer = guard_open(CONTENT_MAX);
    static outcome result;
    feed_all_cuts(&buffer, PARSER_BODY_LENGTH, 5, OCTETS("helloGET / HTTP/1.1"), &limits, &result);
    CHECK_INT(result.event, BODY_END);
    CHECK_INT(result.consumed, 5);
    CHECK_TEXT(result.content, result.content_len, "hello");
    feed_all_cuts(&buffer, PARSER_BODY_LENGTH, 6, OCTETS("hello"), &limits, &result);
    CHECK_INT(result.event, BODY_MORE);
    CHECK_TEXT(result.content, result.content_len, "hello");
    guard_close(&buffer);
}

static void the_octets_after_a_chunked_body_are_left_alone(void) {
    guard buffer = guard_open(CONTENT_MAX);
    static outcome result;
    feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, OCTETS(HELLO "0\r\n\r\nGET / HTTP/1.1"), &limits, &result);
    CHECK_INT(result.event, BODY_END);
    CHECK_INT(result.consumed, strlen(HELLO "0\r\n\r\n"));
    guard_close(&buffer);
}

static void a_length_over_the_limit_is_refused_before_any_octet(void) {
    body_state state;
    parser_error error = {0};
    size_t consumed = 1;
    const uint8_t *data;
    size_t data_len;
    body_init(&state, PARSER_BODY_LENGTH, 101);
    CHECK_INT(body_next(&state, (const uint8_t *)"", 0, &limits, &consumed, &data, &data_len, &error), BODY_ERROR);
    CHECK_INT(error.status, 413);
    CHECK_INT(consumed, 0);
    body_init(&state, PARSER_BODY_LENGTH, UINT64_MAX);
    CHECK_INT(body_next(&state, (const uint8_t *)"x", 1, &limits, &consumed, &data, &data_len, &error), BODY_ERROR);
    body_init(&state, PARSER_BODY_LENGTH, 100);
    CHECK_INT(body_next(&state, (const uint8_t *)"", 0, &limits, &consumed, &data, &data_len, &error), BODY_MORE);
}

static void an_end_and_a_refusal_are_repeated(void) {
    body_state state;
    parser_error error = {0};
    size_t consumed = 1;
    const uint8_t *data;
    size_t data_len;
    body_init(&state, PARSER_BODY_CHUNKED, 0);
    CHECK_INT(body_next(&state, (const uint8_t *)"g", 1, &limits, &consumed, &data, &data_len, &error), BODY_ERROR);
    error = (parser_error){0};
    CHECK_INT(body_next(&state, (const uint8_t *)"0\r\n\r\n", 5, &limits, &consumed, &data, &data_len, &error),
              BODY_ERROR);
    CHECK_INT(error.status, 400);
    CHECK_INT(consumed, 0);
    body_init(&state, PARSER_BODY_CHUNKED, 0);
    CHECK_INT(body_next(&state, (const uint8_t *)"0\r\n\r\n", 5, &limits, &consumed, &data, &data_len, &error),
              BODY_END);
    CHECK_INT(body_next(&state, (const uint8_t *)"x", 1, &limits, &consumed, &data, &data_len, &error), BODY_END);
    CHECK_INT(consumed, 0);
}

static void without_a_limit_the_largest_sizes_still_do_not_wrap(void) {
    const body_limits none = {UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    guard buffer = guard_open(CONTENT_MAX);
    static outcome result;
    feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, OCTETS("FFFFFFFFFFFFFFFF\r\nhello"), &none, &result);
    CHECK_INT(result.event, BODY_MORE);
    CHECK_TEXT(result.content, result.content_len, "hello");
    feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, OCTETS("10000000000000000\r\nhello"), &none, &result);
    CHECK_INT(result.status, 413);
    feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, OCTETS("1\r\nx\r\nFFFFFFFFFFFFFFFF\r\nhello"), &none, &result);
    CHECK_INT(result.status, 413);
    guard_close(&buffer);
}

static void small_chunks_without_extensions_are_no_overhead(void) {
    static char octets[CONTENT_MAX];
    static outcome result;
    guard buffer = guard_open(CONTENT_MAX);
    size_t len = 0;
    for (int i = 0; i < 99; i++) {
        len += (size_t)snprintf(octets + len, sizeof octets - len, "001\r\nx\r\n");
    }
    len += (size_t)snprintf(octets + len, sizeof octets - len, "0\r\n\r\n");
    feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, octets, len, &limits, &result);
    CHECK_INT(result.event, BODY_END);
    CHECK_INT(result.content_len, 99);
    guard_close(&buffer);
}

static uint32_t random_next(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void a_mutated_body_has_one_outcome_however_it_is_cut(void) {
    static const char seed[] = "5;a=b;c=\"d\\\"\"\r\nhello\r\n0a ; x\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\nGET /";
    static const char telling[] = "\r\n \t;=\"\\05aF:\x7f\xff\x01gX";
    static outcome result;
    guard buffer = guard_open(CONTENT_MAX);
    uint32_t random = 0x2545f491;
    int ended = 0;
    for (int round = 0; round < 6000 && check_state.checks_failed == 0; round++) {
        char octets[sizeof seed];
        size_t len = sizeof seed - 1;
        memcpy(octets, seed, sizeof seed);
        for (uint32_t changes = random_next(&random) % 3; changes > 0; changes--) {
            const size_t place = random_next(&random) % len;
            if (random_next(&random) % 4 == 0) {
                memmove(octets + place, octets + place + 1, len - place - 1);
                len--;
            } else {
                octets[place] = telling[random_next(&random) % (sizeof telling - 1)];
            }
        }
        feed_all_cuts(&buffer, PARSER_BODY_CHUNKED, 0, octets, len, &limits, &result);
        ended += result.event == BODY_END;
    }
    CHECK(ended > 600 && ended < 5400); /* Otherwise the mutations are too wild or too tame to say much. */
    guard_close(&buffer);
}

int main(void) {
    RUN(a_good_chunked_body_is_decoded);
    RUN(a_chunk_size_is_hex_digits_and_not_too_many_octets);
    RUN(a_chunk_line_that_is_not_by_the_grammar_is_refused);
    RUN(a_trailer_keeps_the_rules_of_a_header_and_its_own_limits);
    RUN(no_body_is_over_before_its_first_octet);
    RUN(a_length_takes_so_many_octets_and_no_more);
    RUN(the_octets_after_a_chunked_body_are_left_alone);
    RUN(a_length_over_the_limit_is_refused_before_any_octet);
    RUN(an_end_and_a_refusal_are_repeated);
    RUN(without_a_limit_the_largest_sizes_still_do_not_wrap);
    RUN(small_chunks_without_extensions_are_no_overhead);
    RUN(a_mutated_body_has_one_outcome_however_it_is_cut);
    return check_end();
}
