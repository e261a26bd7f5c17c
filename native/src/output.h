/* Writing to connections: what belongs together goes out in one write.
 *
 * Owns:  the scratch that gathers the responses of one connection, and the sending of it.
 * Knows: short writes, EAGAIN, and that what could not be sent is the connection's to keep, in order.
 * Never: raises SIGPIPE, blocks, or sends for two connections at once.
 */
#ifndef TINYBEAM_OUTPUT_H
#define TINYBEAM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* The writing side of a connection. */
typedef struct output_sink {
    int fd;
    bool broken;    /* the peer is gone, or memory was out: close it */
    buffer pending; /* what the socket would not take yet */
    size_t sent;    /* of the pending octets */
} output_sink;

typedef struct output {
    output_sink *sink; /* whose octets are in the scratch */
    uint8_t *octets;
    size_t len;
} output;

bool output_init(output *out);
void output_deinit(output *out);
/* Room for len octets at the end of this sink's scratch (another sink's octets are flushed first), or NULL when len is
 * more than the scratch holds. Say with output_commit how many were written. */
uint8_t *output_reserve(output *out, output_sink *sink, size_t len);
void output_commit(output *out, size_t len);
/* Appends these octets; large ones go out without being copied. */
void output_push(output *out, output_sink *sink, const uint8_t *octets, size_t len);
/* The same, with a few octets after them that are small enough to be copied. */
void output_push_closed(output *out, output_sink *sink, const uint8_t *octets, size_t len, const uint8_t *end,
                        size_t end_len);
/* How many octets more the socket would take at once, at least; 0 when that is not known, or octets are pending. The
 * kernel counts what it needs to hold them as well, so that half of its count is a safe one. */
uint32_t output_room(const output_sink *sink);
/* Sends what the scratch holds. */
void output_flush(output *out);
/* The socket is writable again: sends what is pending. */
void output_on_writable(output_sink *sink);
/* Forgets octets of a sink that is being closed. */
void output_drop(output *out, const output_sink *sink);

#endif
