/* Handles: one-shot tickets for unanswered requests.
 *
 * Owns:  the slots, their generations, and the right to answer (an atomic state that is taken once).
 * Knows: handle = salt (12 bits) | generation (32) | slot (20). A forged, stale or foreign handle is a code.
 * Never: hands out a pointer, reuses a generation (a slot whose generations are used up is retired), or moves a slot.
 *
 * Any thread may take; only the holder of the scheduler opens, frees and touches a slot's other fields (hazards, R2,
 * R3).
 */
#ifndef TINYBEAM_HANDLE_H
#define TINYBEAM_HANDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wheel.h"

struct conn;
struct inflow;
struct shipment;

enum { HANDLE_SLOT_BITS = 20, HANDLE_SLOTS_MAX = 1 << HANDLE_SLOT_BITS };
#define HANDLE_NONE UINT32_MAX

/* One request and its answer: what a slot holds. */
typedef struct exchange {
    _Atomic uint64_t ticket; /* generation << 2 | state */
    struct conn *conn;       /* NULL once the client has left */
    uint8_t *answer;         /* the whole response, when it came before its turn on the wire */
    struct shipment *cargo;  /* the file that is its body, or NULL */
    struct inflow *inflow;   /* its body on the way to a reader, or NULL; only under the room's lock for it */
    size_t answer_len;
    uint32_t next; /* the next exchange of the connection, or of the free list */
    bool ready;    /* answer holds what the wire waits for */
    bool head;     /* HEAD: the answer has no body octets */
    bool safe;     /* a safe method: may run beside other safe ones of its connection (RFC 9112 §9.3.2) */
    bool http10;
    bool keep_alive;
    bool offered;         /* its body is not asked for yet */
    bool granted;         /* its body is arriving; nobody has the handle */
    uint8_t upgrade;      /* the protocol that it asks for: 1 + its index, or 0 */
    uint8_t stream;       /* a stream_state */
    uint8_t news;         /* what there is to tell of it: TB_NEWS_..., or 0 */
    _Atomic bool bodied;  /* there may be an inflow */
    _Atomic bool hung_up; /* the client has shut its side */
    bool chunked;
    bool asked;         /* for TB_NEWS_MORE */
    uint32_t news_next; /* the next exchange of which there is something to tell */
    uint64_t left;      /* octets of the stream that are still to come, if that is known */
    wheel_timer timer;
    uint64_t since_ms; /* when it was handed over */
    uint64_t due_ms;   /* when it is answered 504 */
} exchange;

typedef struct handle_table {
    exchange *slots;
    uint32_t capacity;
    uint32_t used; /* slots that were ever opened */
    uint32_t free_head;
    uint32_t open; /* slots that are not free */
    uint32_t generation_first;
    uint32_t salt;
} handle_table;

bool handle_init(handle_table *table, uint32_t capacity, uint64_t seed);
void handle_deinit(handle_table *table);
/* Opens a slot and gives its handle. False when all are taken. Scheduler only. */
bool handle_open(handle_table *table, uint64_t *handle, uint32_t *slot);
/* Takes the right to answer: TB_OK, TB_EDISCONNECTED (taken, but the client had left), TB_EALREADY or TB_EBADHANDLE.
 * After the first two the caller owes the slot to handle_close by way of the scheduler. */
int32_t handle_take(handle_table *table, uint64_t handle, uint32_t *slot);
/* The client has left: an answer that comes later gets TB_EDISCONNECTED. Scheduler only. */
void handle_on_disconnect(handle_table *table, uint32_t slot);
/* Frees a slot; its handle is stale from now on. Scheduler only. */
void handle_close(handle_table *table, uint32_t slot);
/* Makes the slot of a handle that was taken open again, under a new handle: see handle_of. False when its
 * generations are used up. Scheduler only. */
bool handle_reopen(handle_table *table, uint32_t slot);
/* Whether the slot is open and not taken; whoever knows its handle may answer. */
bool handle_awaits(const handle_table *table, uint32_t slot);
/* TB_OK while a handle may be answered and its client is there, else as handle_take. Any thread. */
int32_t handle_state(const handle_table *table, uint64_t handle);
/* The same, but TB_EDISCONNECTED also once its client has shut its side. */
int32_t handle_client(const handle_table *table, uint64_t handle);
/* The handle of a slot as it stands. */
uint64_t handle_of(const handle_table *table, uint32_t slot);

#endif
