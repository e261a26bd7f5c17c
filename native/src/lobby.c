/* Who holds the scheduler, and who waits to; see lobby.h.
 *
 * Owns:  the transitions of the word: running -> polling (the holder), polling -> running (the holder),
 *        running -> running of another (the monitor, or a holder that leaves), running -> served -> running (the
 *        monitor, under the lock).
 * Knows: condition variables on the monotonic clock.
 * Never: lets the last one on stand-by go.
 */
#include "lobby.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tinybeam.h"

enum { LOBBY_RUNNING = 1, LOBBY_POLLING = 2, LOBBY_SERVED = 3, LOBBY_NOBODY = 0xffff };

static uint64_t lobby_word(uint32_t sequence, uint32_t holder, unsigned state) {
    return (uint64_t)sequence << 32 | (uint64_t)holder << 8 | state;
}

static uint32_t lobby_holder(uint64_t word) {
    return (uint32_t)(word >> 8) & 0xffff;
}

static uint32_t lobby_sequence(uint64_t word) {
    return (uint32_t)(word >> 32);
}

static unsigned lobby_state(uint64_t word) {
    return (unsigned)(word & 0xff);
}

static bool lobby_init_cond(pthread_cond_t *cond) {
    pthread_condattr_t attr;
    if (pthread_condattr_init(&attr) != 0) {
        return false;
    }
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return failed == 0;
}

bool lobby_init(lobby *lob, uint32_t handles_max, uint64_t idle_ms) {
    lob->handles_max = handles_max;
    lob->idle_ms = idle_ms;
    lob->items = calloc(LOBBY_RUNNERS_MAX, sizeof *lob->items);
    lob->phases = calloc(LOBBY_RUNNERS_MAX, sizeof *lob->phases);
    atomic_store(&lob->word, lobby_word(0, LOBBY_NOBODY, LOBBY_RUNNING));
    return lob->items != NULL && lob->phases != NULL && pthread_mutex_init(&lob->lock, NULL) == 0 &&
           lobby_init_cond(&lob->monitor_cond);
}

void lobby_deinit(lobby *lob) {
    for (uint32_t i = 0; lob->items != NULL && i < LOBBY_RUNNERS_MAX; i++) {
        free(lob->items[i].handles);
        if (lob->items[i].handles != NULL) {
            pthread_cond_destroy(&lob->items[i].given_cond);
        }
    }
    free(lob->items);
    free((void *)(uintptr_t)lob->phases);
    lob->items = NULL;
    lob->phases = NULL;
}

/* Gives the scheduler to nobody's successor, if nobody holds it. */
static bool lobby_claim(lobby *lob, uint32_t runner) {
    uint64_t word = atomic_load(&lob->word);
    uint64_t claimed = lobby_word(lobby_sequence(word) + 1, runner, LOBBY_RUNNING);
    return lobby_holder(word) == LOBBY_NOBODY && lobby_state(word) == LOBBY_RUNNING &&
           atomic_compare_exchange_strong(&lob->word, &word, claimed);
}

int32_t lobby_open(lobby *lob) {
    int32_t result = TB_ELIMIT;
    pthread_mutex_lock(&lob->lock);
    for (uint32_t i = 0; i < LOBBY_RUNNERS_MAX; i++) {
        lobby_runner *item = &lob->items[i];
        if (item->open) {
            continue;
        }
        if (item->handles == NULL) {
            uint64_t *handles = calloc(lob->handles_max + 1 + 2 * TB_NEWS_MAX, sizeof *handles);
            if (handles == NULL || !lobby_init_cond(&item->given_cond)) {
                free(handles);
                result = TB_ENOMEM;
                break;
            }
            item->handles = handles;
            item->news = handles + lob->handles_max;
        }
        item->open = true;
        item->waiting = item->given = false;
        item->handles_len = 0;
        atomic_store(&lob->phases[i], 0);
        lob->runners++;
        lobby_claim(lob, i);
        result = (int32_t)i;
        break;
    }
    pthread_mutex_unlock(&lob->lock);
    return result;
}

