/* A scheduler: a poll set, the connections in it, and the answers that are not flushed yet.
 *
 * Owns:  the epoll descriptor, the wake-up descriptors, the connections, the listeners, the posted answers.
 * Knows: how to turn events into a batch, and answers into octets.
 * Never: is used by two threads at once, but for what is said to be for any thread.
 */
#ifndef TINYBEAM_SCHEDULER_H
#define TINYBEAM_SCHEDULER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "acceptor.h"
#include "conn.h"
#include "post.h"
#include "tinybeam.h"

typedef struct scheduler {
    conn_room room;
    acceptor acceptor;
    int wake_fd;            /* eventfd */
    int signal_fds[2];      /* a pipe: read by us, written by signal handlers */
    _Atomic uint32_t flags; /* TB_POLL_... that the next poll shall return */
    _Atomic bool sleeping;  /* the holder waits, or is about to */
    _Atomic bool closing;
    _Atomic bool drain_due;
    bool drained; /* reported */
    bool listeners_first;
    uint32_t events_told; /* since timers were last looked at */
    post_box posts;
    _Atomic uint64_t due_ms;      /* when the next timer fires; for the monitor, which serves when nobody else does */
    _Atomic uint64_t batch_bytes; /* what the last TB_EBUFFER asked for */
} scheduler;

int32_t scheduler_init(scheduler *sched, const tb_config *config, uint64_t seed);
void scheduler_deinit(scheduler *sched);

/* One poll: flushes, waits until something is ready, and fills the batch. Returns TB_POLL_... flags or a code. */
int32_t scheduler_poll(scheduler *sched, batch *bat);
/* How long until a timer fires, 0 when one has, or WHEEL_NEVER. Any thread. */
uint64_t scheduler_left_ms(const scheduler *sched);
/* Does everything that a poll does without a batch: for the monitor, in place of a holder that does not come. */
void scheduler_serve(scheduler *sched);
/* Makes the holder look, if it sleeps. Any thread. */
void scheduler_kick(scheduler *sched);
/* The monotonic clock. */
uint64_t scheduler_now_ms(void);
/* Makes the holder's poll return with these flags. Any thread. */
void scheduler_wake(scheduler *sched, uint32_t flags);

#endif
