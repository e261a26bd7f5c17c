/* The parser's verdict on a head, reached in every way in which its octets can arrive.
 *
 * Owns:  the comparison of whole and cut input, each flush against a guard page.
 * Knows: that parser_next starts over with each call, so a cut is a shorter input.
 * Never: accepts two verdicts for one head.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include "check.h"
#include "guard.h"
#include "parser.h"

/* A string literal with its length, which may hold NULs. */
#define OCTETS(literal) (literal), sizeof(literal) - 1

/* One row of a table: a head, and 0 when it is good or the status that refuses it. */
typedef struct verdict_case {
    const char *name;
    const char *octets;
    size_t len;
    int status;
} verdict_case;

static const parser_limits verdict_limits = {
    .request_line_bytes_max = 8192, .header_bytes_max = 65536, .fields_max = 100};

/* What parser_next says about one input: more than 0, 0, or minus the status. */
static inline ptrdiff_t verdict_once(guard *buffer, const void *octets, size_t len, const parser_limits *limits,
                                     parser_request *request) {
    parser_error error = {0};
    const ptrdiff_t consumed = parser_next(guard_put(buffer, octets, len), len, limits, request, &error);
    if (consumed >= 0) {
        CHECK(error.status == 0);
        CHECK((size_t)consumed <= len);
        return consumed;
    }
    CHECK(error.reason != NULL && strstr(error.reason, "(RFC ") != NULL);
    return -(ptrdiff_t)error.status;
}

/* The verdict on the whole input, after every shorter one was found to say "more", and then nothing else but that. */
static inline ptrdiff_t verdict_of_all_cuts(guard *buffer, const void *octets, size_t len, const parser_limits *limits,
                                            parser_request *request) {
    ptrdiff_t first = 0;
    for (size_t cut = 0; cut < len; cut++) {
        const ptrdiff_t verdict = verdict_once(buffer, octets, cut, limits, request);
        if (first == 0) {
            first = verdict;
            CHECK(first <= 0 || (size_t)first == cut); /* A head is complete with its last octet, and not later. */
        }
        CHECK_INT(verdict, first);
    }
    const ptrdiff_t whole = verdict_once(buffer, octets, len, limits, request);
    CHECK(first == 0 || whole == first);
    return whole;
}

static inline void verdict_check(const verdict_case *cases, size_t count) {
    guard buffer = guard_open(65536);
    static parser_request request;
    for (size_t i = 0; i < count; i++) {
        check_state.subject = cases[i].name;
        const ptrdiff_t verdict =
            verdict_of_all_cuts(&buffer, cases[i].octets, cases[i].len, &verdict_limits, &request);
        CHECK_INT(verdict > 0 ? 0 : -verdict, cases[i].status);
        CHECK(verdict != 0); /* A row that is cut short says nothing. */
    }
    check_state.subject = NULL;
    guard_close(&buffer);
}

#define VERDICT_CHECK(cases) verdict_check((cases), sizeof(cases) / sizeof((cases)[0]))

#endif
