/* Requests that are overdue: their 504 among other answers, and deadlines of their own. */
#include "deadlines.h"

static void a_504_that_waited_for_its_turn_says_that_it_is_the_last(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t one = bench->handles[0];
    exchange_set_timeout(&bench->sched.room, one, 0);
    clock_advance(40000);
    rig_poll(bench);
    rig_answer(bench, one, "=one");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "HTTP/1.1 504 ", "\r\nConnection: close\r\n"));
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

static void a_504_waits_for_the_answers_before_it_and_costs_those_behind_it_nothing(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one"));
    rig_poll(bench);
    const uint64_t one = bench->handles[0];
    exchange_set_timeout(&bench->sched.room, one, 0);
    clock_advance(20000);
    rig_send(client, GET("/two") GET("/three"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    const uint64_t three = bench->handles[1];
    exchange_set_timeout(&bench->sched.room, three, 1000000);
    clock_advance(40000);
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, one, "=one");
    rig_answer(bench, three, "=three");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "=one", "HTTP/1.1 504 "));
    CHECK(rig_in_order(bench->got, "HTTP/1.1 504 ", "=three"));
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

static void a_request_may_have_a_deadline_of_its_own_or_none(void) {
    rig *bench = rig_open();
    int clients[3];
    uint64_t handles[3];
    for (unsigned i = 0; i < 3; i++) {
        clients[i] = rig_connect(bench);
        rig_send(clients[i], GET("/"));
        rig_poll(bench);
        handles[i] = bench->handles[0];
    }
    CHECK_INT(reception_post_timeout(&bench->sched, handles[0], 1000), TB_OK);
    CHECK_INT(scheduler_left_ms(&bench->sched), 0); /* the monitor shall look at once */
    CHECK_INT(reception_post_timeout(&bench->sched, handles[1], 100000), TB_OK);
    CHECK_INT(reception_post_timeout(&bench->sched, handles[2], 0), TB_OK);
    rig_poll(bench);
    CHECK(scheduler_left_ms(&bench->sched) <= 1000 + 1000 / 8);
    CHECK(pass(bench, clients[0], 1500, 100));
    CHECK(!pass(bench, clients[1], 90000, 1000));
    CHECK(pass(bench, clients[1], 25000, 1000));
    CHECK(!pass(bench, clients[2], 1000000, 10000));
    rig_answer(bench, handles[2], "at last");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, clients[2]), "at last"), 1);
    CHECK_INT(reception_post_timeout(&bench->sched, handles[2], 1), TB_OK); /* spent: nothing happens */
    rig_poll(bench);
    for (unsigned i = 0; i < 3; i++) {
        close(clients[i]);
    }
    rig_close(bench);
}

static void a_client_that_has_left_a_stuck_handler_leaves_no_slot_behind(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/stuck"));
    rig_poll(bench);
    close(client);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 1);
    clock_advance(40000);
    CHECK_INT(rig_poll(bench), TB_POLL_OVERDUE);
    CHECK_INT(bench->sched.room.handles.open, 0);
    rig_close(bench);
}

static void an_answer_that_waits_for_its_turn_is_not_overdue(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t handles[] = {bench->handles[0], bench->handles[1]};
    exchange_set_timeout(&bench->sched.room, handles[0], 0);
    rig_answer(bench, handles[1], "=two");
    clock_advance(100000);
    CHECK_INT(rig_poll(bench), 0);
    rig_answer(bench, handles[0], "=one");
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "=one", "=two"));
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

int main(void) {
    RUN(a_504_that_waited_for_its_turn_says_that_it_is_the_last);
    RUN(a_504_waits_for_the_answers_before_it_and_costs_those_behind_it_nothing);
    RUN(a_request_may_have_a_deadline_of_its_own_or_none);
    RUN(a_client_that_has_left_a_stuck_handler_leaves_no_slot_behind);
    RUN(an_answer_that_waits_for_its_turn_is_not_overdue);
    return check_end();
}
