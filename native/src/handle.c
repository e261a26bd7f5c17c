/* Handles: one-shot tickets for unanswered requests; see handle.h.
 *
 * Owns:  the state machine free -> open -> (gone ->) taken -> free, and the generations.
 * Knows: C11 atomics; a take is one compare-and-swap.
 * Never: dereferences anything on the word of a handle before the slot index and generation were checked.
 */
#include "handle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tinybeam.h"

enum {
    HANDLE_FREE = 0,
    HANDLE_OPEN = 1,
    HANDLE_TAKEN = 2,
    HANDLE_GONE = 3,
    HANDLE_STATE_BITS = 2,
    HANDLE_STATE_MASK = 3
};
enum { HANDLE_SALT_SHIFT = 52 };
static const uint64_t handle_salt_mask = 0xfff;

static uint32_t handle_generation(uint64_t ticket) {
    return (uint32_t)(ticket >> HANDLE_STATE_BITS);
}

static uint64_t handle_ticket(uint32_t generation, unsigned state) {
    return (uint64_t)generation << HANDLE_STATE_BITS | state;
}

bool handle_init(handle_table *table, uint32_t capacity, uint64_t seed) {
    assert(capacity > 0 && capacity <= HANDLE_SLOTS_MAX);
    exchange *slots = calloc(capacity, sizeof *slots); /* pages are touched when their slots are first used */
    if (slots == NULL) {
        return false;
    }
    *table = (handle_table){
        .slots = slots,
        .capacity = capacity,
        .free_head = HANDLE_NONE,
        /* A random first generation makes one engine's handles strangers to another's, beside the salt. */
        .generation_first = (uint32_t)(seed >> 33) | 1,
        .salt = (uint32_t)(seed & handle_salt_mask),
    };
    return true;
}

void handle_deinit(handle_table *table) {
    for (uint32_t i = 0; i < table->used; i++) {
        free(table->slots[i].answer);
    }
    free(table->slots);
    *table = (handle_table){0};
}

uint64_t handle_of(const handle_table *table, uint32_t slot) {
    uint64_t ticket = atomic_load_explicit(&table->slots[slot].ticket, memory_order_relaxed);
    return (uint64_t)table->salt << HANDLE_SALT_SHIFT | (uint64_t)handle_generation(ticket) << HANDLE_SLOT_BITS | slot;
}

bool handle_open(handle_table *table, uint64_t *handle, uint32_t *slot) {
    uint32_t index = table->free_head;
    uint32_t generation;
    if (index != HANDLE_NONE) {
        table->free_head = table->slots[index].next;
        generation = handle_generation(atomic_load_explicit(&table->slots[index].ticket, memory_order_relaxed));
    } else if (table->used < table->capacity) {
        index = table->used++;
        generation = table->generation_first;
    } else {
        return false;
    }
    exchange *ex = &table->slots[index];
    ex->conn = NULL;
    ex->answer = NULL;
    ex->cargo = NULL;
    ex->answer_len = 0;
    ex->next = HANDLE_NONE;
    ex->ready = ex->offered = ex->granted = false;
    ex->upgrade = ex->stream = ex->news = 0;
    atomic_store_explicit(&ex->bodied, false, memory_order_relaxed);
    atomic_store_explicit(&ex->hung_up, false, memory_order_relaxed);
    atomic_store_explicit(&ex->ticket, handle_ticket(generation, HANDLE_OPEN), memory_order_release);
    table->open++;
    *slot = index;
    *handle = handle_of(table, index);
    return true;
}

/* Why a handle is not that of its slot as it stands. A generation that was given out before is a handle that was spent
 * before. */
static int32_t handle_stale(const handle_table *table, uint32_t generation, uint32_t current) {
    const bool spent = current != 0 && generation >= table->generation_first && generation < current;
    return spent ? TB_EALREADY : TB_EBADHANDLE;
}

int32_t handle_state(const handle_table *table, uint64_t handle) {
    const uint32_t index = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    const uint32_t generation = (uint32_t)(handle >> HANDLE_SLOT_BITS);
    if (handle >> HANDLE_SALT_SHIFT != table->salt || index >= table->capacity) {
        return TB_EBADHANDLE;
    }
    const uint64_t ticket = atomic_load_explicit(&table->slots[index].ticket, memory_order_acquire);
    const unsigned state = (unsigned)(ticket & HANDLE_STATE_MASK);
    if (generation != handle_generation(ticket) || state == HANDLE_FREE) {
        return handle_stale(table, generation, handle_generation(ticket));
    }
    return state == HANDLE_OPEN ? TB_OK : state == HANDLE_GONE ? TB_EDISCONNECTED : TB_EALREADY;
}

