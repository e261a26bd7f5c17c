/* The head of a request: empty lines, the request line, and the limits around both sections.
 *
 * Owns:  the request line but for its target, and where each section must have ended.
 * Knows: RFC 9112 sections 2 and 3; target.h and fields.h for the rest of the head.
 * Never: goes back: the first octet that is wrong decides, so a cut input and a whole one get the same verdict.
 */
#include "parser.h"

#include <string.h>

#include "fields.h"
#include "span.h"
#include "target.h"

/* RFC 9112 §2.2 asks for at least one empty line to be ignored; a client that sends more than two is not one. */
#define PARSER_EMPTY_LINES_MAX 2
/* Longer than any registered method, and so than any implemented one (RFC 9112 §3: SHOULD be 501). */
#define PARSER_METHOD_BYTES_MAX 32

static const uint8_t *parser_on_empty_lines(const uint8_t *at, const uint8_t *end, parser_error *error) {
    for (int lines = 0; at < end && *at == '\r'; lines++) {
        if (lines == PARSER_EMPTY_LINES_MAX) {
            return parser_refuse(error, 400, "too many empty lines before the request line (RFC 9112 §2.2)");
        }
        if (end - at < 2) {
            return NULL;
        }
        if (at[1] != '\n') {
            return parser_refuse(error, 400, "bare CR before the request line (RFC 9112 §2.2)");
        }
        at += 2;
    }
    return at;
}

static parser_method parser_method_of(const uint8_t *method, size_t len) {
    static const struct {
        char text[8];
        uint8_t len;
        uint8_t id;
    } methods[] = {
        {"GET", 3, PARSER_METHOD_GET},         {"POST", 4, PARSER_METHOD_POST},   {"HEAD", 4, PARSER_METHOD_HEAD},
        {"PUT", 3, PARSER_METHOD_PUT},         {"PATCH", 5, PARSER_METHOD_PATCH}, {"DELETE", 6, PARSER_METHOD_DELETE},
        {"OPTIONS", 7, PARSER_METHOD_OPTIONS}, {"TRACE", 5, PARSER_METHOD_TRACE}, {"CONNECT", 7, PARSER_METHOD_CONNECT},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (len == methods[i].len && memcmp(method, methods[i].text, len) == 0) {
            return (parser_method)methods[i].id;
        }
    }
    return PARSER_METHOD_OTHER;
}

/* The method and the single space after it. */
static const uint8_t *parser_on_method(const uint8_t *at, const uint8_t *stop, parser_request *request,
                                       parser_error *error) {
    const uint8_t *method = at;
    const bool bounded = stop - at > PARSER_METHOD_BYTES_MAX;
    at = span_run(at, bounded ? at + PARSER_METHOD_BYTES_MAX + 1 : stop, SPAN_TOKEN);
    const size_t len = (size_t)(at - method);
    if (len > PARSER_METHOD_BYTES_MAX) {
        return parser_refuse(error, 501, "a method longer than any that is implemented (RFC 9112 §3)");
    }
    if (at == stop) {
        return NULL;
    }
    if (*at != ' ' || len == 0) {
        return parser_refuse(error, 400, "the method is not a token and a space (RFC 9112 §3.1)");
    }
    request->method = method;
    request->method_len = (uint32_t)len;
    request->method_id = parser_method_of(method, len);
    return at + 1;
}

/* The version and the CRLF. */
static const uint8_t *parser_on_version(const uint8_t *at, const uint8_t *stop, parser_request *request,
                                        parser_error *error) {
    if (stop - at >= 10 && memcmp(at, "HTTP/1.1\r\n", 10) == 0) {
        request->minor_version = 1;
        return at + 10;
    }
    const uint8_t *version = at;
    for (const char *wanted = "HTTP/0.0\r\n"; *wanted != '\0'; at++, wanted++) {
        if (at == stop) {
            return NULL;
        }
        if (*wanted == '0' ? !span_is(*at, SPAN_DIGIT) : *at != (uint8_t)*wanted) {
            return parser_refuse(error, 400, "the request line does not end with a version (RFC 9112 §2.3, §3)");
        }
    }
    if (version[5] != '1') {
        return parser_refuse(error, 505, "a major version other than 1 (RFC 9112 §2.3)");
    }
    request->minor_version = version[7] != '0';
    return at;
}

static const uint8_t *parser_on_line(const uint8_t *at, const uint8_t *stop, parser_request *request,
                                     parser_error *error) {
    at = parser_on_method(at, stop, request, error);
    if (at != NULL) {
        at = target_next(at, stop, request, error);
    }
    return at == NULL ? NULL : parser_on_version(at, stop, request, error);
}

/* Where a section must have ended: its limit and a CRLF further on, or where the octets end. */
static const uint8_t *parser_stop_of(const uint8_t *at, const uint8_t *end, uint32_t bytes_max) {
    const uint64_t most = (uint64_t)bytes_max + 2;
    return (uint64_t)(end - at) > most ? at + most : end;
}

/* What a NULL from a section means: refused already, over the limit, or cut short. */
static ptrdiff_t parser_verdict(const uint8_t *stop, const uint8_t *end, parser_error *error, uint16_t status,
                                const char *reason) {
    if (error->status == 0 && stop < end) {
        parser_refuse(error, status, reason);
    }
    return error->status == 0 ? 0 : -1;
}

ptrdiff_t parser_next(const uint8_t *octets, size_t len, const parser_limits *limits, parser_request *request,
                      parser_error *error) {
    const uint8_t *end = octets + len;
    error->status = 0;
    error->reason = NULL;
    const uint8_t *at = parser_on_empty_lines(octets, end, error);
    if (at == NULL) {
        return parser_verdict(end, end, error, 0, NULL);
    }
    const uint8_t *stop = parser_stop_of(at, end, limits->request_line_bytes_max);
    at = parser_on_line(at, stop, request, error);
    if (at == NULL) {
        return parser_verdict(stop, end, error, 414, "the request line is too long (RFC 9112 §3)");
    }
    stop = parser_stop_of(at, end, limits->header_bytes_max);
    at = fields_next(at, stop, limits, request, error);
    if (at == NULL) {
        return parser_verdict(stop, end, error, 431, "the header section is too large (RFC 9110 §5.4)");
    }
    return at - octets;
}
