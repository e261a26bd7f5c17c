/* A timer wheel; see wheel.h.
 *
 * Owns:  the arithmetic of levels: a slot of each is eight times as long as one of the level below.
 * Knows: that a level spans 64 slots from now, so that a slot's place names one moment only.
 * Never: looks at timers that are not due.
 */
#include "wheel.h"

#include <stddef.h>

enum { WHEEL_SHIFT = 3, WHEEL_SPAN = 62 };

/* How far ahead the last level reaches: some 37 hours. What is asked for later fires then, and is set again. */
static const uint64_t wheel_reach = (uint64_t)WHEEL_SPAN << (WHEEL_SHIFT * (WHEEL_LEVELS - 1));

void wheel_clear(wheel *whl, wheel_timer *timer) {
    if (timer->link == NULL) {
        return;
    }
    *timer->link = timer->next;
    if (timer->next != NULL) {
        timer->next->link = timer->link;
    } else {
        /* Where the link is a slot itself, the timer was the only one of it. */
        const uintptr_t place = ((uintptr_t)timer->link - (uintptr_t)whl->slots) / sizeof(wheel_timer *);
        if (place < WHEEL_LEVELS * WHEEL_SLOTS) {
            whl->occupied[place / WHEEL_SLOTS] &= ~(UINT64_C(1) << place % WHEEL_SLOTS);
        }
    }
    timer->link = NULL;
    timer->next = NULL;
}

void wheel_set(wheel *whl, wheel_timer *timer, uint64_t at) {
    wheel_clear(whl, timer);
    at = at < whl->now ? whl->now : at;
    uint64_t ahead = at - whl->now;
    if (ahead > wheel_reach) {
        ahead = wheel_reach - 1;
        at = whl->now + ahead;
    }
    unsigned level = 0;
    while (ahead >> (WHEEL_SHIFT * level) >= WHEEL_SPAN) {
        level++;
    }
    const unsigned shift = WHEEL_SHIFT * level;
    const uint64_t tick = (at + (UINT64_C(1) << shift) - 1) >> shift;
    const unsigned place = (unsigned)(tick % WHEEL_SLOTS);
    wheel_timer **slot = &whl->slots[level][place];
    timer->at = tick << shift;
    timer->next = *slot;
    timer->link = slot;
    if (timer->next != NULL) {
        timer->next->link = &timer->next;
    }
    *slot = timer;
    whl->occupied[level] |= UINT64_C(1) << place;
    whl->due = timer->at < whl->due ? timer->at : whl->due;
}

static uint64_t wheel_rotate(uint64_t bits, unsigned by) {
    return by == 0 ? bits : bits >> by | bits << (WHEEL_SLOTS - by);
}

/* The slot of a level that fires first, and when. */
static uint64_t wheel_first(const wheel *whl, unsigned level, unsigned *place) {
    if (whl->occupied[level] == 0) {
        return WHEEL_NEVER;
    }
    const unsigned shift = WHEEL_SHIFT * level;
    const uint64_t tick = whl->now >> shift;
    const unsigned ahead = (unsigned)__builtin_ctzll(wheel_rotate(whl->occupied[level], tick % WHEEL_SLOTS));
    *place = (unsigned)((tick + ahead) % WHEEL_SLOTS);
    return (tick + ahead) << shift;
}

uint64_t wheel_next(const wheel *whl) {
    uint64_t next = WHEEL_NEVER;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        unsigned place;
        const uint64_t at = wheel_first(whl, level, &place);
        next = at < next ? at : next;
    }
    return next;
}

/* Moves a whole slot to those that have fired. */
static void wheel_fire(wheel *whl, unsigned level, unsigned place) {
    wheel_timer **slot = &whl->slots[level][place];
    wheel_timer *last = *slot;
    while (last->next != NULL) {
        last = last->next;
    }
    last->next = whl->fired;
    if (whl->fired != NULL) {
        whl->fired->link = &last->next;
    }
    whl->fired = *slot;
    whl->fired->link = &whl->fired;
    *slot = NULL;
    whl->occupied[level] &= ~(UINT64_C(1) << place);
}

void wheel_advance(wheel *whl, uint64_t now) {
    if (now >= whl->due) {
        for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
            unsigned place = 0;
            while (wheel_first(whl, level, &place) <= now) {
                wheel_fire(whl, level, place);
            }
        }
        whl->due = wheel_next(whl);
    }
    whl->now = now > whl->now ? now : whl->now;
}

wheel_timer *wheel_take(wheel *whl) {
    wheel_timer *timer = whl->fired;
    if (timer != NULL) {
        wheel_clear(whl, timer);
    }
    return timer;
}
