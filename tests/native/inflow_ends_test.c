/* Bodies in parts that end before their end, or are never read to it. */
#include "inflows.h"

static void a_drain_does_not_wait_for_what_nobody_reads(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 9\r\n\r\nabc", 9);
    atomic_store(&bench->sched.drain_due, true);
    rig_poll(bench);
    rig_answer(bench, handle, "enough");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    CHECK(bench->eof);
    finish(bench, client);
}

static void a_body_that_breaks_off_is_told_to_its_reader(void) {
    static const struct {
        const char *text;
        int64_t code;
    } cases[] = {
        {CHUNKED "\r\n3\r\nabc\r\nwrong\r\n", TB_EBODY - 400},
        {CHUNKED "\r\n3\r\nabc\r\n4\r\ndefg\r\n", TB_EBODY - 413}, /* 5 is the limit */
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        char request[256];
        snprintf(request, sizeof request, POST("/a") "%s", cases[i].text);
        const uint64_t handle = begin(bench, client, request, 5);
        CHECK_INT(first(bench, handle), 3);
        CHECK_INT(take(bench, handle, 10), cases[i].code);
        CHECK_INT(take(bench, handle, 10), cases[i].code);
        CHECK_INT(rig_stat(&bench->sched.room.stats.requests_refused), 1);
        rig_answer(bench, handle, "no");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
        CHECK(bench->eof);
        finish(bench, client);
    }
}

static void a_body_that_is_announced_too_long_is_refused_at_the_first_look(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") EXPECT "Content-Length: 6\r\n\r\n", 5);
    CHECK_INT(first(bench, handle), TB_EBODY - 413);
    rig_answer(bench, handle, "no");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    finish(bench, client);
}

static void a_body_that_takes_too_long_is_told_to_its_reader(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 2;
    config.request_timeout_ms = 3600000;
    rig *bench = rig_open_with(&config);
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 9\r\n\r\nabc", 9);
    CHECK_INT(first(bench, handle), 3);
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    rig_poll(bench);
    clock_advance(70000);
    CHECK(told(bench, handle));
    CHECK_INT(take(bench, handle, 10), TB_EBODY - 408);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_body), 1);
    rig_answer(bench, handle, "no");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "\r\nConnection: close\r\n"), 1);
    CHECK(rig_conn(bench)->lingering); /* what is on its way must not reset it */
    finish(bench, client);
}

static void a_held_client_is_not_the_one_who_takes_too_long(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 2;
    config.request_timeout_ms = 3600000;
    rig *bench = rig_open_with(&config);
    int client = rig_connect(bench);
    static char much[INFLOW_HIGH + 1];
    memset(much, 'x', INFLOW_HIGH);
    char head[128];
    snprintf(head, sizeof head, POST("/a") "Content-Length: %d\r\n\r\n", INFLOW_HIGH + 40000);
    const uint64_t handle = begin(bench, client, head, UINT64_MAX);
    CHECK_INT(take(bench, handle, 1), TB_EWAIT);
    for (size_t sent = 0; sent < INFLOW_HIGH; sent += 16384) {
        rig_send_octets(client, much, 16384);
        rig_poll(bench);
    }
    for (unsigned i = 0; i < 10; i++) {
        clock_advance(60000);
        rig_poll(bench);
    }
    CHECK_INT(take(bench, handle, sizeof into), INFLOW_HIGH);
    rig_poll(bench);
    rig_send_octets(client, much, 40000);
    rig_poll(bench);
    CHECK_INT(take(bench, handle, sizeof into), 40000);
    CHECK_INT(take(bench, handle, sizeof into), 0);
    rig_answer(bench, handle, "thanks");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "thanks"), 1);
    finish(bench, client);
}

