/* One answer term, read; see answer.h.
 *
 * Owns:  the validation of what Python sends.
 * Knows: that Python has checked names and values already; this is the second of two locks.
 * Never: copies.
 */
#include "answer.h"

#include <string.h>

#include "response.h"
#include "tinybeam.h"

/* Every line is "name: value" and ends in CRLF, and there is no CR, LF or NUL elsewhere. */
bool answer_fields_valid(const uint8_t *fields, size_t len) {
    if (len == 0) {
        return true; /* fields may be NULL, and that has no end */
    }
    const uint8_t *at = fields;
    const uint8_t *end = fields + len;
    while (at < end) {
        const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
        if (cr == NULL || cr + 1 >= end || cr[1] != '\n' || *at == ':') {
            return false;
        }
        size_t line_len = (size_t)(cr - at);
        if (memchr(at, ':', line_len) == NULL || memchr(at, '\n', line_len) != NULL ||
            memchr(at, 0, line_len) != NULL) {
            return false;
        }
        at = cr + 2;
    }
    return true;
}

/* What the client gets when the answer is not fit for the wire. */
static void answer_spoil(answer *ans) {
    ans->status = 500;
    ans->kind = 0;
    ans->fields = NULL;
    ans->fields_len = 0;
    ans->body = NULL;
    ans->body_len = 0;
}

/* The rest of an answer that asks for the body. */
static bool answer_next_continue(term_reader *reader, answer *ans) {
    ans->kind = TB_KIND_CONTINUE;
    ans->status = 100;
    ans->body = NULL;
    ans->body_len = 0;
    return term_next_uint(reader, &ans->body_bytes_max);
}

answer answer_of_part(uint64_t handle, uint32_t kind, const void *octets, size_t len) {
    const bool fields = kind == TB_KIND_END || kind == TB_KIND_HINTS;
    const bool fit = !fields || answer_fields_valid(octets, len);
    return (answer){.handle = handle, .kind = kind, .body = fit ? octets : NULL, .body_len = fit ? len : 0};
}

/* The rest of what goes to a stream, or ahead of an answer. */
static bool answer_next_part(term_reader *reader, answer *ans, uint64_t kind) {
    if (!term_next_octets(reader, &ans->body, &ans->body_len)) {
        return false;
    }
    *ans = answer_of_part(ans->handle, (uint32_t)kind, ans->body, ans->body_len);
    return true;
}

/* The rest of what begins a stream. */
static bool answer_next_stream(term_reader *reader, answer *ans) {
    uint64_t status;
    ans->body = NULL;
    ans->body_len = 0;
    if (!term_next_uint(reader, &status) || !term_next_octets(reader, &ans->fields, &ans->fields_len) ||
        !term_next_uint(reader, &ans->length)) {
        return false;
    }
    ans->kind = TB_KIND_STREAM;
    ans->status = (uint32_t)status;
    if (status < 200 || status > 599 || !answer_fields_valid(ans->fields, ans->fields_len)) {
        answer_spoil(ans);
    }
    return true;
}

bool answer_is_part(const answer *ans) {
    return ans->kind >= TB_KIND_PART && ans->kind <= TB_KIND_LAST;
}

/* An answer that is whole. */
static bool answer_next_whole(term_reader *reader, answer *ans, uint32_t count, uint64_t code) {
    if (count == 4 && !term_next_octets(reader, &ans->fields, &ans->fields_len)) {
        return false;
    }
    if (!term_next_octets(reader, &ans->body, &ans->body_len)) {
        return false;
    }
    bool fit = count == 3
                   ? code > 0 && code < RESPONSE_KINDS
                   : ((code >= 200 && code <= 599) || code == 101) && answer_fields_valid(ans->fields, ans->fields_len);
    ans->status = count == 3 ? 200 : (uint32_t)code;
    ans->kind = count == 3 ? (uint32_t)code : 0;
    if (!fit) {
        answer_spoil(ans);
    }
    return true;
}

bool answer_next(term_reader *reader, answer *ans) {
    uint32_t count;
    uint64_t code;
    if (!term_next_array(reader, &count) || count < 3 || count > 5 || !term_next_uint(reader, &ans->handle) ||
        !term_next_uint(reader, &code)) {
        return false;
    }
    ans->fields = NULL;
    ans->fields_len = 0;
    ans->cargo = NULL;
    if (count == 5) {
        return code == TB_KIND_STREAM && answer_next_stream(reader, ans);
    }
    if (count == 3 && code == TB_KIND_CONTINUE) {
        return answer_next_continue(reader, ans);
    }
    if (count == 3 && code >= TB_KIND_PART && code <= TB_KIND_LAST) {
        return answer_next_part(reader, ans, code);
    }
    return answer_next_whole(reader, ans, count, code);
}
