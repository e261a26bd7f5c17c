/* Two threads and one handle: exactly one of them may answer (hazard 2). */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "handle.h"
#include "tinybeam.h"

enum { ROUNDS = 100000, THREADS = 2 };

typedef struct race {
    handle_table table;
    _Atomic uint64_t handle;
    _Atomic uint32_t round;    /* the one that may begin */
    _Atomic uint32_t finished; /* threads that are done with it */
    _Atomic uint32_t taken, already, disconnected, other;
} race;

/* Waits for a round to begin, without sleeping: both threads shall come at the same moment. */
static void await_round(const _Atomic uint32_t *round, uint32_t wanted) {
    while (atomic_load(round) < wanted) {
        sched_yield();
    }
}

static void *take_each(void *context) {
    race *run = context;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        await_round(&run->round, round);
        uint32_t slot;
        switch (handle_take(&run->table, atomic_load(&run->handle), &slot)) {
        case TB_OK:
            atomic_fetch_add(&run->taken, 1);
            break;
        case TB_EALREADY:
            atomic_fetch_add(&run->already, 1);
            break;
        case TB_EDISCONNECTED:
            atomic_fetch_add(&run->disconnected, 1);
            break;
        default:
            atomic_fetch_add(&run->other, 1);
        }
        atomic_fetch_add(&run->finished, 1);
    }
    return NULL;
}

/* The scheduler's part: opens a handle, lets all at it, meanwhile may lose the client, and closes it. */
static void run_race(bool disconnecting) {
    static race run;
    memset(&run, 0, sizeof run);
    pthread_t threads[THREADS];
    CHECK(handle_init(&run.table, 4, 42));
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, take_each, &run), 0);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint64_t handle;
        uint32_t slot;
        handle_open(&run.table, &handle, &slot);
        atomic_store(&run.handle, handle);
        atomic_store(&run.round, round);
        if (disconnecting) {
            handle_on_disconnect(&run.table, slot);
        }
        await_round(&run.finished, round * THREADS);
        handle_close(&run.table, slot);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(atomic_load(&run.taken) + atomic_load(&run.disconnected), ROUNDS);
    CHECK_INT(atomic_load(&run.already), ROUNDS * (THREADS - 1));
    CHECK_INT(atomic_load(&run.other), 0);
    CHECK(disconnecting || atomic_load(&run.disconnected) == 0);
    CHECK_INT(run.table.open, 0);
    handle_deinit(&run.table);
}

static void of_two_answers_at_once_exactly_one_is_taken(void) {
    run_race(false);
}

static void while_the_client_leaves_exactly_one_of_two_is_still_taken(void) {
    run_race(true);
}

int main(void) {
    alarm(300);
    RUN(of_two_answers_at_once_exactly_one_is_taken);
    RUN(while_the_client_leaves_exactly_one_of_two_is_still_taken);
    return check_end();
}
