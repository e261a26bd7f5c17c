/* What an engine is made of.
 *
 * Owns:  the shape of tb_engine.
 * Knows: its scheduler, its lobby, its monitor.
 * Never: is seen by a caller of the library: to them it is a pointer.
 */
#ifndef TINYBEAM_ENGINE_H
#define TINYBEAM_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lobby.h"
#include "monitor.h"
#include "scheduler.h"
#include "tinybeam.h"

struct tb_engine {
    /* 1 in the process that opened the engine; the kernel gives a forked child a page of zeros instead. */
    volatile uint8_t *ours;
    size_t page_len;
    _Atomic uint32_t callers; /* inside a call, and 1 for being open; plus ENGINE_CALLERS_CLOSED */
    _Atomic bool releasing;
    _Atomic bool released;
    bool abandoned;            /* in a forked child */
    pthread_mutex_t gone_lock; /* whoever closes waits here until the last caller has left */
    pthread_cond_t gone_cond;
    tb_config config;
    scheduler sched;
    lobby lob;
    monitor mon;
    /* How long a request takes its runner, so that a batch stays short beside the monitor's tick. */
    uint64_t left_ns;
    uint64_t request_ns;
    uint32_t handed;
};

/* Every call that may meet the end of the engine begins with one and ends with the other: TB_OK, or why not. */
int32_t engine_enter(tb_engine *engine);
void engine_leave(tb_engine *engine);
/* Takes the scheduler for a moment, if this runner (TB_NO_RUNNER: nobody) holds it; then it goes on as before. */
bool engine_hold(tb_engine *engine, uint32_t runner, uint8_t *phase);
void engine_let_go(tb_engine *engine, uint32_t runner, uint8_t phase);

#endif