/* The one on stand-by that parked last, or NULL. Under the lock. */
static lobby_runner *lobby_next(lobby *lob) {
    lobby_runner *latest = NULL;
    for (uint32_t i = 0, left = atomic_load(&lob->standbys); i < LOBBY_RUNNERS_MAX && left > 0; i++) {
        lobby_runner *item = &lob->items[i];
        if (item->waiting && !item->given) {
            latest = latest == NULL || (int32_t)(item->parked - latest->parked) > 0 ? item : latest;
            left--;
        }
    }
    return latest;
}

/* Hands the scheduler from the runner that `word` names to one on stand-by. Under the lock. */
static bool lobby_hand_over(lobby *lob, uint64_t word) {
    lobby_runner *next = lobby_next(lob);
    if (next == NULL) {
        return false;
    }
    uint64_t handed = lobby_word(lobby_sequence(word) + 1, (uint32_t)(next - lob->items), LOBBY_RUNNING);
    if (!atomic_compare_exchange_strong(&lob->word, &word, handed)) {
        return false; /* the holder has polled after all */
    }
    next->given = true;
    next->from = (uint16_t)lobby_holder(word);
    atomic_fetch_sub(&lob->standbys, 1);
    pthread_cond_signal(&next->given_cond);
    return true;
}

int32_t lobby_close(lobby *lob, uint32_t runner) {
    if (runner >= LOBBY_RUNNERS_MAX) {
        return TB_EINVAL;
    }
    pthread_mutex_lock(&lob->lock);
    bool open = lob->items[runner].open;
    if (open) {
        lob->items[runner].open = false;
        lob->runners--;
        uint64_t word = atomic_load(&lob->word);
        if (lobby_holder(word) == runner && !lobby_hand_over(lob, word)) {
            atomic_store(&lob->word, lobby_word(lobby_sequence(word) + 1, LOBBY_NOBODY, LOBBY_RUNNING));
        }
    }
    pthread_mutex_unlock(&lob->lock);
    return open ? TB_OK : TB_EINVAL;
}

/* The word, once nobody is serving. */
static uint64_t lobby_settled_word(lobby *lob) {
    uint64_t word = atomic_load_explicit(&lob->word, memory_order_acquire);
    while (lobby_state(word) == LOBBY_SERVED) {
        pthread_mutex_lock(&lob->lock); /* the monitor has it while it serves */
        pthread_mutex_unlock(&lob->lock);
        word = atomic_load_explicit(&lob->word, memory_order_acquire);
    }
    return word;
}

