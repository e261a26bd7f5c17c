/* What a request asks of a file: the fields that choose, condition and cut it.
 *
 * Owns:  which lines of the header section these fields are.
 * Knows: that lists may come in many lines, and that a field of one value counts for nothing when it comes twice.
 * Never: copies or judges a value.
 */
#ifndef TINYBEAM_ASKED_H
#define TINYBEAM_ASKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parser.h"

typedef enum asked_name {
    ASKED_ACCEPT_ENCODING,
    ASKED_IF_MATCH,
    ASKED_IF_NONE_MATCH,
    ASKED_IF_MODIFIED_SINCE,
    ASKED_IF_UNMODIFIED_SINCE,
    ASKED_IF_RANGE,
    ASKED_RANGE,
    ASKED_NAMES
} asked_name;

/* Plain data, which points into the fields that it was made of. */
typedef struct asked {
    const parser_field *fields;
    uint32_t field_count;
    uint32_t first[ASKED_NAMES]; /* the first line of that name */
    uint32_t count[ASKED_NAMES];
    bool head;
} asked;

void asked_init(asked *want, const parser_field *fields, uint32_t field_count, bool head);
/* The same from lines of "name:value\n" in lower case and without spaces around the value, as a request's record has
 * them. Room for as many of those that count as there may be is given; what is no such line is passed over. */
void asked_read(asked *want, const uint8_t *block, size_t len, parser_field *room, uint32_t room_count, bool head);
/* The line of that name after this one, or the first for NULL; NULL when there is none. */
const parser_field *asked_next(const asked *want, asked_name name, const parser_field *after);
/* The only line of that name; NULL when there is none, or more. */
const parser_field *asked_single(const asked *want, asked_name name);

#endif
