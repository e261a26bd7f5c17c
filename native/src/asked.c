/* What a request asks of a file; see asked.h.
 *
 * Owns:  the names of the fields.
 * Knows: that most lines of a request are none of them, which their length tells soonest.
 * Never: looks at a line more than once for each field that repeats.
 */
#include "asked.h"

#include <string.h>

#include "span.h"

static const struct {
    char text[20];
    uint8_t len;
} asked_texts[ASKED_NAMES] = {
    [ASKED_ACCEPT_ENCODING] = {"accept-encoding", 15},
    [ASKED_IF_MATCH] = {"if-match", 8},
    [ASKED_IF_NONE_MATCH] = {"if-none-match", 13},
    [ASKED_IF_MODIFIED_SINCE] = {"if-modified-since", 17},
    [ASKED_IF_UNMODIFIED_SINCE] = {"if-unmodified-since", 19},
    [ASKED_IF_RANGE] = {"if-range", 8},
    [ASKED_RANGE] = {"range", 5},
};

enum { ASKED_LENGTHS = 1 << 5 | 1 << 8 | 1 << 13 | 1 << 15 | 1 << 17 | 1 << 19 };

static bool asked_is(const parser_field *field, asked_name name) {
    return span_equals(field->name, field->name_len, asked_texts[name].text, asked_texts[name].len);
}

/* Whether the name has a length that one of ours has. */
static bool asked_may_be(size_t name_len) {
    return name_len <= 19 && (ASKED_LENGTHS >> name_len & 1) != 0;
}

void asked_init(asked *want, const parser_field *fields, uint32_t field_count, bool head) {
    *want = (asked){.fields = fields, .field_count = field_count, .head = head};
    for (uint32_t i = 0; i < field_count; i++) {
        if (!asked_may_be(fields[i].name_len)) {
            continue;
        }
        for (unsigned name = 0; name < ASKED_NAMES; name++) {
            if (asked_is(&fields[i], (asked_name)name)) {
                want->first[name] = want->count[name] == 0 ? i : want->first[name];
                want->count[name]++;
            }
        }
    }
}

void asked_read(asked *want, const uint8_t *block, size_t len, parser_field *room, uint32_t room_count, bool head) {
    const uint8_t *at = block, *stop = len == 0 ? block : block + len;
    uint32_t count = 0;
    while (at < stop && count < room_count) {
        const uint8_t *end = memchr(at, '\n', (size_t)(stop - at));
        end = end == NULL ? stop : end;
        const uint8_t *colon = memchr(at, ':', (size_t)(end - at));
        if (colon != NULL && asked_may_be((size_t)(colon - at)) && end - colon <= UINT32_MAX) {
            room[count++] = (parser_field){.name = at,
                                           .value = colon + 1,
                                           .name_len = (uint32_t)(colon - at),
                                           .value_len = (uint32_t)(end - colon - 1)};
        }
        at = end + (end < stop);
    }
    asked_init(want, room, count, head);
}

const parser_field *asked_next(const asked *want, asked_name name, const parser_field *after) {
    if (want->count[name] == 0) {
        return NULL;
    }
    if (after == NULL) {
        return &want->fields[want->first[name]];
    }
    if (want->count[name] > 1) {
        for (const parser_field *at = after + 1; at < want->fields + want->field_count; at++) {
            if (asked_is(at, name)) {
                return at;
            }
        }
    }
    return NULL;
}

const parser_field *asked_single(const asked *want, asked_name name) {
    return want->count[name] == 1 ? &want->fields[want->first[name]] : NULL;
}
