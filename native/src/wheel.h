/* A timer wheel: what is to happen when, at a cost that does not depend on how much there is.
 *
 * Owns:  the slots, and which of them are occupied.
 * Knows: that a deadline may fire late by an eighth of its length at most, and never early, so nothing has to cascade.
 * Never: allocates (a timer lives in what it times), reads a clock, or calls anybody: expired timers are taken.
 */
#ifndef TINYBEAM_WHEEL_H
#define TINYBEAM_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 8, WHEEL_SLOTS = 64 };
#define WHEEL_NEVER UINT64_MAX

typedef struct wheel_timer {
    uint64_t at; /* when its slot fires: the moment that was asked for, or a little later */
    struct wheel_timer *next;
    struct wheel_timer **link; /* what points to it; NULL while it is on no wheel */
} wheel_timer;

/* Starts as all zeros. Times are milliseconds of any clock that never goes back; 64 bits of them do not wrap. */
typedef struct wheel {
    uint64_t now;
    uint64_t due;       /* nothing fires before this; only a bound */
    wheel_timer *fired; /* not taken yet */
    uint64_t occupied[WHEEL_LEVELS];
    wheel_timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
} wheel;

/* Puts a timer on the wheel, or moves it. A moment that has passed is now. */
void wheel_set(wheel *whl, wheel_timer *timer, uint64_t at);
/* Takes it off, if it is on. */
void wheel_clear(wheel *whl, wheel_timer *timer);
/* Lets the time go on: what is due by now has fired. To be called before timers are set for a later moment, so that
 * these are as exact as they can be. */
void wheel_advance(wheel *whl, uint64_t now);
/* Takes off one timer that has fired; NULL when there is none. One that is set again fires again later. */
wheel_timer *wheel_take(wheel *whl);
/* When the next timer fires, of those that have not, or WHEEL_NEVER. */
uint64_t wheel_next(const wheel *whl);

static inline bool wheel_holds(const wheel_timer *timer) {
    return timer->link != 0;
}

#endif
