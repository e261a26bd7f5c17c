/* What the connections of a scheduler share, and what each of them holds.
 *
 * Owns:  the shape of a connection and of the room that it lives in; the line of those that wait for their turn.
 * Knows: every noun that a connection is made of.
 * Never: decides anything; conn.c, intake.c and exchange.c do.
 */
#ifndef TINYBEAM_ROOM_H
#define TINYBEAM_ROOM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "answer.h"
#include "batch.h"
#include "body.h"
#include "buffer.h"
#include "constant.h"
#include "handle.h"
#include "output.h"
#include "parser.h"
#include "response.h"
#include "stats.h"

enum { CONN_PEER_MAX = 18 };

/* A request whose body is still arriving. */
typedef struct conn_request {
    buffer head; /* its record but for the body */
    buffer body;
    body_state state;
    bool complete;
    bool head_method;
    bool safe;
    bool http10;
    bool keep_alive;
} conn_request;

typedef struct conn {
    output_sink sink; /* first, so that a sink's address is its connection's */
    uint32_t first;   /* the exchange whose answer is next on the wire, or HANDLE_NONE */
    uint32_t last;
    uint16_t in_flight;
    uint16_t unsafe_in_flight;
    uint16_t refusal; /* the status that a bad request will get once those before it are answered, or 0 */
    uint8_t peer_len;
    uint8_t peer[CONN_PEER_MAX];
    bool readable;     /* there may be octets to read */
    bool hung_up;      /* the client's last octet is on its way */
    bool eof;          /* and was read */
    bool closing;      /* no further request is read */
    bool lingering;    /* our side is shut; what the client still sends is discarded */
    bool waiting;      /* is on the list of those that go on when there is room, or others have had their turn */
    bool touched;      /* is on the list of those to settle */
    bool dead;         /* closed; freed at the end of the turn */
    bool continue_due; /* owes a "100 Continue" once it is its turn */
    uint32_t lingered; /* octets discarded */
    uint32_t parsed;   /* octets of `in` that the parser has seen and found too few */
    const char *refusal_reason;
    buffer in; /* octets not parsed yet */
    conn_request *request;
    struct conn *next; /* all connections of the scheduler */
    struct conn *previous;
    struct conn *waiting_next;
    struct conn *touched_next;
} conn;

/* What all connections of a scheduler share. */
typedef struct conn_room {
    int epoll_fd;
    conn *conns;
    conn *dead;
    conn *touched;
    conn *waiting;
    conn *waiting_last;
    bool eager; /* one of those waiting could go on at once */
    uint32_t open;
    bool draining;
    uint16_t pipeline_max;
    uint8_t *scratch; /* what one read takes at most */
    size_t scratch_len;
    pthread_mutex_t fds_lock; /* recursive; held while a descriptor comes or goes, and by a thread that forks */
    _Atomic uint8_t *fds;     /* which descriptors are ours, for a forked child; may be NULL */
    uint32_t fds_len;
    batch batch;
    output out;
    handle_table handles;
    constant_table constants;
    response_clock clock;
    parser_limits limits;
    body_limits body_limits;
    stats stats;
} conn_room;

/* Puts a connection in the line of those that go on later: at its end, or where the next one stands. */
void room_wait(conn_room *room, conn *con, bool next);
/* Takes the first of the line; the caller has seen that there is one. */
conn *room_take_waiting(conn_room *room);
/* Remembers that a connection was answered and has to be settled. */
void room_touch(conn_room *room, conn *con);

#endif
