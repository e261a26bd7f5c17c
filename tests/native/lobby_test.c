/* Who holds the scheduler: one runner at a time, and how it passes from hand to hand. */
#include "lobby.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "check.h"
#include "tinybeam.h"

static uint64_t word_of(lobby *lob) {
    return atomic_load(&lob->word);
}

static void open_lobby(lobby *lob, uint64_t idle_ms) {
    memset(lob, 0, sizeof *lob);
    CHECK(lobby_init(lob, 4, idle_ms));
}

/* A runner that waits in a thread of its own. */
typedef struct waiter {
    lobby *lob;
    uint32_t runner;
    int64_t result;
    pthread_t thread;
} waiter;

static void *waiter_run(void *context) {
    waiter *self = context;
    self->result = lobby_wait(self->lob, self->runner);
    return NULL;
}

/* Comes back when the runner is on stand-by. */
static void waiter_open(waiter *self, lobby *lob, uint32_t runner) {
    *self = (waiter){.lob = lob, .runner = runner};
    const uint32_t before = atomic_load(&lob->standbys);
    CHECK_INT(pthread_create(&self->thread, NULL, waiter_run, self), 0);
    while (atomic_load(&lob->standbys) == before) {
        sched_yield();
    }
}

static int64_t waiter_close(waiter *self) {
    pthread_join(self->thread, NULL);
    return self->result;
}

static int64_t flags_of(int64_t result) {
    return result < 0 ? result : result >> 48;
}

static void the_first_runner_holds_the_scheduler(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    CHECK_INT(lobby_open(&lob), 0);
    CHECK_INT(lobby_open(&lob), 1);
    CHECK(!lobby_take(&lob, 1));
    CHECK(lobby_take(&lob, 0));
    CHECK(lobby_polling(&lob));
    CHECK(!lobby_take(&lob, 0)); /* it polls already */
    lobby_release(&lob, 0);
    CHECK(!lobby_polling(&lob));
    CHECK(lobby_take(&lob, 0));
    lobby_release(&lob, 0);
    CHECK_INT(lob.runners, 2);
    lobby_deinit(&lob);
}

static void the_monitor_takes_the_scheduler_only_from_a_runner_that_runs_handlers_and_has_not_polled(void) {
    lobby lob;
    waiter standby;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    lobby_open(&lob);
    CHECK(lobby_take(&lob, 0));
    waiter_open(&standby, &lob, 1);
    CHECK(!lobby_on_tick(&lob, word_of(&lob))); /* it polls */
    lobby_release(&lob, 0);
    CHECK(!lobby_on_tick(&lob, word_of(&lob))); /* it decodes, or waits for the interpreter */
    atomic_store(&lob.phases[0], 1);
    CHECK(!lobby_on_tick(&lob, word_of(&lob) - (1ull << 32))); /* it has polled since the last tick */
    CHECK(lobby_on_tick(&lob, word_of(&lob)));
    const int64_t result = waiter_close(&standby);
    CHECK_INT(flags_of(result), TB_POLL_RESUME | TB_POLL_SPARE);
    CHECK_INT(result >> 32 & 0xffff, 0);
    CHECK(!lobby_take(&lob, 0));
    CHECK(lobby_take(&lob, 1));
    CHECK_INT(atomic_load(&lob.standbys), 0);
    lobby_deinit(&lob);
}

static void without_anyone_on_stand_by_a_blocked_runner_keeps_the_scheduler(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    atomic_store(&lob.phases[0], 1);
    CHECK(!lobby_on_tick(&lob, word_of(&lob)));
    CHECK(lobby_take(&lob, 0));
    lobby_deinit(&lob);
}

