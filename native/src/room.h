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
#include "mount.h"
#include "output.h"
#include "overdue.h"
#include "parser.h"
#include "response.h"
#include "stats.h"
#include "wheel.h"

enum { CONN_PEER_MAX = 18 };

struct conn_room;
struct conn;
struct inflow;

/* A request whose body is still arriving, or wanted. */
typedef struct conn_request {
    buffer head; /* its record but for the body */
    buffer body;
    buffer trailers; /* the lines of the trailer section, as sent */
    body_state state;
    body_limits limits;
    uint32_t slot; /* the exchange by which it was offered, or HANDLE_NONE */
    bool offered;  /* and nobody has said yet whether the body is wanted */
    bool flowing;  /* its body goes to a reader as it comes */
    bool held;     /* and the reader has enough for now */
    bool discard;  /* it was answered without the rest of its body, which is little */
    bool expects;  /* the client waits for "100 Continue" */
    bool complete;
    bool head_method;
    bool safe;
    bool http10;
    bool keep_alive;
    uint8_t upgrade; /* the protocol that it asks for: 1 + its index, or 0 */
} conn_request;

/* How long a client may take, in milliseconds. */
typedef struct conn_timeouts {
    uint64_t header_ms;
    uint64_t body_ms;
    uint64_t keepalive_ms;
    uint64_t write_ms;
    uint64_t linger_ms;
    uint64_t request_ms; /* and how long we may */
    uint64_t bytes_per_s_min;
} conn_timeouts;

/* What a connection speaks after "101 Switching Protocols" (RFC 9110 §7.8). */
typedef struct conn_protocol {
    const char *token; /* of the Upgrade field, in lower case */
    /* Octets of the client, not none; at its end, none. All are taken. False to close the connection. */
    bool (*on_octets)(struct conn_room *room, struct conn *con, const uint8_t *octets, size_t len);
} conn_protocol;

typedef struct conn {
    output_sink sink; /* first, so that a sink's address is its connection's */
    uint32_t first;   /* the exchange whose answer is next on the wire, or HANDLE_NONE */
    uint32_t last;
    uint16_t in_flight;
    uint16_t unsafe_in_flight;
    uint16_t refusal; /* the status that a bad request will get once those before it are answered, or 0 */
    uint8_t peer_len;
    uint8_t peer[CONN_PEER_MAX];
    uint8_t phase;     /* a deadline_phase */
    bool readable;     /* there may be octets to read */
    bool hung_up;      /* the client's last octet is on its way */
    bool eof;          /* and was read */
    bool closing;      /* no further request is read */
    bool lingering;    /* our side is shut; what the client still sends is discarded */
    bool waiting;      /* is on the list of those that go on when there is room, or others have had their turn */
    bool touched;      /* is on the list of those to settle */
    bool dead;         /* closed; freed at the end of the turn */
    bool continue_due; /* owes a "100 Continue" once it is its turn */
    bool cut;          /* ends in the middle of an answer, once what there is of it was taken */
    bool reset;        /* and only so can it tell that this is not the end */
    bool shipping;     /* the first of its answers is a file, and its head is out */
    uint32_t lingered; /* octets discarded */
    uint32_t served;   /* requests that were taken in */
    uint32_t parsed;   /* octets of `in` that the parser has seen and found too few */
    const char *refusal_reason;
    buffer in; /* octets not parsed yet */
    conn_request *request;
    const conn_protocol *protocol; /* NULL: HTTP */
    wheel_timer timer;
    uint64_t since_ms; /* when the phase began */
    uint64_t moved_ms; /* when octets of it moved last */
    uint64_t moved_octets;
    uint32_t unread;   /* of an answer: what the kernel had, and the client had not taken, when we looked last */
    struct conn *next; /* all connections of the scheduler */
    struct conn *previous;
    struct conn *waiting_next;
    struct conn *touched_next;
} conn;

/* What all connections of a scheduler share. */
typedef struct conn_room {
    int epoll_fd;
    uint64_t now_ms; /* of the monotonic clock, read once a turn */
    conn *conns;
    conn *dead;
    conn *touched;
    conn *waiting;
    conn *waiting_last;
    bool eager; /* one of those waiting could go on at once */
    uint32_t open;
    bool draining;
    uint16_t pipeline_max;
    uint32_t requests_max; /* of one connection */
    uint64_t offer_bytes;
    conn_timeouts timeouts;
    wheel conn_timers;
    wheel exchange_timers;
    overdue overdue;
    const conn_protocol *protocols; /* those that may be switched to */
    uint32_t protocols_len;
    uint8_t *scratch; /* what one read takes at most */
    size_t scratch_len;
    pthread_mutex_t fds_lock; /* recursive; held while a descriptor comes or goes, and by a thread that forks */
    _Atomic uint8_t *fds;     /* which descriptors are ours, for a forked child; may be NULL */
    uint32_t fds_len;
    bool forked; /* there may be copies of descriptors that came before a fork. Under fds_lock */
    batch batch;
    output out;
    handle_table handles;
    pthread_mutex_t inflow_lock;            /* held while anything is done with an inflow */
    _Atomic(struct inflow *) inflow_wanted; /* those that readers want more of */
    uint32_t news_first;                    /* of the exchanges of which there is something to tell, or HANDLE_NONE */
    uint32_t news_last;
    constant_table constants;
    mount_table mounts;
    mount_reply *found; /* room for what a mount answers */
    response_clock clock;
    parser_limits limits;
    body_limits body_limits;
    stats stats;
} conn_room;

/* Notes whether a descriptor is ours, for a forked child. Any thread. */
void room_mark(conn_room *room, int fd, uint8_t ours);
/* Puts a connection in the line of those that go on later: at its end, or where the next one stands. */
void room_wait(conn_room *room, conn *con, bool next);
/* Takes the first of the line; the caller has seen that there is one. */
conn *room_take_waiting(conn_room *room);
/* Remembers that a connection was answered and has to be settled. */
void room_touch(conn_room *room, conn *con);
/* Frees what was read of a request whose body was arriving. */
void room_drop_request(conn *con);

#endif
