/* The deadlines of a connection: which one applies now, and when it is met.
 *
 * Owns:  the phases of a connection, and the arithmetic of stalls and rates.
 * Knows: the room's clock and wheel; that a request which moves on costs a store, not a change of the wheel.
 * Never: closes or refuses; conn.c does when its time is up.
 */
#ifndef TINYBEAM_DEADLINE_H
#define TINYBEAM_DEADLINE_H

#include "room.h"

typedef enum deadline_phase {
    DEADLINE_NONE,      /* it is our turn: requests have deadlines of their own */
    DEADLINE_HEADER,    /* a request's head is due; for a new connection also its first octet */
    DEADLINE_BODY,      /* octets of a body are due */
    DEADLINE_KEEPALIVE, /* all is answered */
    DEADLINE_WRITE,     /* the client is to take octets of an answer */
    DEADLINE_LINGER,    /* the client is to close */
} deadline_phase;

/* Notes the phase that the connection is in by now. To be called whenever it comes to rest. */
void deadline_settle(conn_room *room, conn *con);
/* The phase begins anew at the next rest, though it may be the same: something was finished in between. */
void deadline_restart(conn *con);
/* The client has sent or taken octets. */
void deadline_on_moved(conn_room *room, conn *con, size_t octets);
/* A connection's timer has fired. True when its time is up; else it is set again. */
bool deadline_met(conn_room *room, conn *con);

#endif