static void a_poll_clears_the_phase_also_when_it_is_one_on_stand_by(void) {
    lobby lob;
    waiter standby;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    lobby_open(&lob);
    atomic_store(&lob.phases[0], 1);
    CHECK(lobby_take(&lob, 0));
    lobby_release(&lob, 0);
    CHECK_INT(atomic_load(&lob.phases[0]), 0);
    /* Runner 1 was blocked in a handler and lost its scheduler; now it has come back and waits. */
    atomic_store(&lob.phases[1], 1);
    waiter_open(&standby, &lob, 1);
    atomic_store(&lob.phases[0], 1);
    CHECK(lobby_on_tick(&lob, word_of(&lob)));
    CHECK_INT(flags_of(waiter_close(&standby)), TB_POLL_RESUME | TB_POLL_SPARE);
    CHECK_INT(atomic_load(&lob.phases[1]), 0);
    waiter_open(&standby, &lob, 0);
    CHECK(!lobby_on_tick(&lob, word_of(&lob))); /* it only waits for the interpreter */
    lobby_shutdown(&lob);
    CHECK_INT(waiter_close(&standby), TB_ESHUTDOWN);
    lobby_deinit(&lob);
}

static void the_one_that_parked_last_is_woken_first(void) {
    lobby lob;
    waiter first, second;
    open_lobby(&lob, 60000);
    for (unsigned i = 0; i < 3; i++) {
        lobby_open(&lob);
    }
    waiter_open(&first, &lob, 2);
    waiter_open(&second, &lob, 1);
    atomic_store(&lob.phases[0], 1);
    CHECK(lobby_on_tick(&lob, word_of(&lob)));
    CHECK_INT(flags_of(waiter_close(&second)), TB_POLL_RESUME);
    CHECK(lobby_take(&lob, 1));
    lobby_shutdown(&lob);
    CHECK_INT(waiter_close(&first), TB_ESHUTDOWN);
    lobby_deinit(&lob);
}

static void one_stand_by_too_many_retires_and_the_last_one_stays(void) {
    lobby lob;
    waiter first, second;
    open_lobby(&lob, 1);
    for (unsigned i = 0; i < 3; i++) {
        lobby_open(&lob);
    }
    waiter_open(&first, &lob, 1);
    second = (waiter){.lob = &lob, .runner = 2};
    pthread_create(&second.thread, NULL, waiter_run, &second);
    CHECK_INT(flags_of(waiter_close(&second)), TB_POLL_RETIRE);
    CHECK_INT(atomic_load(&lob.standbys), 1);
    lobby_shutdown(&lob);
    CHECK_INT(waiter_close(&first), TB_ESHUTDOWN);
    lobby_deinit(&lob);
}

static void of_two_whose_time_is_up_together_one_stays(void) {
    lobby lob;
    waiter first, second;
    open_lobby(&lob, 1);
    for (unsigned i = 0; i < 4; i++) {
        lobby_open(&lob);
    }
    waiter_open(&first, &lob, 1); /* the first waits without an end, until it is woken */
    pthread_mutex_lock(&lob.lock);
    second = (waiter){.lob = &lob, .runner = 2};
    waiter third = {.lob = &lob, .runner = 3};
    pthread_create(&second.thread, NULL, waiter_run, &second);
    pthread_create(&third.thread, NULL, waiter_run, &third);
    pthread_cond_signal(&lob.items[1].given_cond); /* from now on it has an end as well */
    pthread_mutex_unlock(&lob.lock);
    do {
        sched_yield();
        pthread_mutex_lock(&lob.lock);
        const bool settled = lob.parked == 3 && atomic_load(&lob.standbys) <= 1;
        pthread_mutex_unlock(&lob.lock);
        if (settled) {
            break;
        }
    } while (true);
    lobby_shutdown(&lob);
    const int64_t all[] = {waiter_close(&first), waiter_close(&second), waiter_close(&third)};
    unsigned retired = 0;
    for (unsigned i = 0; i < 3; i++) {
        retired += flags_of(all[i]) == TB_POLL_RETIRE;
    }
    CHECK_INT(retired, 2);
    CHECK_INT(atomic_load(&lob.standbys), 0);
    lobby_deinit(&lob);
}

