/* What the fields say about framing and the connection: noted line by line, judged at the end.
 *
 * Owns:  the rules for Host, Content-Length, Transfer-Encoding, Connection, Expect and Upgrade.
 * Knows: RFC 9112 sections 3.2, 6 and 9, RFC 9110 sections 5.6.1 and 10.1.1.
 * Never: repairs: what another hop could read as another end of the message is refused.
 */
#include "framing.h"

#include <string.h>

#include "authority.h"
#include "span.h"

/* What is left of a comma-separated list. */
typedef struct framing_list {
    const uint8_t *at; /* NULL when the list is used up */
    size_t len;
} framing_list;

static bool framing_is_space(uint8_t octet) {
    return octet == ' ' || octet == '\t';
}

/* Takes the next member, trimmed; it may be empty. False when there is none. */
static bool framing_take_member(framing_list *list, const uint8_t **member, size_t *member_len) {
    if (list->at == NULL) {
        return false;
    }
    const uint8_t *begin = list->at;
    const uint8_t *stop = begin + list->len;
    const uint8_t *comma = memchr(begin, ',', list->len);
    list->at = comma == NULL ? NULL : comma + 1;
    list->len = comma == NULL ? 0 : (size_t)(stop - list->at);
    const uint8_t *end = comma == NULL ? stop : comma;
    while (begin < end && framing_is_space(*begin)) {
        begin++;
    }
    while (end > begin && framing_is_space(end[-1])) {
        end--;
    }
    *member = begin;
    *member_len = (size_t)(end - begin);
    return true;
}

static void framing_on_host(framing_state *state, const parser_field *field, parser_error *error) {
    if (state->host) {
        parser_refuse(error, 400, "more than one Host (RFC 9112 §3.2)");
    } else if (!authority_valid(field->value, field->value_len, AUTHORITY_PORT_OPTIONAL)) {
        parser_refuse(error, 400, "Host is not a host and port (RFC 9112 §3.2)");
    }
    state->host = true;
}

/* Equal lengths are refused as well: a recipient may do so, and the sender is broken or up to something. */
static void framing_on_length(framing_state *state, const parser_field *field, parser_request *request,
                              parser_error *error) {
    const uint8_t *at = field->value;
    const uint8_t *stop = at + field->value_len;
    uint64_t length = 0;
    if (state->length) {
        parser_refuse(error, 400, "more than one Content-Length (RFC 9112 §6.3)");
        return;
    }
    if (at == stop || span_run(at, stop, SPAN_DIGIT) != stop) {
        parser_refuse(error, 400, "Content-Length is not a decimal number (RFC 9112 §6.3)");
        return;
    }
    for (; at < stop; at++) {
        if (__builtin_mul_overflow(length, UINT64_C(10), &length) ||
            __builtin_add_overflow(length, (uint64_t)(*at - '0'), &length)) {
            parser_refuse(error, 413, "Content-Length is more than any body has (RFC 9110 §8.6)");
            return;
        }
    }
    state->length = true;
    request->content_length = length;
}

/* An empty member is refused too: of all lists, this one must not be read in two ways. */
static void framing_on_codings(framing_state *state, const parser_field *field) {
    framing_list list = {field->value, field->value_len};
    const uint8_t *member;
    size_t len;
    state->codings = true;
    while (framing_take_member(&list, &member, &len)) {
        const bool chunked = span_equals(member, len, "chunked", 7);
        const bool token = len > 0 && span_run(member, member + len, SPAN_TOKEN) == member + len;
        state->codings_malformed |= !token || (chunked && state->chunked);
        state->coding_unknown |= !chunked;
        state->chunked |= chunked;
        state->chunked_last = chunked;
    }
}

static void framing_on_connection(framing_state *state, const parser_field *field) {
    framing_list list = {field->value, field->value_len};
    const uint8_t *member;
    size_t len;
    while (framing_take_member(&list, &member, &len)) {
        state->option_close |= span_equals(member, len, "close", 5);
        state->option_keep_alive |= span_equals(member, len, "keep-alive", 10);
        state->option_upgrade |= span_equals(member, len, "upgrade", 7);
    }
}

/* In HTTP/1.0 an expectation is ignored (RFC 9110 §10.1.1). */
static void framing_on_expect(framing_state *state, const parser_field *field, const parser_request *request,
                              parser_error *error) {
    framing_list list = {field->value, field->value_len};
    const uint8_t *member;
    size_t len;
    while (request->minor_version > 0 && framing_take_member(&list, &member, &len)) {
        if (span_equals(member, len, "100-continue", 12)) {
            state->expect = true;
        } else if (len > 0) {
            parser_refuse(error, 417, "an expectation other than 100-continue (RFC 9110 §10.1.1)");
            return;
        }
    }
}

void framing_on_field(framing_state *state, const parser_field *field, parser_request *request, parser_error *error) {
    switch (field->name_len) { /* No two of the names have the same length. */
    case 4:
        if (span_equals(field->name, 4, "host", 4)) {
            framing_on_host(state, field, error);
        }
        break;
    case 6:
        if (span_equals(field->name, 6, "expect", 6)) {
            framing_on_expect(state, field, request, error);
        }
        break;
    case 7:
        state->upgrade |= span_equals(field->name, 7, "upgrade", 7);
        break;
    case 10:
        if (span_equals(field->name, 10, "connection", 10)) {
            framing_on_connection(state, field);
        }
        break;
    case 14:
        if (span_equals(field->name, 14, "content-length", 14)) {
            framing_on_length(state, field, request, error);
        }
        break;
    case 17:
        if (span_equals(field->name, 17, "transfer-encoding", 17)) {
            framing_on_codings(state, field);
        }
        break;
    default:
        break;
    }
}

/* How the body is framed (RFC 9112 §6.3). */
static void framing_on_body(const framing_state *state, parser_request *request, parser_error *error) {
    if (!state->codings) {
        request->framing = request->content_length > 0 ? PARSER_BODY_LENGTH : PARSER_BODY_NONE;
    } else if (request->minor_version == 0) {
        parser_refuse(error, 400, "Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1)");
    } else if (state->length) {
        parser_refuse(error, 400, "both Transfer-Encoding and Content-Length (RFC 9112 §6.1)");
    } else if (state->codings_malformed || !state->chunked_last) {
        parser_refuse(error, 400, "chunked is not the one and last transfer coding (RFC 9112 §6.3)");
    } else if (state->coding_unknown) {
        parser_refuse(error, 501, "a transfer coding besides chunked (RFC 9112 §6.1)");
    } else {
        request->framing = PARSER_BODY_CHUNKED;
    }
}

void framing_on_end(const framing_state *state, parser_request *request, parser_error *error) {
    if (!state->host && request->minor_version > 0) {
        parser_refuse(error, 400, "no Host (RFC 9112 §3.2)");
        return;
    }
    framing_on_body(state, request, error);
    if (error->status != 0) {
        return;
    }
    request->keep_alive = !state->option_close && (request->minor_version > 0 || state->option_keep_alive);
    request->expect_continue = state->expect && request->framing != PARSER_BODY_NONE;
    request->upgrade = state->upgrade && state->option_upgrade && request->minor_version > 0;
}
