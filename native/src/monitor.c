/* The monitor; see monitor.h.
 *
 * Owns:  the decision when to tick, when to sleep, and when to go slower.
 * Knows: that a tick costs a wake-up, so there are none while the holder sleeps in its poll.
 * Never: judges a route; that is done in Python, from evidence.
 */
#include "monitor.h"

#include <signal.h>
#include <time.h>

#include "tinybeam.h"

enum {
    MONITOR_QUIET_TICKS = 16, /* ticks in one and the same poll before the monitor goes to sleep */
    MONITOR_SLOWEST = 16,     /* how many times longer a tick grows while a blocked holder has no successor */
};

/* Waits a tick, or until shutdown. */
static void monitor_tick(lobby *lob, uint64_t ms) {
    struct timespec until = lobby_after(ms);
    pthread_mutex_lock(&lob->lock);
    if (!atomic_load(&lob->closing)) {
        pthread_cond_timedwait(&lob->monitor_cond, &lob->lock, &until);
    }
    pthread_mutex_unlock(&lob->lock);
}

/* Sleeps until a holder leaves its poll. */
static void monitor_sleep(lobby *lob, uint64_t seen) {
    pthread_mutex_lock(&lob->lock);
    atomic_store(&lob->monitor_asleep, true);
    while (atomic_load(&lob->monitor_asleep) && atomic_load(&lob->word) == seen && !atomic_load(&lob->closing)) {
        pthread_cond_wait(&lob->monitor_cond, &lob->lock);
    }
    atomic_store(&lob->monitor_asleep, false);
    pthread_mutex_unlock(&lob->lock);
}

/* How long the next tick is: slower ones still end when a deadline is met. */
static uint64_t monitor_tick_ms(const monitor *mon, uint64_t slowness) {
    const uint64_t tick_ms = mon->tick_ms * slowness;
    const uint64_t left_ms = scheduler_left_ms(mon->sched);
    return left_ms >= tick_ms ? tick_ms : left_ms < 1 ? 1 : left_ms;
}

/* Keeps the deadlines in place of a holder that has not polled for a tick. */
static void monitor_serve(monitor *mon, uint64_t seen) {
    if (scheduler_left_ms(mon->sched) == 0 && lobby_begin_service(mon->lob, seen)) {
        scheduler_serve(mon->sched);
        lobby_end_service(mon->lob);
    }
}

static void *monitor_run(void *context) {
    monitor *mon = context;
    lobby *lob = mon->lob;
    uint64_t seen = 0;
    uint64_t slowness = 1;
    unsigned quiet = 0;
    while (!atomic_load(&lob->closing)) {
        monitor_tick(lob, monitor_tick_ms(mon, slowness));
        uint64_t word = atomic_load(&lob->word);
        if (word != seen) {
            seen = word;
            quiet = 0;
            slowness = 1;
        } else if (lobby_polling(lob)) {
            if (++quiet >= MONITOR_QUIET_TICKS) {
                monitor_sleep(lob, seen);
                quiet = 0;
            }
        } else if (lobby_on_tick(lob, seen)) {
            atomic_fetch_add_explicit(&mon->sched->room.stats.takeovers, 1, memory_order_relaxed);
            slowness = 1;
        } else {
            monitor_serve(mon, seen);
            slowness = slowness < MONITOR_SLOWEST ? slowness * 2 : slowness;
        }
    }
    return NULL;
}

int32_t monitor_open(monitor *mon, lobby *lob, scheduler *sched, uint64_t tick_ms) {
    *mon = (monitor){.lob = lob, .sched = sched, .tick_ms = tick_ms};
    sigset_t all, before;
    sigfillset(&all);
    /* The thread inherits the mask: the host's signals are handled by the host's threads. */
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) {
        return TB_EINVAL;
    }
    int failed = pthread_create(&mon->thread, NULL, monitor_run, mon);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    mon->started = failed == 0;
    return failed == 0 ? TB_OK : TB_ESYSTEM - failed;
}

void monitor_close(monitor *mon) {
    if (mon->started) {
        pthread_join(mon->thread, NULL);
        mon->started = false;
    }
}
