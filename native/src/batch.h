/* The batch that a poll fills: request records, written straight into the runner's buffer.
 *
 * Owns:  the record's layout (tinybeam.h) and the count in the batch's head.
 * Knows: a parsed request and a peer.
 * Never: writes past the runner's buffer; what does not fit is asked for by its size in `needed`.
 */
#ifndef TINYBEAM_BATCH_H
#define TINYBEAM_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parser.h"

typedef struct batch {
    uint8_t *octets; /* the runner's */
    size_t capacity;
    size_t len;
    uint32_t count;
    uint32_t count_max;
    size_t needed;     /* the capacity without which the next record cannot be written, or 0 */
    bool offers;       /* one of the records has no body yet */
    uint64_t *handles; /* what the runner will owe answers for; room for count_max */
} batch;

void batch_init(batch *bat, void *octets, size_t capacity, uint64_t *handles, uint32_t count_max);
/* Whether there is any use in offering records: not when it is full, nor once one has asked for a larger buffer, for
 * then small ones must not get in its way again and again. */
bool batch_open(const batch *bat);
/* Whether a record of this size can be pushed now. When it could not even be the first, `needed` is set. */
bool batch_fits(batch *bat, size_t record_len);
/* Writes the batch's head and gives its length: 0 when it holds nothing. */
size_t batch_close(batch *bat);

/* A bound for the record's head: all of it but the body's octets. */
size_t batch_head_max(size_t request_len, const parser_request *request);
/* Writes all of a record but its body; the handle's place is left open. Returns the octet after it. */
uint8_t *batch_write_head(uint8_t *at, const parser_request *request, const uint8_t *peer, size_t peer_len);
/* Pushes a record whose head was written into the batch in place (len octets at its end). */
void batch_push_head(batch *bat, uint64_t handle, size_t head_len);
/* What follows the head of a record; trailers are lines as sent. */
typedef struct batch_rest {
    const uint8_t *body;
    size_t body_len;
    const uint8_t *trailers;
    size_t trailers_len;
    bool offered; /* the body is still to come */
} batch_rest;

/* Writes trailer lines, as sent, in the form of fields; they take no more room. Returns the octet after them. */
uint8_t *batch_write_trailers(uint8_t *at, const uint8_t *lines, size_t len);
/* A bound for the size of a record with this head. */
size_t batch_record_max(size_t head_len, const batch_rest *rest);
/* Pushes a record from its head and the rest. */
void batch_push(batch *bat, uint64_t handle, const uint8_t *head, size_t head_len, const batch_rest *rest);
/* Where the next record will begin. */
uint8_t *batch_at(batch *bat);

#endif
