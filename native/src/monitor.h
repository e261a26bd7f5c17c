/* The monitor: a thread that notices when the holder of the scheduler is blocked.
 *
 * Owns:  one native thread and its tick.
 * Knows: the lobby. Two ticks that see the same word mean: the holder has not polled in between. And the scheduler,
 *        whose deadlines it keeps while nobody polls, be it because Python holds its lock all the time.
 * Never: runs Python, takes a signal, or wakes while the engine is idle.
 */
#ifndef TINYBEAM_MONITOR_H
#define TINYBEAM_MONITOR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lobby.h"
#include "scheduler.h"

typedef struct monitor {
    lobby *lob;
    scheduler *sched;
    uint64_t tick_ms;
    pthread_t thread;
    bool started;
} monitor;

int32_t monitor_open(monitor *mon, lobby *lob, scheduler *sched, uint64_t tick_ms);
/* After lobby_shutdown. */
void monitor_close(monitor *mon);

#endif
