/* Who holds the scheduler, and who waits to.
 *
 * Owns:  the runners, the one word that says who holds the scheduler, and the stand-by queue.
 * Knows: that a hand-over is one compare-and-swap: the holder's next poll and the monitor race for it, one wins.
 * Never: touches the scheduler itself.
 */
#ifndef TINYBEAM_LOBBY_H
#define TINYBEAM_LOBBY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum { LOBBY_RUNNERS_MAX = 2048 };

typedef struct lobby_runner {
    pthread_cond_t given_cond;
    bool open;
    bool waiting; /* on stand-by */
    bool given;   /* has been given the scheduler while it waited */
    uint16_t from;
    uint32_t parked; /* when it began to wait; the latest is woken first, for its caches are warm */
    uint32_t handles_len;
    uint64_t *handles; /* of its last batch */
    uint64_t *news;    /* what its last poll had to tell of streams: see tb_runner_news */
} lobby_runner;

typedef struct lobby {
    _Atomic uint64_t word; /* sequence << 32 | holder << 8 | state */
    pthread_mutex_t lock;
    pthread_cond_t monitor_cond;
    _Atomic bool monitor_asleep;
    _Atomic bool closing;
    uint32_t runners;
    _Atomic uint32_t standbys;
    uint32_t parked;
    uint32_t handles_max;
    uint64_t idle_ms;
    lobby_runner *items;
    _Atomic uint8_t *phases; /* one octet a runner, written by it */
} lobby;

bool lobby_init(lobby *lob, uint32_t handles_max, uint64_t idle_ms);
void lobby_deinit(lobby *lob);

/* A new runner's number, or a code. The first one holds the scheduler. */
int32_t lobby_open(lobby *lob);
int32_t lobby_close(lobby *lob, uint32_t runner);
/* The runner wants to poll. True when it holds the scheduler; it is then safe from the monitor until lobby_release. */
bool lobby_take(lobby *lob, uint32_t runner);
void lobby_release(lobby *lob, uint32_t runner);
/* Waits on stand-by. Returns TB_POLL_... flags and the blocked runner, or TB_ESHUTDOWN. */
int64_t lobby_wait(lobby *lob, uint32_t runner);
/* What the monitor does at a tick: hands the scheduler over when its holder has not polled since `seen`, the word of
 * the tick before, and is running handlers. True when it was handed over. */
bool lobby_on_tick(lobby *lob, uint64_t seen);
/* Holds the scheduler for a moment in place of a holder that has not polled since `seen`; a poll that comes meanwhile
 * waits for lobby_end_service. False when it has polled. */
bool lobby_begin_service(lobby *lob, uint64_t seen);
void lobby_end_service(lobby *lob);
/* Whether the holder is polling. */
bool lobby_polling(const lobby *lob);
/* When the monotonic clock will be this much later: what a timed wait on one of the conditions takes. */
struct timespec lobby_after(uint64_t ms);
/* Wakes everybody for good. */
void lobby_shutdown(lobby *lob);

#endif
