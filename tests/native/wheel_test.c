/* The timer wheel against a plain list of times: early never, late by an eighth at most, nothing twice and nothing
 * lost.
 */
#include "wheel.h"

#include <stdlib.h>

#include "check.h"

enum { TIMERS = 500, STEPS = 20000 };

typedef struct entry {
    wheel_timer timer;
    uint64_t set_at; /* the time when it was set */
    uint64_t wanted;
    bool set;
} entry;

static uint32_t random_next(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A length of time that may be anything from nothing to 30 hours, short ones being as likely as long ones. */
static uint64_t random_length(uint32_t *state) {
    const unsigned bits = random_next(state) % 27;
    return random_next(state) & ((UINT64_C(1) << bits) - 1);
}

static void fire_all(wheel *whl, uint64_t now, uint64_t before) {
    wheel_advance(whl, now);
    for (wheel_timer *timer = wheel_take(whl); timer != NULL; timer = wheel_take(whl)) {
        entry *item = (entry *)(void *)timer;
        CHECK(item->set && !wheel_holds(timer));
        CHECK(now >= item->wanted);
        /* It would have fired at the step before, had it been due by then. */
        const uint64_t latest = item->wanted + (item->wanted - item->set_at) / 8 + 1;
        CHECK(before <= latest || item->set_at >= before);
        item->set = false;
    }
}

static void it_fires_never_early_and_late_by_an_eighth_at_most(void) {
    static entry entries[TIMERS];
    for (uint64_t start = 0; start <= UINT64_C(1) << 33; start = start == 0 ? (UINT64_C(1) << 31) - 5000 : start * 4) {
        wheel whl = {0};
        uint32_t seed = 12345;
        uint64_t now = start;
        memset(entries, 0, sizeof entries);
        wheel_advance(&whl, now);
        for (unsigned step = 0; step < STEPS; step++) {
            entry *item = &entries[random_next(&seed) % TIMERS];
            if (random_next(&seed) % 8 == 0) {
                wheel_clear(&whl, &item->timer);
                item->set = false;
            } else {
                item->set_at = now;
                item->wanted = now + random_length(&seed);
                item->set = true;
                wheel_set(&whl, &item->timer, item->wanted);
            }
            const uint64_t before = now;
            now += random_next(&seed) % 4 == 0 ? random_length(&seed) >> 6 : random_next(&seed) % 3;
            fire_all(&whl, now, before);
            for (unsigned i = 0; step % 1000 == 0 && i < TIMERS; i++) {
                CHECK(wheel_holds(&entries[i].timer) == entries[i].set);
            }
        }
        fire_all(&whl, now + (UINT64_C(1) << 40), now);
        CHECK(wheel_next(&whl) == WHEEL_NEVER);
    }
}

static void the_next_moment_is_that_of_the_first_timer(void) {
    wheel whl = {0};
    wheel_timer near = {0}, far = {0};
    wheel_advance(&whl, 1000);
    CHECK(wheel_next(&whl) == WHEEL_NEVER && whl.due == WHEEL_NEVER);
    wheel_set(&whl, &far, 31000);
    wheel_set(&whl, &near, 1005);
    CHECK_INT(wheel_next(&whl), 1005);
    CHECK_INT(whl.due, 1005);
    wheel_clear(&whl, &near);
    CHECK(wheel_next(&whl) >= 31000 && wheel_next(&whl) <= 31000 + 30000 / 8);
    wheel_clear(&whl, &far);
    CHECK(wheel_next(&whl) == WHEEL_NEVER);
}

static void a_moment_that_has_passed_fires_at_once(void) {
    wheel whl = {0};
    wheel_timer timer = {0};
    wheel_advance(&whl, 5000);
    wheel_set(&whl, &timer, 10);
    wheel_advance(&whl, 5000);
    CHECK(wheel_take(&whl) == &timer);
    CHECK(wheel_take(&whl) == NULL);
}

static void one_that_has_fired_may_be_cleared_or_set_again_before_it_is_taken(void) {
    wheel whl = {0};
    wheel_timer one = {0}, two = {0}, three = {0};
    wheel_advance(&whl, 100);
    wheel_set(&whl, &one, 110);
    wheel_set(&whl, &two, 110);
    wheel_set(&whl, &three, 110);
    wheel_advance(&whl, 200);
    wheel_clear(&whl, &two);
    wheel_set(&whl, &three, 300);
    CHECK(wheel_take(&whl) == &one && wheel_take(&whl) == NULL);
    wheel_advance(&whl, 340);
    CHECK(wheel_take(&whl) == &three && wheel_take(&whl) == NULL);
}

static void after_a_jump_of_the_time_new_timers_are_as_exact_as_ever(void) {
    wheel whl = {0};
    wheel_timer old = {0}, timer = {0};
    wheel_advance(&whl, 1000);
    wheel_set(&whl, &old, 3000);
    wheel_advance(&whl, 1000 + 3600 * 1000);
    wheel_set(&whl, &timer, 1000 + 3600 * 1000 + 50);
    CHECK(wheel_take(&whl) == &old && wheel_take(&whl) == NULL);
    CHECK_INT(wheel_next(&whl), 1000 + 3600 * 1000 + 50);
    wheel_advance(&whl, 50 * 3600 * 1000);
    CHECK(wheel_take(&whl) == &timer);
    wheel_advance(&whl, 100 * 3600 * 1000); /* an empty wheel keeps pace with the time too */
    wheel_set(&whl, &timer, 100 * 3600 * 1000 + 60);
    CHECK_INT(wheel_next(&whl), 100 * 3600 * 1000 + 60);
}

static void what_is_further_away_than_it_reaches_fires_early_enough_to_be_set_again(void) {
    wheel whl = {0};
    wheel_timer timer = {0};
    wheel_advance(&whl, 1000);
    wheel_set(&whl, &timer, UINT64_MAX - 1);
    const uint64_t next = wheel_next(&whl);
    CHECK(next > UINT64_C(30) * 3600 * 1000 && next < UINT64_C(50) * 3600 * 1000);
    wheel_advance(&whl, next);
    CHECK(wheel_take(&whl) == &timer);
}

int main(void) {
    RUN(it_fires_never_early_and_late_by_an_eighth_at_most);
    RUN(the_next_moment_is_that_of_the_first_timer);
    RUN(a_moment_that_has_passed_fires_at_once);
    RUN(one_that_has_fired_may_be_cleared_or_set_again_before_it_is_taken);
    RUN(after_a_jump_of_the_time_new_timers_are_as_exact_as_ever);
    RUN(what_is_further_away_than_it_reaches_fires_early_enough_to_be_set_again);
    return check_end();
}
