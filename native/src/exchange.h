/* The answers of one connection, in the order of its requests.
 *
 * Owns:  the chain of exchanges of a connection and what goes on the wire when (RFC 9112 §9.3.2).
 * Knows: handles, the response's head, the output.
 * Never: parses; conn.c does.
 */
#ifndef TINYBEAM_EXCHANGE_H
#define TINYBEAM_EXCHANGE_H

#include "answer.h"
#include "room.h"

typedef struct exchange_kind {
    bool head;
    bool safe;
    bool http10;
    bool keep_alive;
} exchange_kind;

/* Opens a handle for a request at the end of the connection's chain. False when no slot is free. */
bool exchange_open(conn_room *room, conn *con, exchange_kind kind, uint64_t *handle);
/* The same for an answer that is known already: it waits behind those before it. */
bool exchange_open_ready(conn_room *room, conn *con, exchange_kind kind, const response *res, const uint8_t *body);
/* Writes a response to the wire now; the caller has seen to it that it is its turn. */
void exchange_write(conn_room *room, conn *con, exchange_kind kind, response res, const uint8_t *body);
/* Spends a slot that was taken: its answer goes to the wire, or waits for its turn. */
void exchange_answer(conn_room *room, uint32_t slot, const answer *ans);
/* The client has left: every exchange of the connection is told. */
void exchange_on_disconnect(conn_room *room, conn *con);

#endif
