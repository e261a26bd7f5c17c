/* The batch that a poll fills; see batch.h.
 *
 * Owns:  the lower-casing of field names on their way to Python.
 * Knows: that a record's handle stands at a fixed place, so that it can be written last.
 * Never: looks at what it copies; the parser has.
 */
#include "batch.h"

#include <assert.h>
#include <string.h>

#include "term.h"

enum {
    BATCH_RECORD_ELEMENTS = 8,
    BATCH_HANDLE_AT = 1,        /* after the record's own array head */
    BATCH_RECORD_OVERHEAD = 96, /* eight heads of at most nine octets, and the peer */
};

void batch_init(batch *bat, void *octets, size_t capacity, uint64_t *handles, uint32_t count_max) {
    *bat = (batch){
        .octets = octets,
        .capacity = capacity,
        .len = TERM_ARRAY_HEAD_LEN,
        .count_max = count_max,
        .handles = handles,
    };
}

bool batch_open(const batch *bat) {
    return bat->count < bat->count_max && bat->needed == 0;
}

bool batch_fits(batch *bat, size_t record_len) {
    if (!batch_open(bat)) {
        return false;
    }
    if (bat->len <= bat->capacity && record_len <= bat->capacity - bat->len) {
        return true;
    }
    if (bat->count == 0) {
        bat->needed = record_len + TERM_ARRAY_HEAD_LEN;
    }
    return false;
}

size_t batch_close(batch *bat) {
    if (bat->count == 0) {
        return 0;
    }
    term_write_array32(bat->octets, bat->count);
    return bat->len;
}

size_t batch_head_max(size_t request_len, const parser_request *request) {
    /* A field is sent as "name:value\n", never longer than the line it came from, which ended in CRLF. */
    return BATCH_RECORD_OVERHEAD + request_len + request->field_count;
}

/* Writes the length of a binary into its head, which is five octets long. */
static void batch_patch_length(uint8_t *head, uint32_t len) {
    for (unsigned i = 0; i < 4; i++) {
        head[1 + i] = (uint8_t)(len >> (24 - 8 * i));
    }
}

static uint8_t *batch_write_fields(uint8_t *at, const parser_request *request) {
    uint8_t *head = at;
    /* The head's width is settled at once; its length is written when it is known. */
    at = term_write_bin_head(at, UINT32_MAX);
    uint8_t *start = at;
    *at++ = '\n';
    for (uint32_t i = 0; i < request->field_count; i++) {
        const parser_field *field = &request->fields[i];
        for (uint32_t k = 0; k < field->name_len; k++) {
            uint8_t octet = field->name[k];
            at[k] = (uint8_t)(octet | ((uint8_t)(octet - 'A') < 26) << 5);
        }
        at += field->name_len;
        *at++ = ':';
        if (field->value_len > 0) {
            memcpy(at, field->value, field->value_len);
            at += field->value_len;
        }
        *at++ = '\n';
    }
    batch_patch_length(head, (uint32_t)(at - start));
    return at;
}

uint8_t *batch_write_head(uint8_t *at, const parser_request *request, const uint8_t *peer, size_t peer_len) {
    at = term_write_array(at, BATCH_RECORD_ELEMENTS);
    at = term_write_uint64(at, 0);
    at = term_write_str(at, request->method, request->method_len);
    at = term_write_str(at, request->path, request->path_len);
    if (request->query == NULL) {
        at = term_write_nil(at);
    } else {
        at = term_write_str(at, request->query, request->query_len);
    }
    at = batch_write_fields(at, request);
    at = term_write_bin(at, peer, peer_len);
    return term_write_str(at, request->target, request->prefix_len);
}

uint8_t *batch_at(batch *bat) {
    return bat->octets + bat->len;
}

void batch_push_head(batch *bat, uint64_t handle, size_t head_len) {
    uint8_t *start = batch_at(bat);
    term_write_uint64(start + BATCH_HANDLE_AT, handle);
    uint8_t *end = term_write_bin(start + head_len, NULL, 0);
    bat->len = (size_t)(end - bat->octets);
    assert(bat->len <= bat->capacity);
    bat->handles[bat->count++] = handle;
}

size_t batch_record_max(size_t head_len, const batch_rest *rest) {
    return head_len + rest->body_len + rest->trailers_len + 3 * TERM_HEAD_MAX;
}

/* A newline before each and after the last, names lower-cased, values trimmed. */
uint8_t *batch_write_trailers(uint8_t *at, const uint8_t *lines, size_t len) {
    const uint8_t *stop = lines + len;
    while (lines < stop) {
        const uint8_t *end = memchr(lines, '\r', (size_t)(stop - lines));
        *at++ = '\n';
        while (*lines != ':') {
            *at++ = (uint8_t)(*lines | ((uint8_t)(*lines - 'A') < 26) << 5);
            lines++;
        }
        *at++ = *lines++;
        const uint8_t *value_end = end;
        while (lines < value_end && (*lines == ' ' || *lines == '\t')) {
            lines++;
        }
        while (value_end > lines && (value_end[-1] == ' ' || value_end[-1] == '\t')) {
            value_end--;
        }
        memcpy(at, lines, (size_t)(value_end - lines));
        at += value_end - lines;
        lines = end + 2;
    }
    *at = '\n';
    return at + 1;
}

void batch_push(batch *bat, uint64_t handle, const uint8_t *head, size_t head_len, const batch_rest *rest) {
    uint8_t *start = batch_at(bat);
    memcpy(start, head, head_len);
    uint8_t elements = BATCH_RECORD_ELEMENTS;
    elements = (uint8_t)(elements + (rest->offered ? 2 : rest->trailers_len > 0 ? 1 : 0));
    term_write_array(start, elements);
    term_write_uint64(start + BATCH_HANDLE_AT, handle);
    uint8_t *end = term_write_bin(start + head_len, rest->body, rest->body_len);
    if (elements > BATCH_RECORD_ELEMENTS) {
        uint8_t *length = end;
        end = term_write_bin_head(end, UINT32_MAX); /* its length is written when it is known */
        uint8_t *first = end;
        end = batch_write_trailers(end, rest->trailers == NULL ? first : rest->trailers, rest->trailers_len);
        batch_patch_length(length, (uint32_t)(end - first));
    }
    if (rest->offered) {
        end = term_write_true(end);
        bat->offers = true;
    }
    bat->len = (size_t)(end - bat->octets);
    assert(bat->len <= bat->capacity);
    bat->handles[bat->count++] = handle;
}
