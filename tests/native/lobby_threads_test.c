/* Many runners, a monitor, and one scheduler: it is held by exactly one of them, and never by none for long. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "lobby.h"
#include "tinybeam.h"

enum { RUNNERS = 8, TURNS = 20000 };

typedef struct house {
    lobby lob;
    _Atomic uint32_t inside; /* runners that are in the scheduler: never more than one */
    _Atomic uint32_t crowded;
    _Atomic uint32_t turns;
    _Atomic uint32_t takeovers;
    _Atomic uint32_t services;
    _Atomic bool stop;
    uint64_t unguarded; /* written by the holder alone; ThreadSanitizer sees whether it is */
} house;

static uint32_t chance(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Whether all that may become of a holder has: on a busy machine the monitor may come late. */
static bool met_all(house *home) {
    return atomic_load(&home->takeovers) > 0 && atomic_load(&home->services) > 0;
}

/* One poll: inside the scheduler if it is ours, on stand-by if not. False when the lobby has shut down. */
static bool poll_once(house *home, uint32_t runner) {
    if (!lobby_take(&home->lob, runner)) {
        const int64_t result = lobby_wait(&home->lob, runner);
        return result >= 0;
    }
    if (atomic_fetch_add(&home->inside, 1) != 0) {
        atomic_fetch_add(&home->crowded, 1);
    }
    home->unguarded++;
    if (atomic_fetch_add(&home->turns, 1) + 1 >= TURNS && met_all(home)) {
        atomic_store(&home->stop, true);
        lobby_shutdown(&home->lob);
    }
    atomic_fetch_sub(&home->inside, 1);
    lobby_release(&home->lob, runner);
    return true;
}

static void *run_runner(void *context) {
    house *home = context;
    uint32_t state = 1;
    uint32_t runner = (uint32_t)lobby_open(&home->lob);
    state += runner * 7919;
    while (!atomic_load(&home->stop) && poll_once(home, runner)) {
        atomic_store_explicit(&home->lob.phases[runner], 1, memory_order_release);
        for (uint32_t busy = chance(&state) % 64; busy > 60 && busy > 0; busy--) {
            sched_yield(); /* sometimes blocked */
        }
        if (chance(&state) % 64 == 0) { /* and sometimes a runner leaves and another comes */
            lobby_close(&home->lob, runner);
            runner = (uint32_t)lobby_open(&home->lob);
        }
    }
    lobby_close(&home->lob, runner);
    return NULL;
}

static void *run_monitor(void *context) {
    house *home = context;
    uint64_t seen = 0;
    while (!atomic_load(&home->stop)) {
        const uint64_t word = atomic_load(&home->lob.word);
        if (word == seen && lobby_on_tick(&home->lob, seen)) {
            atomic_fetch_add(&home->takeovers, 1);
        } else if (lobby_begin_service(&home->lob, word)) {
            /* In place of a holder that does not come; should it come now, it waits. */
            if (atomic_fetch_add(&home->inside, 1) != 0) {
                atomic_fetch_add(&home->crowded, 1);
            }
            home->unguarded++;
            atomic_fetch_add(&home->services, 1);
            atomic_fetch_sub(&home->inside, 1);
            lobby_end_service(&home->lob);
        }
        seen = word;
        sched_yield();
    }
    return NULL;
}

static void the_scheduler_is_held_by_one_runner_at_a_time_and_is_never_lost(void) {
    static house home;
    pthread_t threads[RUNNERS + 1];
    CHECK(lobby_init(&home.lob, 1, 1));
    for (unsigned i = 0; i < RUNNERS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, run_runner, &home), 0);
    }
    CHECK_INT(pthread_create(&threads[RUNNERS], NULL, run_monitor, &home), 0);
    for (unsigned i = 0; i <= RUNNERS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&home.crowded), 0);
    CHECK(atomic_load(&home.turns) >= TURNS);
    CHECK_INT(home.unguarded, atomic_load(&home.turns) + atomic_load(&home.services));
    CHECK(atomic_load(&home.services) > 0);
    CHECK(atomic_load(&home.takeovers) > 0);
    CHECK_INT(home.lob.runners, 0);
    CHECK_INT(atomic_load(&home.lob.standbys), 0);
    lobby_deinit(&home.lob);
}

int main(void) {
    alarm(300); /* a scheduler that nobody holds would leave all of them waiting */
    RUN(the_scheduler_is_held_by_one_runner_at_a_time_and_is_never_lost);
    return check_end();
}
