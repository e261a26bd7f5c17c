/* The Range field against a length: which octets are meant.
 *
 * Owns:  the grammar of bytes ranges, and the bound on how many parts an answer has.
 * Knows: RFC 9110 §14.1.2 and §14.2, and that many small or overlapping ranges are an attack or a mistake.
 * Never: gives an octet twice, or one that the file has not.
 */
#ifndef TINYBEAM_RANGE_H
#define TINYBEAM_RANGE_H

#include <stddef.h>
#include <stdint.h>

enum { RANGE_PARTS_MAX = 16 };

typedef struct range_part {
    uint64_t first;
    uint64_t len; /* never 0 */
} range_part;

typedef struct range_set {
    uint32_t count;
    range_part parts[RANGE_PARTS_MAX]; /* in the order in which they were asked for; no two touch */
} range_set;

typedef enum range_verdict {
    RANGE_IGNORED,       /* the whole file is the answer */
    RANGE_PARTIAL,       /* the set is; it has at least one part */
    RANGE_UNSATISFIABLE, /* 416 */
} range_verdict;

/* A field that is malformed, is of another unit, or names more than RANGE_PARTS_MAX ranges is ignored. Ranges that
 * overlap or touch become one, in the place of the first of them: so what is sent is never more than the file. */
range_verdict range_read(const uint8_t *value, size_t len, uint64_t length, range_set *set);

#endif
