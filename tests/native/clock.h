/* A clock that a test can put forward: what the code under test reads as CLOCK_MONOTONIC and CLOCK_REALTIME.
 *
 * Owns:  how far each of them is ahead of the machine's own.
 * Knows: that a program's own clock_gettime is taken before that of the library it links to.
 * Never: goes back by itself.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t clock_ahead_ms;      /* of the monotonic clock */
static _Atomic int64_t clock_real_ahead_ms; /* of the others */

int clock_gettime(clockid_t id, struct timespec *now) {
    const long result = syscall(SYS_clock_gettime, id, now);
    const int64_t ahead_ms = id == CLOCK_MONOTONIC ? atomic_load(&clock_ahead_ms) : atomic_load(&clock_real_ahead_ms);
    int64_t ns = now->tv_nsec + ahead_ms % 1000 * 1000000;
    now->tv_sec += ahead_ms / 1000 + (ns >= 1000000000) - (ns < 0);
    now->tv_nsec = (ns + 1000000000) % 1000000000;
    return (int)result;
}

/* Lets this much time pass. */
static inline void clock_advance(int64_t ms) {
    atomic_fetch_add(&clock_ahead_ms, ms);
}

#endif
