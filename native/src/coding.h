/* Content codings: which of the forms that a file has on disk a client would rather have.
 *
 * Owns:  the codings, their names and suffixes, and the order among those that a client likes equally.
 * Knows: RFC 9110 §12.5.3: q-values, "*", and that identity is acceptable until it is excluded.
 * Never: codes anything.
 */
#ifndef TINYBEAM_CODING_H
#define TINYBEAM_CODING_H

#include "asked.h"

/* In our order: the first is the smallest on disk. */
typedef enum coding { CODING_BR, CODING_ZSTD, CODING_GZIP, CODING_IDENTITY, CODINGS } coding;

/* How much a client wants each: 0 to 1000, and CODING_UNNAMED for an identity of which it says nothing. */
typedef struct coding_wish {
    int16_t weights[CODINGS];
} coding_wish;

enum { CODING_UNNAMED = -1 };

void coding_read(coding_wish *wish, const asked *want);
/* The best of those available, a bit (1 << coding) for each. When none is acceptable it is identity: a client that
 * cannot use it is no worse off than with a 406, which RFC 9110 §12.4.1 does not ask for either. */
coding coding_choose(const coding_wish *wish, unsigned available);
/* "br", "zstd", "gzip"; NULL for identity. */
const char *coding_token(coding which);
/* ".br", ".zst", ".gz": what a coded file's name has after the name of the file itself; "" for identity. */
const char *coding_suffix(coding which);

#endif
