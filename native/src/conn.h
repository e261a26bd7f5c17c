/* One accepted connection: a state machine from octets to requests and from answers to octets.
 *
 * Owns:  its descriptor, the octets that wait (none while it is idle), and the order of its answers.
 * Knows: the parser, the body, the batch, the output; what RFC 9112 §9 says of persistence, pipelining and closing.
 * Never: is touched by a thread that does not hold the scheduler; calls anything that blocks.
 */
#ifndef TINYBEAM_CONN_H
#define TINYBEAM_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "room.h"

/* Takes over an accepted descriptor. False when memory is out; the descriptor is then closed. */
bool conn_open(conn_room *room, int fd, const uint8_t *peer, uint8_t peer_len);
/* Closes at once; open handles get TB_EDISCONNECTED. The memory goes with conn_bury. */
void conn_close(conn_room *room, conn *con);
/* Frees the connections that were closed in this turn. */
void conn_bury(conn_room *room);

/* Its timer has fired: if a deadline is met, it is told so and ended. */
void conn_on_timer(conn_room *room, wheel_timer *timer);
void conn_on_event(conn_room *room, conn *con, uint32_t events);
/* Brings every connection that was answered to rest: it waits for its turn to go on, closes, or is idle. */
void conn_settle_touched(conn_room *room);
/* Lets those that wait go on, in turns, as long as there is room in the batch. */
void conn_resume_waiting(conn_room *room);
/* Begins to drain: idle connections close now, others after their answer. */
void conn_drain(conn_room *room);

#endif