static void a_client_that_leaves_ends_its_body(void) {
    for (unsigned i = 0; i < 4; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 9\r\n\r\nabc", 9);
        if (i >= 2) {
            CHECK_INT(first(bench, handle), 3);
            CHECK_INT(take(bench, handle, 10), TB_EWAIT);
        }
        if (i % 2 == 0) {
            shutdown(client, SHUT_WR); /* it may still read */
            CHECK(i < 2 ? !told(bench, handle) : told(bench, handle));
            CHECK_INT(i < 2 ? first(bench, handle) : 3, 3);
            CHECK_INT(take(bench, handle, 10), TB_EDISCONNECTED);
            CHECK_INT(handle_state(&bench->sched.room.handles, handle), TB_OK);
            CHECK_INT(handle_client(&bench->sched.room.handles, handle), TB_EDISCONNECTED);
            rig_answer(bench, handle, "too little");
            rig_poll(bench);
            CHECK_INT(rig_count(rig_receive(bench, client), "too little"), 1);
        } else {
            close(client);
            CHECK(i < 2 ? !told(bench, handle) : told(bench, handle));
            CHECK_INT(take(bench, handle, 10), TB_EDISCONNECTED);
            CHECK_INT(handle_client(&bench->sched.room.handles, handle), TB_EDISCONNECTED);
            CHECK_INT(rig_post(bench, handle, "late"), TB_EDISCONNECTED);
            client = -1;
        }
        rig_poll(bench);
        rig_poll(bench);
        finish(bench, client);
    }
}

static void a_client_that_leaves_while_that_is_told_leaves_nothing(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 9\r\n\r\nabc", 9);
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    close(client);
    CHECK(rig_poll(bench) & TB_POLL_NEWS);
    CHECK_INT(rig_post(bench, handle, "late"), TB_EDISCONNECTED);
    rig_poll(bench); /* the answer has come, and what there is to tell has not been told yet */
    CHECK_INT(bench->sched.room.handles.open, 1);
    CHECK(told(bench, handle));
    finish(bench, -1);
}

static void the_rest_of_a_body_that_nobody_reads_is_thrown_away_when_it_is_little(void) {
    for (unsigned i = 0; i < 3; i++) { /* not opened, opened, begun */
        rig *bench = bench_open();
        int client = rig_connect(bench);
        rig_send(client, POST("/a") "Content-Length: 9\r\n\r\nabc");
        CHECK_INT(rig_poll(bench), TB_POLL_OFFER);
        const uint64_t handle = rig_record_at(bench, 0).handle;
        if (i > 0) {
            CHECK_INT(inflow_open(&bench->sched.room, handle, 9), TB_OK);
        }
        if (i > 1) {
            CHECK_INT(first(bench, handle), 3);
        }
        rig_answer(bench, handle, "enough");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "enough"), 1);
        CHECK_INT(rig_count(bench->got, "Connection: close"), 0);
        rig_send(client, "def");
        CHECK_INT(rig_serve(bench), 0);
        rig_send(client, "ghi" GET("/next"));
        CHECK_INT(rig_serve(bench), 1);
        rig_poll(bench);
        CHECK_INT(rig_count(rig_receive(bench, client), "/next"), 1);
        finish(bench, client);
    }
}

static void the_rest_of_a_body_that_nobody_reads_ends_the_connection_when_it_is_much_or_unknown(void) {
    static const char *const heads[] = {
        POST("/a") "Content-Length: 270000\r\n\r\nabc",
        POST("/a") CHUNKED "\r\n3\r\nabc\r\n",
        POST("/a") CLOSE "Content-Length: 9\r\n\r\nabc",
    };
    for (unsigned i = 0; i < 2 * sizeof heads / sizeof *heads; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        const uint64_t handle = begin(bench, client, heads[i / 2], UINT64_MAX);
        CHECK_INT(i % 2 == 0 ? 3 : first(bench, handle), 3);
        rig_answer(bench, handle, "enough");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "enough"), 1);
        CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
        CHECK(bench->eof);
        rig_send(client, GET("/smuggled"));
        CHECK_INT(rig_serve(bench), 0);
        finish(bench, client);
    }
}

static void a_rest_that_is_thrown_away_and_never_comes_ends_with_its_connection(void) {
    for (unsigned i = 0; i < 2; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 9\r\n\r\nabc", 9);
        rig_answer(bench, handle, "enough");
        rig_poll(bench);
        if (i == 0) {
            clock_advance(70000);
        } else {
            shutdown(client, SHUT_WR);
        }
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "HTTP/1.1 "), 1); /* and no 408 or 400 after the answer */
        CHECK(bench->eof);
        finish(bench, client);
    }
}

