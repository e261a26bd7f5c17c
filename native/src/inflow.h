/* A body on its way from its connection to whoever reads it, in parts.
 *
 * Owns:  the octets that have come and were not taken yet, and what there is to say at their end.
 * Knows: that the reader is in another thread than the holder of the scheduler: both hold the room's lock for it here.
 * Never: holds much more than INFLOW_HIGH: then the connection is not read until the reader has taken most of it.
 */
#ifndef TINYBEAM_INFLOW_H
#define TINYBEAM_INFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "room.h"

enum { INFLOW_HIGH = 128 * 1024, INFLOW_LOW = 64 * 1024 };

/* How a body ends. */
enum {
    INFLOW_WHOLE = 200,
    INFLOW_LEFT = 499
}; /* it is all there; the client has left. Or a status to refuse it with */

/* By any thread. */

/* For the reader of an offered request, whose handle it is: TB_OK, or why there is nothing to read. */
int32_t inflow_open(conn_room *room, uint64_t handle, uint64_t bytes_max);
/* Takes octets, up to the capacity. Their number; 0 at the end; TB_EWAIT when there are none yet, and the holder will
 * tell when there are; TB_EBODY - status; TB_EDISCONNECTED; TB_EALREADY, TB_EBADHANDLE. With *wanted the holder has to
 * be woken: more are wanted now. */
int64_t inflow_take(conn_room *room, uint64_t handle, void *octets, size_t capacity, bool *wanted);
/* The trailers of a body that has ended, in the form of fields; TB_EBUFFER when they do not fit. */
int64_t inflow_take_trailers(conn_room *room, uint64_t handle, void *octets, size_t capacity);

/* By the holder of the scheduler. */

/* Whether a reader wants its body, or more of it. Any thread. */
bool inflow_pending(conn_room *room);
/* Has the bodies that readers want read on. */
void inflow_take_wanted(conn_room *room);
/* Whether there is a reader. */
bool inflow_has_reader(conn_room *room, uint32_t slot);
/* Octets of the body have come. False when memory is out. */
bool inflow_push(conn_room *room, conn *con, const uint8_t *octets, size_t len);
/* No more will come. Takes the lines of the trailer section over, if there are any. */
void inflow_end(conn_room *room, uint32_t slot, uint32_t status, buffer *trailers);
/* The exchange is over, or its client has left: what has not been taken will not be. */
void inflow_close(conn_room *room, uint32_t slot);

#endif