int32_t handle_client(const handle_table *table, uint64_t handle) {
    const uint32_t index = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    const bool hung_up =
        index < table->capacity && atomic_load_explicit(&table->slots[index].hung_up, memory_order_acquire);
    const int32_t code = handle_state(table, handle);
    return hung_up && handle_of(table, index) == handle ? TB_EDISCONNECTED : code;
}

int32_t handle_take(handle_table *table, uint64_t handle, uint32_t *slot) {
    uint32_t index = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    uint32_t generation = (uint32_t)(handle >> HANDLE_SLOT_BITS);
    if (handle >> HANDLE_SALT_SHIFT != table->salt || index >= table->capacity) {
        return TB_EBADHANDLE;
    }
    _Atomic uint64_t *word = &table->slots[index].ticket;
    uint64_t ticket = atomic_load_explicit(word, memory_order_acquire);
    for (;;) {
        unsigned state = (unsigned)(ticket & HANDLE_STATE_MASK);
        uint32_t current = handle_generation(ticket);
        if (generation != current || state == HANDLE_FREE) {
            return handle_stale(table, generation, current);
        }
        if (state == HANDLE_TAKEN) {
            return TB_EALREADY;
        }
        uint64_t taken = handle_ticket(generation, HANDLE_TAKEN);
        if (atomic_compare_exchange_weak_explicit(word, &ticket, taken, memory_order_acq_rel, memory_order_acquire)) {
            *slot = index;
            return state == HANDLE_OPEN ? TB_OK : TB_EDISCONNECTED;
        }
    }
}

void handle_on_disconnect(handle_table *table, uint32_t slot) {
    exchange *ex = &table->slots[slot];
    ex->conn = NULL;
    uint64_t ticket = atomic_load_explicit(&ex->ticket, memory_order_relaxed);
    if ((ticket & HANDLE_STATE_MASK) == HANDLE_OPEN) {
        uint64_t gone = handle_ticket(handle_generation(ticket), HANDLE_GONE);
        /* When this fails, another thread has just taken the handle; its answer finds no connection. */
        atomic_compare_exchange_strong_explicit(&ex->ticket, &ticket, gone, memory_order_acq_rel, memory_order_acquire);
    }
}

void handle_close(handle_table *table, uint32_t slot) {
    exchange *ex = &table->slots[slot];
    uint64_t ticket = atomic_load_explicit(&ex->ticket, memory_order_relaxed);
    assert((ticket & HANDLE_STATE_MASK) != HANDLE_FREE && ex->inflow == NULL);
    free(ex->answer);
    ex->answer = NULL;
    ex->conn = NULL;
    uint32_t generation = handle_generation(ticket);
    table->open--;
    if (generation == UINT32_MAX) {
        /* Retired: left at its last generation, taken for ever, so that no old handle can become valid again. */
        atomic_store_explicit(&ex->ticket, handle_ticket(generation, HANDLE_TAKEN), memory_order_release);
        return;
    }
    atomic_store_explicit(&ex->ticket, handle_ticket(generation + 1, HANDLE_FREE), memory_order_release);
    ex->next = table->free_head;
    table->free_head = slot;
}

bool handle_reopen(handle_table *table, uint32_t slot) {
    exchange *ex = &table->slots[slot];
    const uint64_t ticket = atomic_load_explicit(&ex->ticket, memory_order_relaxed);
    const uint32_t generation = handle_generation(ticket);
    assert((ticket & HANDLE_STATE_MASK) == HANDLE_TAKEN);
    if (generation == UINT32_MAX) {
        return false;
    }
    atomic_store_explicit(&ex->ticket, handle_ticket(generation + 1, HANDLE_OPEN), memory_order_release);
    return true;
}

bool handle_awaits(const handle_table *table, uint32_t slot) {
    const uint64_t ticket = atomic_load_explicit(&table->slots[slot].ticket, memory_order_relaxed);
    const unsigned state = (unsigned)(ticket & HANDLE_STATE_MASK);
    return state == HANDLE_OPEN || state == HANDLE_GONE;
}
