/* A body on its way to its reader; see inflow.h.
 *
 * Owns:  the memory of an inflow, which hangs on its exchange.
 * Knows: that an exchange with an inflow cannot end while the lock is held, for its end takes the lock.
 * Never: does more than copy under the lock.
 */
#include "inflow.h"

#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "news.h"
#include "tinybeam.h"

typedef struct inflow {
    buffer octets;
    size_t taken; /* of them */
    buffer trailers;
    uint64_t bytes_max;
    struct inflow *wanted_next;
    uint32_t slot;
    uint32_t status; /* how it has ended, or 0 */
    bool begun;      /* the reader has asked for it */
    bool awaited;    /* the reader waits to be told of octets, or of the end */
    bool held;       /* the connection waits to be told that there is room */
    bool wanted;     /* it is on the list of those */
} inflow;

/* The slot of a handle as it stands, or HANDLE_NONE. Under the lock that is true until the lock is let go. */
static uint32_t inflow_find(const conn_room *room, uint64_t handle) {
    const uint32_t slot = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    if (slot >= room->handles.capacity ||
        !atomic_load_explicit(&room->handles.slots[slot].bodied, memory_order_acquire) ||
        handle_of(&room->handles, slot) != handle) {
        return HANDLE_NONE;
    }
    return slot;
}

int32_t inflow_open(conn_room *room, uint64_t handle, uint64_t bytes_max) {
    inflow *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return TB_ENOMEM;
    }
    made->bytes_max = bytes_max;
    pthread_mutex_lock(&room->inflow_lock);
    const uint32_t slot = inflow_find(room, handle);
    int32_t code = slot == HANDLE_NONE ? TB_EBADHANDLE : handle_state(&room->handles, handle);
    if (code == TB_OK && room->handles.slots[slot].inflow != NULL) {
        code = TB_EALREADY;
    }
    if (code == TB_OK) {
        made->slot = slot;
        room->handles.slots[slot].inflow = made;
        made = NULL;
    }
    pthread_mutex_unlock(&room->inflow_lock);
    free(made);
    return code;
}

/* Puts it on the list of those that the holder shall read on. Under the lock. */
static void inflow_want(conn_room *room, inflow *flow, bool *wanted) {
    if (!flow->wanted) {
        flow->wanted = true;
        flow->wanted_next = atomic_load_explicit(&room->inflow_wanted, memory_order_relaxed);
        atomic_store_explicit(&room->inflow_wanted, flow, memory_order_seq_cst);
    }
    *wanted = true;
}

bool inflow_pending(conn_room *room) {
    return atomic_load_explicit(&room->inflow_wanted, memory_order_seq_cst) != NULL;
}

static int64_t inflow_copy(conn_room *room, inflow *flow, void *octets, size_t capacity, bool *wanted) {
    const size_t left = flow->octets.len - flow->taken;
    const size_t len = left < capacity ? left : capacity;
    memcpy(octets, flow->octets.octets + flow->taken, len);
    flow->taken += len;
    if (flow->taken == flow->octets.len) {
        flow->octets.len = flow->taken = 0;
        if (flow->status != 0) {
            buffer_deinit(&flow->octets);
        }
    }
    if (flow->held && left - len <= INFLOW_LOW) {
        flow->held = false;
        inflow_want(room, flow, wanted);
    }
    return (int64_t)len;
}

/* What there is to say when there are no octets. */
static int64_t inflow_verdict(conn_room *room, inflow *flow, bool *wanted) {
    switch (flow->status) {
    case INFLOW_WHOLE:
        return 0;
    case INFLOW_LEFT:
        return TB_EDISCONNECTED;
    case 0:
        if (!flow->begun) {
            inflow_want(room, flow, wanted);
        }
        flow->begun = flow->awaited = true;
        return TB_EWAIT;
    default:
        return TB_EBODY - (int64_t)flow->status;
    }
}

/* Why a handle has no inflow. */
static int32_t inflow_missing(const conn_room *room, uint64_t handle) {
    const int32_t code = handle_state(&room->handles, handle);
    return code == TB_OK ? TB_EBADHANDLE : code;
}

int64_t inflow_take(conn_room *room, uint64_t handle, void *octets, size_t capacity, bool *wanted) {
    int64_t result;
    *wanted = false;
    pthread_mutex_lock(&room->inflow_lock);
    const uint32_t slot = inflow_find(room, handle);
    inflow *flow = slot == HANDLE_NONE ? NULL : room->handles.slots[slot].inflow;
    if (flow == NULL) {
        result = inflow_missing(room, handle);
    } else if (flow->octets.len > flow->taken) {
        result = inflow_copy(room, flow, octets, capacity, wanted);
    } else {
        result = inflow_verdict(room, flow, wanted);
    }
    pthread_mutex_unlock(&room->inflow_lock);
    return result;
}

