/* Preconditions; see condition.h.
 *
 * Owns:  strong and weak comparison, over one pass of each line.
 * Knows: RFC 9110 §8.8.3.2: a weak tag of the client is no match where octets must be the same.
 * Never: looks at a date where a tag has spoken.
 */
#include "condition.h"

#include <string.h>

#include "date.h"

enum { CONDITION_SECOND = 1 }; /* the resolution of a Last-Modified */

/* One entity-tag of a client. */
typedef struct condition_tag {
    const uint8_t *octets; /* with the quotes, without "W/" */
    size_t len;
    bool weak;
} condition_tag;

/* The tag at this place, and the octet after it. NULL when it is malformed. */
static const uint8_t *condition_on_tag(const uint8_t *at, const uint8_t *stop, condition_tag *tag) {
    tag->weak = stop - at >= 2 && at[0] == 'W' && at[1] == '/';
    at += tag->weak ? 2 : 0;
    if (at == stop || *at != '"') {
        return NULL;
    }
    const uint8_t *end = memchr(at + 1, '"', (size_t)(stop - at - 1));
    if (end == NULL) {
        return NULL;
    }
    tag->octets = at;
    tag->len = (size_t)(end + 1 - at);
    return end + 1;
}

static bool condition_equals(const condition_tag *tag, const condition_validators *have, bool strong) {
    return (!strong || !tag->weak) && tag->len == have->etag_len && memcmp(tag->octets, have->etag, tag->len) == 0;
}

/* Whether one of the tags of a line is the file's. The first that is malformed ends the line. */
static bool condition_in_line(const parser_field *line, const condition_validators *have, bool strong) {
    const uint8_t *at = line->value, *stop = at + line->value_len;
    bool separated = true;
    while (at < stop) {
        condition_tag tag;
        if (*at == ',' || *at == ' ' || *at == '\t') {
            separated = separated || *at == ',';
            at++;
            continue;
        }
        at = separated ? condition_on_tag(at, stop, &tag) : NULL;
        if (at == NULL) {
            return false;
        }
        if (condition_equals(&tag, have, strong)) {
            return true;
        }
        separated = false;
    }
    return false;
}

/* Whether If-Match or If-None-Match names the file; "*" names every file that there is, and stands alone. */
static bool condition_names(const asked *want, asked_name name, const condition_validators *have, bool strong) {
    const parser_field *single = asked_single(want, name);
    if (single != NULL && single->value_len == 1 && single->value[0] == '*') {
        return true;
    }
    for (const parser_field *line = NULL; (line = asked_next(want, name, line)) != NULL;) {
        if (condition_in_line(line, have, strong)) {
            return true;
        }
    }
    return false;
}

/* The date of a field. False when there is none, or more than one, or it is malformed: then the field is ignored. */
static bool condition_date(const asked *want, asked_name name, int64_t now, int64_t *second) {
    const parser_field *line = asked_single(want, name);
    return line != NULL && date_read(line->value, line->value_len, now, second);
}

/* Whether If-Range holds: the client's part and ours are of the same octets (RFC 9110 §13.1.5). */
static bool condition_range(const asked *want, const condition_validators *have) {
    if (want->count[ASKED_IF_RANGE] == 0) {
        return true;
    }
    const parser_field *line = asked_single(want, ASKED_IF_RANGE);
    if (line == NULL || line->value_len == 0) {
        return false;
    }
    const uint8_t *stop = line->value + line->value_len;
    condition_tag tag;
    if (line->value[0] == '"' || line->value[0] == 'W') {
        const uint8_t *end = condition_on_tag(line->value, stop, &tag);
        if (end != NULL) {
            return end == stop && condition_equals(&tag, have, true);
        }
    }
    int64_t second;
    /* While its second lasts, a file can change and keep its date (§8.8.2.2). */
    return date_read(line->value, line->value_len, have->now, &second) && second == have->modified &&
           have->modified + CONDITION_SECOND <= have->now;
}

/* In the order of RFC 9110 §13.2.2. */
uint32_t condition_status(const asked *want, const condition_validators *have, bool *ranged) {
    int64_t second;
    *ranged = false;
    if (want->count[ASKED_IF_MATCH] > 0) {
        if (!condition_names(want, ASKED_IF_MATCH, have, true)) {
            return 412;
        }
    } else if (condition_date(want, ASKED_IF_UNMODIFIED_SINCE, have->now, &second) && have->modified > second) {
        return 412;
    }
    if (want->count[ASKED_IF_NONE_MATCH] > 0) {
        if (condition_names(want, ASKED_IF_NONE_MATCH, have, false)) {
            return 304;
        }
    } else if (condition_date(want, ASKED_IF_MODIFIED_SINCE, have->now, &second) && have->modified <= second) {
        return 304;
    }
    /* Only GET has ranges (§14.2). */
    *ranged = !want->head && want->count[ASKED_RANGE] > 0 && condition_range(want, have);
    return 200;
}
