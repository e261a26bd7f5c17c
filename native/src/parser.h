/* The head of an HTTP/1.1 request: from octets to a request, or to the status that refuses it.
 *
 * Owns:  the shape of a parsed head, its limits, and the verdict on every octet of it.
 * Knows: RFC 9112, RFC 9110 and RFC 3986, read strictly.
 * Never: does I/O, allocates, keeps state between calls, or reads past the octets it was given.
 */
#ifndef TINYBEAM_PARSER_H
#define TINYBEAM_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PARSER_FIELDS_MAX 128 /* the hard bound of the array; the configured limit is at most this */

typedef struct parser_limits {
    uint32_t request_line_bytes_max; /* the line without its CRLF */
    uint32_t header_bytes_max;       /* all field lines with their CRLFs, without the empty line */
    uint32_t fields_max;
} parser_limits;

/* Both parts point into the octets given to parser_next. The value is trimmed of spaces and tabs; the name is as sent.
 */
typedef struct parser_field {
    const uint8_t *name;
    const uint8_t *value;
    uint32_t name_len;
    uint32_t value_len;
} parser_field;

typedef enum parser_method {
    PARSER_METHOD_OTHER,
    PARSER_METHOD_GET,
    PARSER_METHOD_HEAD,
    PARSER_METHOD_POST,
    PARSER_METHOD_PUT,
    PARSER_METHOD_PATCH,
    PARSER_METHOD_DELETE,
    PARSER_METHOD_OPTIONS,
    PARSER_METHOD_TRACE,
    PARSER_METHOD_CONNECT
} parser_method;

typedef enum parser_framing { PARSER_BODY_NONE, PARSER_BODY_LENGTH, PARSER_BODY_CHUNKED } parser_framing;

typedef struct parser_request {
    const uint8_t *method;
    const uint8_t *target;
    const uint8_t *path;  /* never empty: "*" for OPTIONS *, "host:port" for CONNECT, a static "/" for "http://a" */
    const uint8_t *query; /* NULL when there is no '?' */
    uint32_t method_len;
    uint32_t target_len;
    uint32_t prefix_len; /* absolute-form: the octets of the target before its path; 0 otherwise */
    uint32_t path_len;
    uint32_t query_len;
    parser_method method_id;
    parser_framing framing;  /* "Content-Length: 0" is PARSER_BODY_NONE */
    uint64_t content_length; /* of PARSER_BODY_LENGTH, never 0 there */
    uint8_t minor_version;   /* 0 or 1; HTTP/1.2 and later count as 1 */
    bool keep_alive;
    bool expect_continue; /* the client waits for 100 (Continue) before it sends the body; false without a body */
    bool upgrade;         /* HTTP/1.1 with both an Upgrade field and the "upgrade" connection option */
    uint32_t field_count;
    parser_field fields[PARSER_FIELDS_MAX];
} parser_request;

typedef struct parser_error {
    uint16_t status;
    const char *reason; /* static text that names the RFC section: "bare LF ends a line (RFC 9112 §2.2)" */
} parser_error;

/* Fills in the error. Every step of the parser returns the octet after what it parsed, or NULL: then error->status is
 * still 0 if the octets end too soon, and otherwise says why the request is refused. */
static inline const uint8_t *parser_refuse(parser_error *error, uint16_t status, const char *reason) {
    error->status = status;
    error->reason = reason;
    return NULL;
}

/* Parses one head from the start of octets. Returns the octets consumed (leading CRLF included), 0 when more are
 * needed, or -1 when the octets so far can only be refused; then *error says with which status and why.
 * Call it again from the same start when more octets have come: the verdict does not depend on where the input is cut.
 * *request is complete only on success. */
ptrdiff_t parser_next(const uint8_t *octets, size_t len, const parser_limits *limits, parser_request *request,
                      parser_error *error);

#endif
