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
    uint8_t upgrade; /* the protocol that it asks for: 1 + its index, or 0 */
} exchange_kind;

/* Opens a handle, and its deadline, for a request at the end of the connection's chain. False when no slot is free. */
bool exchange_open(conn_room *room, conn *con, exchange_kind kind, uint64_t *handle);
/* The same for an answer that is known already: it waits behind those before it. */
bool exchange_open_ready(conn_room *room, conn *con, exchange_kind kind, const response *res, const uint8_t *body);
/* Writes a response to the wire now; the caller has seen to it that it is its turn. */
void exchange_write(conn_room *room, conn *con, exchange_kind kind, response res, const uint8_t *body);
/* Keeps a whole response for later, because an earlier request is not answered yet. */
void exchange_keep(conn_room *room, conn *con, exchange *ex, response res, const uint8_t *body);
/* The first exchange of the connection has been answered in full: the next ones whose answers are there follow. */
void exchange_finish(conn_room *room, conn *con);
/* Spends a slot that was taken with a file: the head goes to the wire, or waits for its turn; the file follows by the
 * hand of files.h. Takes the cargo over. */
void exchange_ship(conn_room *room, uint32_t slot, response res, struct shipment *cargo);
exchange_kind exchange_kind_of(const exchange *ex);
/* Answers with a status and a line of text of our own. */
void exchange_answer_plainly(conn_room *room, uint32_t slot, uint32_t status, const char *text);
/* Spends a slot that was taken: its answer goes to the wire, or waits for its turn. Takes the answer's cargo over. */
void exchange_answer(conn_room *room, uint32_t slot, const answer *ans);
/* Offers the connection's request, which is the only one unanswered, without its body. False when no slot is free. */
bool exchange_offer(conn_room *room, conn *con, exchange_kind kind, uint64_t *handle);
/* The body that was asked for is whole: the handle that the request goes on with. */
uint64_t exchange_hand_over(conn_room *room, conn *con);
/* The body that was asked for will never be whole: the exchange is forgotten. */
void exchange_cancel(conn_room *room, conn *con);
/* The body of an offered request is wanted, or more of it, by a reader who takes it in parts; the handle stays. */
void exchange_flow(conn_room *room, uint32_t slot, uint64_t bytes_max);
/* It has got on: its deadline is counted from here. */
void exchange_extend(conn_room *room, uint32_t slot);
/* The client has shut its side, and may have left. */
void exchange_on_hang_up(conn_room *room, const conn *con);
/* Gives an exchange another deadline, counted from when it was handed over; 0 is none. */
void exchange_set_timeout(conn_room *room, uint64_t handle, uint64_t timeout_ms);
/* The timer of an exchange has fired: if it is still unanswered and its deadline met, it is answered 504 here, and
 * noted. */
void exchange_on_timer(conn_room *room, wheel_timer *timer);
/* The client has left: every exchange of the connection is told. */
void exchange_on_disconnect(conn_room *room, conn *con);

#endif