int64_t inflow_take_trailers(conn_room *room, uint64_t handle, void *octets, size_t capacity) {
    int64_t result;
    pthread_mutex_lock(&room->inflow_lock);
    const uint32_t slot = inflow_find(room, handle);
    inflow *flow = slot == HANDLE_NONE ? NULL : room->handles.slots[slot].inflow;
    if (flow == NULL) {
        result = inflow_missing(room, handle);
    } else if (flow->trailers.len + 1 > capacity) {
        result = TB_EBUFFER;
    } else {
        const uint8_t *lines = flow->trailers.len == 0 ? octets : flow->trailers.octets;
        const uint8_t *end = batch_write_trailers(octets, lines, flow->trailers.len);
        result = end - (uint8_t *)octets;
    }
    pthread_mutex_unlock(&room->inflow_lock);
    return result;
}

/* Tells the reader, if it waits. Under the lock. */
static void inflow_tell(conn_room *room, uint32_t slot, inflow *flow) {
    if (flow->awaited) {
        flow->awaited = false;
        news_push(room, slot, TB_NEWS_BODY);
    }
}

/* The first of the list, taken off it: its slot and its limit. Under the lock it cannot go; afterwards only the holder
 * ends an exchange. */
static bool inflow_next_wanted(conn_room *room, uint32_t *slot, uint64_t *bytes_max) {
    pthread_mutex_lock(&room->inflow_lock);
    inflow *flow = atomic_load_explicit(&room->inflow_wanted, memory_order_relaxed);
    if (flow != NULL) {
        flow->wanted = false;
        atomic_store_explicit(&room->inflow_wanted, flow->wanted_next, memory_order_relaxed);
        *slot = flow->slot;
        *bytes_max = flow->bytes_max;
    }
    pthread_mutex_unlock(&room->inflow_lock);
    return flow != NULL;
}

void inflow_take_wanted(conn_room *room) {
    uint32_t slot;
    uint64_t bytes_max;
    while (inflow_pending(room) && inflow_next_wanted(room, &slot, &bytes_max)) {
        exchange_flow(room, slot, bytes_max);
    }
}

bool inflow_has_reader(conn_room *room, uint32_t slot) {
    pthread_mutex_lock(&room->inflow_lock);
    const bool read = room->handles.slots[slot].inflow != NULL;
    pthread_mutex_unlock(&room->inflow_lock);
    return read;
}

bool inflow_push(conn_room *room, conn *con, const uint8_t *octets, size_t len) {
    const uint32_t slot = con->request->slot;
    pthread_mutex_lock(&room->inflow_lock);
    inflow *flow = room->handles.slots[slot].inflow;
    if (flow->taken > 0 && flow->octets.capacity - flow->octets.len < len) {
        buffer_take(&flow->octets, flow->taken);
        flow->taken = 0;
    }
    const bool pushed = buffer_push(&flow->octets, octets, len);
    if (pushed) {
        con->request->held = flow->held = flow->octets.len - flow->taken >= INFLOW_HIGH;
        inflow_tell(room, slot, flow);
    }
    pthread_mutex_unlock(&room->inflow_lock);
    return pushed;
}

void inflow_end(conn_room *room, uint32_t slot, uint32_t status, buffer *trailers) {
    pthread_mutex_lock(&room->inflow_lock);
    inflow *flow = room->handles.slots[slot].inflow;
    if (flow != NULL && flow->status == 0) {
        flow->status = status;
        if (trailers != NULL) {
            flow->trailers = *trailers;
            *trailers = (buffer){0};
        }
        inflow_tell(room, slot, flow);
    }
    pthread_mutex_unlock(&room->inflow_lock);
}

/* Takes it off the list. Under the lock. */
static void inflow_unwant(conn_room *room, inflow *flow) {
    inflow *before = atomic_load_explicit(&room->inflow_wanted, memory_order_relaxed);
    if (before == flow) {
        atomic_store_explicit(&room->inflow_wanted, flow->wanted_next, memory_order_relaxed);
        return;
    }
    while (before->wanted_next != flow) {
        before = before->wanted_next;
    }
    before->wanted_next = flow->wanted_next;
}

void inflow_close(conn_room *room, uint32_t slot) {
    exchange *ex = &room->handles.slots[slot];
    if (!atomic_load_explicit(&ex->bodied, memory_order_relaxed)) {
        return;
    }
    pthread_mutex_lock(&room->inflow_lock);
    inflow *flow = ex->inflow;
    ex->inflow = NULL;
    if (flow != NULL && flow->wanted) {
        inflow_unwant(room, flow);
    }
    atomic_store_explicit(&ex->bodied, false, memory_order_relaxed);
    pthread_mutex_unlock(&room->inflow_lock);
    if (flow != NULL) {
        inflow_tell(room, slot, flow);
        buffer_deinit(&flow->octets);
        buffer_deinit(&flow->trailers);
        free(flow);
    }
}
