/* One answer term, read; the term's shapes are in tinybeam.h.
 *
 * Owns:  nothing: it points into the caller's octets.
 * Knows: both shapes of an answer and what a status may be.
 * Never: lets a header block through that could split a response (RFC 9112 §11.1).
 */
#ifndef TINYBEAM_ANSWER_H
#define TINYBEAM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "term.h"

struct shipment;

typedef struct answer {
    uint64_t handle;
    uint32_t status;
    uint32_t kind; /* TB_KIND_..., or 0 */
    const uint8_t *fields;
    size_t fields_len;
    const uint8_t *body;
    size_t body_len;
    uint64_t body_bytes_max; /* of TB_KIND_CONTINUE */
    uint64_t length;         /* of TB_KIND_STREAM */
    struct shipment *cargo;  /* the file that is its body, and belongs to whoever takes the answer; or NULL */
} answer;

/* What goes to a stream, or ahead of an answer. Fields that are not fit for the wire are left out. */
answer answer_of_part(uint64_t handle, uint32_t kind, const void *octets, size_t len);
/* Whether it goes to a stream that was begun before, and spends no handle. */
bool answer_is_part(const answer *ans);
/* False when the next term is no answer. One that is, but is not fit for the wire, reads as a bare 500. */
bool answer_next(term_reader *reader, answer *ans);

/* Whether a block of response fields is lines of "name: value" CRLF with no CR, LF or NUL elsewhere. */
bool answer_fields_valid(const uint8_t *fields, size_t len);

#endif
