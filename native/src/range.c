/* The Range field; see range.h.
 *
 * Owns:  the reading of positions that are too large for any number, and the joining of parts.
 * Knows: RFC 9110 §5.6.1: a list may have empty elements.
 * Never: adds two positions before it has seen that the sum is in the file.
 */
#include "range.h"

#include <stdbool.h>

#include "span.h"

static const uint8_t *range_skip_spaces(const uint8_t *at, const uint8_t *stop) {
    while (at < stop && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* The digits from at; a number too large for its type is the largest. */
static const uint8_t *range_on_position(const uint8_t *at, const uint8_t *stop, uint64_t *position) {
    *position = 0;
    for (; at < stop && span_is(*at, SPAN_DIGIT); at++) {
        const uint64_t digit = (uint64_t)(*at - '0');
        *position = *position > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *position * 10 + digit;
    }
    return at;
}

/* One range, cut to the length. Its part is empty when no octet of the file is in it. NULL when it is malformed. */
static const uint8_t *range_on_spec(const uint8_t *at, const uint8_t *stop, uint64_t length, range_part *part) {
    const uint8_t *start = at;
    uint64_t first, last;
    at = range_on_position(at, stop, &first);
    if (at == stop || *at != '-') {
        return NULL;
    }
    const bool suffix = at == start;
    const uint8_t *second = ++at;
    at = range_on_position(at, stop, &last);
    const bool open = at == second;
    if (suffix) {
        const uint64_t len = last < length ? last : length;
        *part = (range_part){length - len, len};
        return open ? NULL : at;
    }
    if (!open && last < first) {
        return NULL;
    }
    if (first >= length) {
        *part = (range_part){0, 0};
        return at;
    }
    last = open || last >= length ? length - 1 : last;
    *part = (range_part){first, last - first + 1};
    return at;
}

static bool range_touches(const range_part *left, const range_part *right) {
    return left->first <= right->first + right->len && right->first <= left->first + left->len;
}

/* Joins with this part all those after it that it touches, until none does. */
static void range_join(range_set *set, uint32_t index) {
    range_part *part = &set->parts[index];
    for (uint32_t i = index + 1; i < set->count;) {
        const range_part other = set->parts[i];
        if (!range_touches(part, &other)) {
            i++;
            continue;
        }
        const uint64_t part_end = part->first + part->len, other_end = other.first + other.len;
        part->first = part->first < other.first ? part->first : other.first;
        part->len = (part_end > other_end ? part_end : other_end) - part->first;
        set->count--;
        for (uint32_t k = i; k < set->count; k++) {
            set->parts[k] = set->parts[k + 1];
        }
        i = index + 1; /* It is longer now, and may touch one that it did not. */
    }
}

/* All ranges of the list, as many as there may be. False when the field is to be ignored. */
static bool range_on_list(const uint8_t *at, const uint8_t *stop, uint64_t length, range_set *set, uint32_t *specs) {
    while ((at = range_skip_spaces(at, stop)) < stop) {
        if (*at == ',') {
            at++;
            continue;
        }
        range_part part;
        at = *specs < RANGE_PARTS_MAX ? range_on_spec(at, stop, length, &part) : NULL;
        if (at == NULL) {
            return false;
        }
        ++*specs;
        at = range_skip_spaces(at, stop);
        if (at < stop && *at != ',') {
            return false;
        }
        if (part.len > 0) {
            set->parts[set->count++] = part;
        }
    }
    return true;
}

range_verdict range_read(const uint8_t *value, size_t len, uint64_t length, range_set *set) {
    uint32_t specs = 0;
    set->count = 0;
    /* An empty file has no range that Content-Range could name (RFC 9110 §14.4). */
    if (length == 0 || len < 6 || !span_equals(value, 6, "bytes=", 6) ||
        !range_on_list(value + 6, value + len, length, set, &specs) || specs == 0) {
        return RANGE_IGNORED;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        range_join(set, i);
    }
    return set->count > 0 ? RANGE_PARTIAL : RANGE_UNSATISFIABLE;
}
