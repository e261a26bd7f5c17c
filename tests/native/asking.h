/* Requests for files: the fields of a head that is given as text.
 *
 * Owns:  the parse of the lines, and what the asked fields point into.
 * Knows: that the parser's verdict is tested elsewhere.
 * Never: more than one request at a time.
 */
#ifndef ASKING_H
#define ASKING_H

#include "asked.h"
#include "check.h"

static struct {
    char head[65536];
    parser_request request;
    asked want;
} asking;

/* A request with these field lines, each with its CRLF. */
static inline const asked *asking_for(const char *method, const char *lines) {
    static const parser_limits limits = {8192, 65000, PARSER_FIELDS_MAX};
    parser_error error;
    const int len = snprintf(asking.head, sizeof asking.head, "%s /a HTTP/1.1\r\nHost: a\r\n%s\r\n", method, lines);
    CHECK_INT(parser_next((const uint8_t *)asking.head, (size_t)len, &limits, &asking.request, &error), len);
    asked_init(&asking.want, asking.request.fields, asking.request.field_count,
               asking.request.method_id == PARSER_METHOD_HEAD);
    return &asking.want;
}

#endif