static void a_request_that_is_overdue_ends_what_its_reader_waits_for(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") EXPECT "Content-Length: 9\r\n\r\n", 9);
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    rig_poll(bench);
    clock_advance(40000);
    CHECK(told(bench, handle));
    CHECK_INT(take(bench, handle, 10), TB_EALREADY);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 504 "), 1);
    finish(bench, client);
}

static void the_deadline_of_a_request_is_counted_from_the_last_octets_of_its_body(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 90000\r\n\r\n", UINT64_MAX);
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    rig_poll(bench);
    char piece[10001];
    memset(piece, 'x', 10000);
    for (unsigned i = 0; i < 9; i++) {
        clock_advance(20000);
        rig_send_octets(client, piece, 10000);
        CHECK(!(rig_poll(bench) & TB_POLL_OVERDUE));
        CHECK_INT(take(bench, handle, sizeof into), 10000);
        CHECK_INT(take(bench, handle, sizeof into), i < 8 ? TB_EWAIT : 0);
    }
    clock_advance(20000);
    CHECK(!(rig_poll(bench) & TB_POLL_OVERDUE));
    clock_advance(20000);
    CHECK(rig_poll(bench) & TB_POLL_OVERDUE);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 504 "), 1);
    finish(bench, client);
}

static void an_answer_in_parts_that_ends_before_the_body_ends_the_connection_or_drops_the_rest(void) {
    for (unsigned i = 0; i < 2; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        const char *request =
            i == 0 ? POST("/a") "Content-Length: 6\r\n\r\nabc" : POST("/a") CHUNKED "\r\n3\r\nabc\r\n";
        const uint64_t handle = begin(bench, client, request, 9);
        stream(bench, handle, TB_KIND_STREAM, "");
        CHECK_INT(take(bench, handle, 10), TB_EWAIT);
        CHECK(told(bench, handle));
        stream(bench, handle, TB_KIND_END, "");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "0\r\n\r\n"), 1);
        CHECK(bench->eof == (i == 1));
        CHECK_INT(take(bench, handle, 10), TB_EALREADY);
        finish(bench, client);
    }
}

static void readers_that_never_come_back_leave_nothing(void) {
    rig *bench = bench_open();
    for (unsigned i = 0; i < 20; i++) {
        int client = rig_connect(bench);
        rig_send(client, POST("/a") "Content-Length: 9\r\n\r\nabc");
        CHECK(rig_poll(bench) & TB_POLL_OFFER);
        const uint64_t handle = rig_record_at(bench, 0).handle;
        CHECK_INT(inflow_open(&bench->sched.room, handle, 9), TB_OK);
        if (i % 2 == 0) {
            CHECK_INT(take(bench, handle, 9), TB_EWAIT); /* it stays on the list of those that are wanted */
        }
        if (i % 5 < 3) {
            rig_poll(bench);
        }
        close(client);
    }
    rig_close(bench); /* and with it all that is open */
    CHECK(true);
}

int main(void) {
    RUN(a_drain_does_not_wait_for_what_nobody_reads);
    RUN(a_body_that_breaks_off_is_told_to_its_reader);
    RUN(a_body_that_is_announced_too_long_is_refused_at_the_first_look);
    RUN(a_body_that_takes_too_long_is_told_to_its_reader);
    RUN(a_held_client_is_not_the_one_who_takes_too_long);
    RUN(a_client_that_leaves_ends_its_body);
    RUN(a_client_that_leaves_while_that_is_told_leaves_nothing);
    RUN(the_rest_of_a_body_that_nobody_reads_is_thrown_away_when_it_is_little);
    RUN(the_rest_of_a_body_that_nobody_reads_ends_the_connection_when_it_is_much_or_unknown);
    RUN(a_rest_that_is_thrown_away_and_never_comes_ends_with_its_connection);
    RUN(a_request_that_is_overdue_ends_what_its_reader_waits_for);
    RUN(the_deadline_of_a_request_is_counted_from_the_last_octets_of_its_body);
    RUN(an_answer_in_parts_that_ends_before_the_body_ends_the_connection_or_drops_the_rest);
    RUN(readers_that_never_come_back_leave_nothing);
    return check_end();
}
