/* Counters that one thread at a time writes and any thread reads.
 *
 * Owns:  the counters behind tb_stats.
 * Knows: that a relaxed load and store is enough where the writer is alone, and costs what a plain add costs.
 * Never: is used to decide anything.
 */
#ifndef TINYBEAM_STATS_H
#define TINYBEAM_STATS_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t stats_counter;

typedef struct stats {
    stats_counter connections_open;
    stats_counter connections_accepted;
    stats_counter accept_errors;
    stats_counter requests;
    stats_counter requests_refused;
    stats_counter constants;
    stats_counter handles_open;
    stats_counter polls;
    stats_counter requests_shed;
    stats_counter requests_overdue;
    stats_counter timeouts_header;
    stats_counter timeouts_body;
    stats_counter timeouts_keepalive;
    stats_counter timeouts_write;
    stats_counter streams;
    stats_counter files;
    /* These three are counted by any thread, with an atomic add. */
    stats_counter answers_refused;
    stats_counter answers_late;
    stats_counter takeovers;
} stats;

static inline void stats_add(stats_counter *counter, uint64_t more) {
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + more, memory_order_relaxed);
}

static inline uint64_t stats_of(const stats_counter *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
