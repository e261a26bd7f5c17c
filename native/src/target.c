/* The request target: one of four forms, which the method and the first octet tell apart.
 *
 * Owns:  origin-form, absolute-form, authority-form and asterisk-form.
 * Knows: RFC 9112 section 3.2, RFC 3986 section 3; the method is already in *request.
 * Never: decodes, normalises or shortens a path: what the client wrote is what the router sees.
 */
#include "target.h"

#include "authority.h"
#include "span.h"

/* Octets of these classes and whole percent-escapes. Stops at any other octet; the caller judges that one. */
static const uint8_t *target_on_escaped(const uint8_t *at, const uint8_t *stop, unsigned classes, parser_error *error) {
    for (;;) {
        at = span_run(at, stop, classes);
        if (at == stop) {
            return NULL;
        }
        if (*at != '%') {
            return at;
        }
        for (int digit = 0; digit < 2; digit++) {
            at++;
            if (at == stop) {
                return NULL;
            }
            if (!span_is(*at, SPAN_HEX)) {
                return parser_refuse(error, 400, "'%' without two hex digits in the target (RFC 3986 §2.1)");
            }
        }
        at++;
    }
}

/* absolute-path [ "?" query ], up to the space. An empty path is for the caller to fill in. */
static const uint8_t *target_on_path(const uint8_t *at, const uint8_t *stop, parser_request *request,
                                     parser_error *error) {
    request->path = at;
    request->query = NULL;
    request->query_len = 0;
    at = target_on_escaped(at, stop, SPAN_PATH, error);
    if (at == NULL) {
        return NULL;
    }
    request->path_len = (uint32_t)(at - request->path);
    if (*at == '?') {
        request->query = at + 1;
        at = target_on_escaped(at + 1, stop, SPAN_QUERY, error);
        if (at == NULL) {
            return NULL;
        }
        request->query_len = (uint32_t)(at - request->query);
    }
    if (*at != ' ') {
        return parser_refuse(error, 400,
                             *at == '#' ? "a fragment in the target (RFC 9112 §3.2)"
                                        : "an octet that no target may have (RFC 9112 §3.2, RFC 3986 §3.3)");
    }
    return at;
}

/* The authority, up to the first octet that cannot be of it. */
static const uint8_t *target_on_authority(const uint8_t *at, const uint8_t *stop, authority_port port,
                                          parser_error *error) {
    const uint8_t *authority = at;
    at = span_run(at, stop, SPAN_AUTHORITY);
    if (at == stop) {
        return NULL;
    }
    if (*at == '@') {
        return parser_refuse(error, 400, "user information in the target (RFC 9110 §4.2.4)");
    }
    if (!authority_valid(authority, (size_t)(at - authority), port)) {
        return parser_refuse(error, 400, "the target's host or port is not valid (RFC 9110 §4.2.1, RFC 9112 §3.2)");
    }
    return at;
}

/* This text, its letters in either case. */
static const uint8_t *target_on_text(const uint8_t *at, const uint8_t *stop, const char *text, parser_error *error) {
    for (; *text != '\0'; at++, text++) {
        if (at == stop) {
            return NULL;
        }
        if (!span_equals(at, 1, text, 1)) {
            return parser_refuse(error, 400, "the target is neither a path nor an http URI (RFC 9112 §3.2)");
        }
    }
    return at;
}

/* "http://" or "https://" */
static const uint8_t *target_on_scheme(const uint8_t *at, const uint8_t *stop, parser_error *error) {
    at = target_on_text(at, stop, "http", error);
    if (at == NULL || at == stop) {
        return NULL;
    }
    return target_on_text(span_equals(at, 1, "s", 1) ? at + 1 : at, stop, "://", error);
}

static const uint8_t *target_on_absolute(const uint8_t *at, const uint8_t *stop, parser_request *request,
                                         parser_error *error) {
    const uint8_t *target = at;
    at = target_on_scheme(at, stop, error);
    if (at == NULL) {
        return NULL;
    }
    at = target_on_authority(at, stop, AUTHORITY_PORT_OPTIONAL, error);
    if (at == NULL) {
        return NULL;
    }
    if (*at != '/' && *at != '?' && *at != ' ') {
        return parser_refuse(error, 400, "an octet that no authority may have (RFC 3986 §3.2)");
    }
    request->prefix_len = (uint32_t)(at - target);
    at = target_on_path(at, stop, request, error);
    if (at != NULL && request->path_len == 0) {
        /* RFC 9112 §3.2.4: this is how a proxy was asked for the asterisk-form. */
        const bool asterisk = request->method_id == PARSER_METHOD_OPTIONS && request->query == NULL;
        request->path = (const uint8_t *)(asterisk ? "*" : "/");
        request->path_len = 1;
    }
    return at;
}

/* The target, in the one form that the method and the first octet leave, and the single space after it. */
const uint8_t *target_next(const uint8_t *at, const uint8_t *stop, parser_request *request, parser_error *error) {
    const uint8_t *target = at;
    request->prefix_len = 0;
    if (at == stop) {
        return NULL;
    }
    if (request->method_id == PARSER_METHOD_CONNECT || *at == '*') {
        request->path = at;
        request->query = NULL;
        request->query_len = 0;
        if (request->method_id == PARSER_METHOD_CONNECT) {
            at = target_on_authority(at, stop, AUTHORITY_PORT_REQUIRED, error);
        } else if (request->method_id == PARSER_METHOD_OPTIONS) {
            at = at + 1 == stop ? NULL : at + 1;
        } else {
            return parser_refuse(error, 400, "the target '*' is only for OPTIONS (RFC 9112 §3.2.4)");
        }
        if (at != NULL && *at != ' ') {
            return parser_refuse(error, 400, "an octet that this target may not have (RFC 9112 §3.2)");
        }
        request->path_len = at == NULL ? 0 : (uint32_t)(at - target);
    } else if (*at == '/') {
        at = target_on_path(at, stop, request, error);
    } else {
        at = target_on_absolute(at, stop, request, error);
    }
    if (at == NULL) {
        return NULL;
    }
    request->target = target;
    request->target_len = (uint32_t)(at - target);
    return at + 1;
}
