/* Answers that come in parts.
 *
 * Owns:  what of a streamed answer goes on the wire when, and what there is to tell of it.
 * Knows: how the end of a body is told (RFC 9112 §6.3, §7.1), and that an answer may have to wait for its turn.
 * Never: asks for more while the client has much to read; lets a client take a part for the whole.
 */
#ifndef TINYBEAM_STREAM_H
#define TINYBEAM_STREAM_H

#include <stdint.h>

#include "answer.h"
#include "room.h"

typedef enum stream_state {
    STREAM_NONE,
    STREAM_KEPT, /* earlier answers have to come first */
    STREAM_OPEN, /* its head is on the wire */
    STREAM_CUT,  /* the connection ends in the middle of it */
    STREAM_GONE, /* nobody reads it; it is there until that has been told */
} stream_state;

/* Begins the answer of a slot that was taken. */
void stream_begin(conn_room *room, uint32_t slot, const answer *ans);
/* What has come for a stream, or ahead of an answer. TB_OK, or TB_EBADHANDLE when there is no such stream. */
int32_t stream_on_part(conn_room *room, const answer *ans);
/* After TB_KIND_ASK: how much more would go out at once, and then there will be no news of it; or 0. */
uint32_t stream_grant(conn_room *room, uint64_t handle);
/* Its head, and what has come of it, were written: it was its turn. */
void stream_on_turn(exchange *ex);
/* The client has left. */
void stream_on_disconnect(conn_room *room, uint32_t slot);
/* The connection is at rest: asks for more, if that was wanted and there is a use for it. */
void stream_settle(conn_room *room, conn *con);

#endif
