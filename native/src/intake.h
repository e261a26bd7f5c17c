/* From a connection's octets to requests in the batch.
 *
 * Owns:  the reading of one connection's input: heads, bodies, refusals, and what must wait.
 * Knows: the parser and the body as pure functions; RFC 9112 §9.3.2: only safe methods may run side by side.
 * Never: reads the socket; conn.c does.
 */
#ifndef TINYBEAM_INTAKE_H
#define TINYBEAM_INTAKE_H

#include "room.h"

/* New octets: parses what can be parsed now and keeps the rest. */
void intake_push(conn_room *room, conn *con, const uint8_t *octets, size_t len);
/* Goes on with the octets that were kept. */
void intake_resume(conn_room *room, conn *con);
/* The client will send no more: an unfinished request is refused. */
void intake_on_eof(conn_room *room, conn *con);
/* Its octets are too slow: an unfinished request is refused. */
void intake_on_timeout(conn_room *room, conn *con);
/* Sends what waits for its turn: a refusal, or a "100 Continue". */
void intake_pay_dues(conn_room *room, conn *con);
/* Whether what the client sends is still of use: the next request, or the rest of a body that is read. */
bool intake_goes_on(const conn *con);
/* Whether there is something that intake_resume might go on with. */
bool intake_kept(const conn *con);
/* Whether the kept octets wait for an answer, so that reading more would only pile them up. */
bool intake_blocked(const conn *con);

#endif
