/* When deadlines are looked at: after what has come in time, in every turn, and for nobody in vain. */
#include "deadlines.h"

static void a_head_that_lies_in_the_socket_when_its_time_is_up_has_come_in_time(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "GET /a HTTP/1.1\r\n");
    rig_poll(bench);
    clock_advance(30000);
    rig_send(client, "Host: a\r\n\r\n");
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 1);
    close(client);
    rig_close(bench);
}

static void a_request_that_comes_when_the_idle_time_is_up_is_served(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_serve(bench);
    rig_poll(bench);
    rig_receive(bench, client);
    clock_advance(200000);
    rig_send(client, GET("/b"));
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 1);
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

static void a_request_that_comes_when_the_idle_time_is_up_is_served_also_when_the_batch_is_full(void) {
    rig *bench = rig_open();
    int clients[] = {rig_connect(bench), rig_connect(bench)};
    for (unsigned i = 0; i < 2; i++) {
        rig_send(clients[i], GET("/a"));
        rig_serve(bench);
        rig_poll(bench);
        rig_receive(bench, clients[i]);
    }
    clock_advance(200000);
    rig_send(clients[0], GET("/b"));
    rig_send(clients[1], GET("/c"));
    scheduler_serve(&bench->sched); /* in place of a holder, with a batch that takes nothing */
    bench->count_max = 1;
    CHECK_INT(rig_serve(bench) + rig_serve(bench) + rig_serve(bench), 2);
    rig_poll(bench);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_keepalive), 0);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_INT(rig_count(rig_receive(bench, clients[i]), "HTTP/1.1 200"), 1);
        close(clients[i]);
    }
    rig_close(bench);
}

static void ten_thousand_idle_connections_cost_one_look_each(void) {
    enum { CONNS = 200, ROUNDS = 70 };
    rig *bench = rig_open();
    int clients[CONNS];
    for (unsigned i = 0; i < CONNS; i++) {
        clients[i] = rig_connect(bench);
    }
    int busy = rig_connect(bench);
    for (unsigned i = 0; i < CONNS; i++) {
        rig_send(clients[i], GET("/a"));
    }
    while (rig_serve(bench) > 0) {
    }
    /* For 70 s one connection is busy; the timers of the others lie where they are. */
    unsigned fired = 0;
    for (unsigned i = 0; i < ROUNDS; i++) {
        clock_advance(1000);
        rig_send(busy, GET("/b"));
        rig_serve(bench);
        fired += bench->sched.room.conn_timers.fired != NULL;
        rig_receive(bench, busy);
    }
    CHECK_INT(fired, 0);
    CHECK_INT(bench->sched.room.open, CONNS + 1);
    clock_advance(20000);
    rig_send(busy, GET("/b"));
    rig_serve(bench);
    rig_poll(bench);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_keepalive), CONNS);
    for (unsigned i = 0; i < CONNS; i++) {
        close(clients[i]);
    }
    close(busy);
    rig_close(bench);
}

static void what_came_while_the_process_was_stopped_is_served_before_deadlines_are_kept(void) {
    enum { CONNS = 150 }; /* more than one look at the events tells */
    rig *bench = rig_open();
    int clients[CONNS];
    for (unsigned i = 0; i < CONNS; i++) {
        clients[i] = rig_connect(bench);
        rig_send(clients[i], "GET / HTTP/1.1\r\n");
    }
    rig_poll(bench);
    rig_poll(bench);
    rig_poll(bench);
    for (unsigned i = 0; i < CONNS; i++) {
        rig_send(clients[i], "Host: a\r\n\r\n");
    }
    clock_advance(3600 * 1000);
    unsigned served = 0;
    for (unsigned i = 0; i < 20; i++) {
        served += rig_serve(bench);
    }
    CHECK_INT(served, CONNS);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_header), 0);
    for (unsigned i = 0; i < CONNS; i++) {
        close(clients[i]);
    }
    rig_close(bench);
}

/* So many ask before each turn that no look at the events is ever the last. */
static void a_flood_of_requests_holds_no_deadline_up(void) {
    enum { FLOOD = 130 };
    rig *bench = rig_open();
    int silent = rig_connect(bench);
    int clients[FLOOD];
    for (unsigned i = 0; i < FLOOD; i++) {
        clients[i] = rig_connect(bench);
    }
    for (unsigned turn = 0; turn < 15; turn++) {
        for (unsigned i = 0; i < FLOOD; i++) {
            rig_send(clients[i], GET("/a"));
        }
        CHECK(rig_serve(bench) >= RIG_BATCH_MAX - 1);
        clock_advance(1000);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_header), 1);
    rig_receive(bench, silent);
    CHECK(bench->eof);
    for (unsigned i = 0; i < FLOOD; i++) {
        close(clients[i]);
    }
    close(silent);
    rig_close(bench);
}

static void the_monitor_can_serve_in_place_of_a_holder_without_touching_a_batch(void) {
    rig *bench = rig_open();
    int stuck = rig_connect(bench);
    int other = rig_connect(bench);
    rig_add_constant(bench, "/constant", "c");
    rig_send(stuck, GET("/stuck"));
    rig_poll(bench);
    const uint64_t handle = bench->handles[0];
    rig_send(other, GET("/constant") GET("/next"));
    clock_advance(40000);
    scheduler_serve(&bench->sched);
    CHECK(strncmp(rig_receive(bench, stuck), "HTTP/1.1 504 ", 13) == 0);
    CHECK(bench->eof);
    CHECK_INT(rig_count(rig_receive(bench, other), "HTTP/1.1 200"), 0); /* is read when there is a batch */
    CHECK_INT(rig_post(bench, handle, "late"), TB_EALREADY);
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, other), "HTTP/1.1 200"), 2);
    close(stuck);
    close(other);
    rig_close(bench);
}

int main(void) {
    RUN(a_head_that_lies_in_the_socket_when_its_time_is_up_has_come_in_time);
    RUN(a_request_that_comes_when_the_idle_time_is_up_is_served);
    RUN(a_request_that_comes_when_the_idle_time_is_up_is_served_also_when_the_batch_is_full);
    RUN(ten_thousand_idle_connections_cost_one_look_each);
    RUN(what_came_while_the_process_was_stopped_is_served_before_deadlines_are_kept);
    RUN(a_flood_of_requests_holds_no_deadline_up);
    RUN(the_monitor_can_serve_in_place_of_a_holder_without_touching_a_batch);
    return check_end();
}