bool lobby_take(lobby *lob, uint32_t runner) {
    uint64_t word = lobby_settled_word(lob);
    if (lobby_holder(word) == LOBBY_NOBODY) {
        lobby_claim(lob, runner);
        word = lobby_settled_word(lob);
    }
    while (lobby_holder(word) == runner && lobby_state(word) == LOBBY_RUNNING) {
        const uint64_t polling = lobby_word(lobby_sequence(word), runner, LOBBY_POLLING);
        if (atomic_compare_exchange_strong_explicit(&lob->word, &word, polling, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return true;
        }
        word = lobby_settled_word(lob); /* the monitor serves, or has just handed over */
    }
    return false;
}

void lobby_release(lobby *lob, uint32_t runner) {
    atomic_store_explicit(&lob->phases[runner], 0, memory_order_relaxed);
    uint64_t word = atomic_load_explicit(&lob->word, memory_order_relaxed);
    /* Sequentially consistent, like the monitor's store of monitor_asleep: one of the two sees the other. */
    atomic_store(&lob->word, lobby_word(lobby_sequence(word) + 1, runner, LOBBY_RUNNING));
    if (atomic_load(&lob->monitor_asleep)) {
        pthread_mutex_lock(&lob->lock);
        atomic_store(&lob->monitor_asleep, false);
        pthread_cond_signal(&lob->monitor_cond);
        pthread_mutex_unlock(&lob->lock);
    }
}

struct timespec lobby_after(uint64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(ms / 1000);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

/* Waits for the condition, at most idle_ms if there are others on stand-by. False when it has waited long enough. */
static bool lobby_park(lobby *lob, lobby_runner *item) {
    if (atomic_load(&lob->standbys) <= 1) {
        pthread_cond_wait(&item->given_cond, &lob->lock);
        return true;
    }
    struct timespec until = lobby_after(lob->idle_ms);
    return pthread_cond_timedwait(&item->given_cond, &lob->lock, &until) != ETIMEDOUT;
}

int64_t lobby_wait(lobby *lob, uint32_t runner) {
    lobby_runner *item = &lob->items[runner];
    uint64_t flags = 0;
    /* It runs no handler any more: when it is given the scheduler, the monitor must not take it for blocked at once. */
    atomic_store(&lob->phases[runner], 0);
    pthread_mutex_lock(&lob->lock);
    /* The holder may have left since this runner looked, and then nobody would wake it. */
    item->given = lobby_claim(lob, runner);
    item->from = LOBBY_NOBODY;
    item->waiting = true;
    item->parked = ++lob->parked;
    atomic_fetch_add(&lob->standbys, item->given ? 0 : 1);
    while (!item->given && flags == 0 && !atomic_load(&lob->closing)) {
        if (!lobby_park(lob, item) && !item->given && atomic_load(&lob->standbys) > 1) {
            flags = TB_POLL_RETIRE;
        }
    }
    item->waiting = false;
    if (item->given) {
        flags = TB_POLL_RESUME | (atomic_load(&lob->standbys) == 0 ? TB_POLL_SPARE : 0);
    } else {
        atomic_fetch_sub(&lob->standbys, 1);
    }
    uint64_t from = item->from;
    item->given = false;
    pthread_mutex_unlock(&lob->lock);
    if (flags == 0) {
        return TB_ESHUTDOWN;
    }
    return (int64_t)(flags << 48 | (flags & TB_POLL_RESUME ? from << 32 : 0));
}

bool lobby_on_tick(lobby *lob, uint64_t seen) {
    uint64_t word = atomic_load(&lob->word);
    uint32_t holder = lobby_holder(word);
    if (word != seen || lobby_state(word) != LOBBY_RUNNING || holder == LOBBY_NOBODY ||
        atomic_load_explicit(&lob->phases[holder], memory_order_acquire) == 0) {
        return false;
    }
    pthread_mutex_lock(&lob->lock);
    bool handed = lobby_hand_over(lob, word);
    pthread_mutex_unlock(&lob->lock);
    return handed;
}

bool lobby_begin_service(lobby *lob, uint64_t seen) {
    pthread_mutex_lock(&lob->lock);
    uint64_t word = seen;
    if (lobby_state(word) == LOBBY_RUNNING &&
        atomic_compare_exchange_strong(&lob->word, &word,
                                       lobby_word(lobby_sequence(word), lobby_holder(word), LOBBY_SERVED))) {
        return true;
    }
    pthread_mutex_unlock(&lob->lock);
    return false;
}

void lobby_end_service(lobby *lob) {
    const uint64_t word = atomic_load_explicit(&lob->word, memory_order_relaxed);
    atomic_store(&lob->word, lobby_word(lobby_sequence(word), lobby_holder(word), LOBBY_RUNNING));
    pthread_mutex_unlock(&lob->lock);
}

bool lobby_polling(const lobby *lob) {
    return lobby_state(atomic_load(&lob->word)) == LOBBY_POLLING;
}

void lobby_shutdown(lobby *lob) {
    pthread_mutex_lock(&lob->lock);
    atomic_store(&lob->closing, true);
    for (uint32_t i = 0; i < LOBBY_RUNNERS_MAX; i++) {
        if (lob->items[i].waiting) {
            pthread_cond_signal(&lob->items[i].given_cond);
        }
    }
    pthread_cond_broadcast(&lob->monitor_cond);
    pthread_mutex_unlock(&lob->lock);
}
