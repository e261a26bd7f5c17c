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
/* Sends what the scratch holds. */
void output_flush(output *out);
/* The socket is writable again: sends what is pending. */
void output_on_writable(output_sink *sink);
/* Forgets octets of a sink that is being closed. */
void output_drop(output *out, const output_sink *sink);

#endif
