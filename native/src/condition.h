/* Preconditions: whether what the client knows of a file is still so.
 *
 * Owns:  the order in which the five fields count, and the reading of entity-tags.
 * Knows: RFC 9110 §13; the file has an ETag, which is strong, and a date.
 * Never: takes a malformed field for a match: the file is sent once too often rather than too seldom.
 */
#ifndef TINYBEAM_CONDITION_H
#define TINYBEAM_CONDITION_H

#include "asked.h"

/* What the file is now. */
typedef struct condition_validators {
    const uint8_t *etag; /* with its quotes */
    size_t etag_len;
    int64_t modified; /* what Last-Modified says, in seconds; never after now */
    int64_t now;
} condition_validators;

/* The status for a GET or HEAD: 200 to go on, 304 or 412. *ranged says whether a Range field counts. */
uint32_t condition_status(const asked *want, const condition_validators *have, bool *ranged);

#endif