static void a_holder_that_leaves_hands_over_to_stand_by(void) {
    lobby lob;
    waiter standby;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    lobby_open(&lob);
    waiter_open(&standby, &lob, 1);
    CHECK_INT(lobby_close(&lob, 0), TB_OK);
    CHECK_INT(flags_of(waiter_close(&standby)), TB_POLL_RESUME | TB_POLL_SPARE);
    CHECK(lobby_take(&lob, 1));
    lobby_deinit(&lob);
}

static void after_the_only_runner_has_left_the_next_that_opens_or_polls_holds_the_scheduler(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    CHECK_INT(lobby_close(&lob, 0), TB_OK);
    CHECK_INT(lobby_open(&lob), 0);
    CHECK(lobby_take(&lob, 0));
    lobby_release(&lob, 0);
    CHECK_INT(lobby_open(&lob), 1);
    CHECK_INT(lobby_close(&lob, 0), TB_OK);
    CHECK(lobby_take(&lob, 1));
    lobby_deinit(&lob);
}

static void a_holder_that_leaves_between_a_runners_look_and_its_wait_leaves_it_the_scheduler(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    lobby_open(&lob);
    lobby_open(&lob);
    CHECK(!lobby_take(&lob, 1)); /* runner 0 holds it */
    CHECK_INT(lobby_close(&lob, 0), TB_OK);
    CHECK_INT(flags_of(lobby_wait(&lob, 1)), TB_POLL_RESUME | TB_POLL_SPARE); /* and does not wait for ever */
    CHECK(lobby_take(&lob, 1));
    lobby_deinit(&lob);
}

static void closing_twice_or_what_was_never_open_is_refused(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    CHECK_INT(lobby_close(&lob, 0), TB_EINVAL);
    CHECK_INT(lobby_close(&lob, LOBBY_RUNNERS_MAX), TB_EINVAL);
    CHECK_INT(lobby_close(&lob, UINT32_MAX), TB_EINVAL);
    lobby_open(&lob);
    CHECK_INT(lobby_close(&lob, 0), TB_OK);
    CHECK_INT(lobby_close(&lob, 0), TB_EINVAL);
    CHECK_INT(lob.runners, 0);
    lobby_deinit(&lob);
}

static void one_runner_more_than_the_most_is_refused(void) {
    lobby lob;
    open_lobby(&lob, 1000);
    for (int32_t i = 0; i < LOBBY_RUNNERS_MAX; i++) {
        CHECK_INT(lobby_open(&lob), i);
    }
    CHECK_INT(lobby_open(&lob), TB_ELIMIT);
    lobby_close(&lob, 77);
    CHECK_INT(lobby_open(&lob), 77);
    lobby_deinit(&lob);
}

int main(void) {
    alarm(10); /* a waiter that nobody wakes would wait for ever */
    RUN(the_first_runner_holds_the_scheduler);
    RUN(the_monitor_takes_the_scheduler_only_from_a_runner_that_runs_handlers_and_has_not_polled);
    RUN(without_anyone_on_stand_by_a_blocked_runner_keeps_the_scheduler);
    RUN(a_poll_clears_the_phase_also_when_it_is_one_on_stand_by);
    RUN(the_one_that_parked_last_is_woken_first);
    RUN(one_stand_by_too_many_retires_and_the_last_one_stays);
    RUN(of_two_whose_time_is_up_together_one_stays);
    RUN(a_holder_that_leaves_hands_over_to_stand_by);
    RUN(after_the_only_runner_has_left_the_next_that_opens_or_polls_holds_the_scheduler);
    RUN(a_holder_that_leaves_between_a_runners_look_and_its_wait_leaves_it_the_scheduler);
    RUN(closing_twice_or_what_was_never_open_is_refused);
    RUN(one_runner_more_than_the_most_is_refused);
    return check_end();
}
