/* Every deadline of a connection and of a request, with a clock that is put forward by hand. */
#include "deadline.h"

#include "clock.h"
#include "exchange.h"
#include "loopback.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

/* Lets time pass in steps, polls after each, and answers nothing. True when the client sees the end. */
static bool pass(rig *bench, int client, int64_t ms, int64_t step) {
    for (int64_t at = 0; at < ms; at += step) {
        clock_advance(step);
        rig_poll(bench);
    }
    rig_receive(bench, client);
    return bench->eof;
}

static void a_head_that_drips_in_is_answered_408_in_time(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    for (unsigned i = 0; i < 11 && !bench->eof; i++) {
        rig_send(client, i == 0 ? "GET / HTTP/1.1\r\nX: " : "y");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK(i >= 10 || bench->got_len == 0);
        clock_advance(1000);
    }
    rig_poll(bench);
    rig_receive_more(bench, client);
    CHECK(strncmp(bench->got, "HTTP/1.1 408 ", 13) == 0);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_header), 1);
    close(client);
    rig_close(bench);
}

static void who_connects_and_says_nothing_is_closed_without_a_word(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    CHECK(!pass(bench, client, 9000, 1000));
    CHECK(pass(bench, client, 2500, 500));
    CHECK_INT(bench->got_len, 0);
    CHECK(bench->sched.room.conns == NULL);
    close(client);
    rig_close(bench);
}

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

static void the_head_of_a_next_request_has_its_own_time(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    for (unsigned i = 0; i < 5; i++) {
        rig_send(client, GET("/a") "GET /b HTTP");
        CHECK_INT(rig_serve(bench), 1);
        CHECK(!pass(bench, client, 8000, 1000));
        rig_send(client, "/1.1\r\nHost: a\r\n\r\n");
        CHECK_INT(rig_serve(bench), 1);
        rig_poll(bench);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_header), 0);
    close(client);
    rig_close(bench);
}

static void a_body_that_stalls_is_answered_408(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, POST "Content-Length: 100000\r\n\r\nabc");
    CHECK(!pass(bench, client, 59000, 1000));
    rig_send(client, "defghi");
    CHECK(!pass(bench, client, 50, 50));
    CHECK(!pass(bench, client, 1000, 1000) || bench->got_len > 0);
    CHECK(pass(bench, client, 70000, 1000));
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_body), 1);
    close(client);
    rig_close(bench);
}

/* Sends `octets` a second for so many seconds. True when it was told 408 meanwhile. */
static bool drips_to_408(const char *head, size_t octets, unsigned seconds) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    static char filler[65536];
    memset(filler, 'a', sizeof filler);
    rig_send(client, head);
    bool told = false;
    for (unsigned i = 0; i < seconds && !told; i++) {
        send(client, filler, octets, MSG_NOSIGNAL);
        clock_advance(1000);
        rig_poll(bench);
        told = strstr(rig_receive(bench, client), "HTTP/1.1 408 ") != NULL;
    }
    close(client);
    rig_close(bench);
    return told;
}

static void a_body_must_be_fast_enough_on_the_whole_though_it_never_stalls(void) {
    const char *length = POST "Content-Length: 1000000\r\n\r\n";
    CHECK(drips_to_408(length, 1, 100));
    CHECK(drips_to_408(length, 400, 1000));
    CHECK(!drips_to_408(length, 600, 1000));
    CHECK(drips_to_408(POST "Transfer-Encoding: chunked\r\n\r\nffff\r\n", 1, 100));
    CHECK(drips_to_408(POST "Transfer-Encoding: chunked\r\n\r\n1;", 1, 100));       /* an extension */
    CHECK(drips_to_408(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", 1, 100)); /* a trailer */
}

static void an_idle_connection_is_closed_and_one_that_is_used_is_not(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_add_constant(bench, "/constant", "c");
    for (unsigned i = 0; i < 4; i++) {
        rig_send(client, i % 2 == 0 ? GET("/a") : GET("/constant"));
        rig_serve(bench);
        rig_poll(bench);
        CHECK(!pass(bench, client, 74000, 1000));
    }
    CHECK(pass(bench, client, 11000, 1000));
    CHECK_INT(bench->got_len, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_keepalive), 1);
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

/* A client that is sent much and takes `octets` a second. True when it is cut off within so many seconds. */
static bool is_cut_off(size_t octets, unsigned seconds) {
    enum { LEN = 4 * 1024 * 1024 };
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const int small = 4096;
    setsockopt(rig_conn(bench)->sink.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    rig_send(client, GET("/large"));
    rig_poll(bench);
    uint8_t *body = calloc(1, LEN);
    rig_answer_octets(bench, bench->handles[0], 200, body, LEN);
    bool gone = false;
    for (unsigned i = 0; i < seconds && !gone; i++) {
        if (octets > 0) {
            recv(client, body, octets, MSG_DONTWAIT);
        }
        clock_advance(1000);
        rig_poll(bench);
        gone = bench->sched.room.conns == NULL;
    }
    CHECK(!gone || rig_stat(&bench->sched.room.stats.timeouts_write) == 1);
    free(body);
    close(client);
    rig_close(bench);
    return gone;
}

/* The same over TCP, whose buffers hold megabytes before the socket is writable again. */
static void a_client_that_takes_its_answer_at_a_modest_speed_is_not_cut_off(void) {
    enum { LEN = 16 * 1024 * 1024, SPEED = 20000, SECONDS = 400 };
    rig *bench = rig_open();
    bench->sched.acceptor.connections_max = 10;
    const int32_t port = acceptor_listen(&bench->sched.acceptor, bench->sched.room.epoll_fd, "127.0.0.1", 0, 8);
    int client = connect_to(port);
    rig_send(client, GET("/large"));
    while (bench->bat.count == 0) {
        rig_poll(bench);
    }
    uint8_t *body = calloc(1, LEN);
    rig_answer_octets(bench, bench->handles[0], 200, body, LEN);
    for (unsigned i = 0; i < SECONDS && bench->sched.room.conns != NULL; i++) {
        recv(client, body, SPEED, MSG_DONTWAIT);
        clock_advance(1000);
        rig_poll(bench);
    }
    CHECK(bench->sched.room.conns != NULL);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_write), 0);
    for (unsigned i = 0; i < 200 && bench->sched.room.conns != NULL; i++) { /* until it takes nothing any more */
        clock_advance(1000);
        rig_poll(bench);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_write), 1);
    free(body);
    close(client);
    rig_close(bench);
}

static void a_client_that_takes_its_answer_too_slowly_is_cut_off(void) {
    CHECK(is_cut_off(0, 80));
    CHECK(is_cut_off(1, 200));
    CHECK(!is_cut_off(8000, 400));
}

static void who_was_refused_may_go_on_sending_for_a_moment_only(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "nonsense\r\n\r\nand more of it");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 400 "), 1);
    for (unsigned i = 0; i < 8 && bench->sched.room.conns != NULL; i++) {
        send(client, "x", 1, MSG_NOSIGNAL);
        CHECK(i < 6);
        clock_advance(1000);
        rig_poll(bench);
    }
    CHECK(bench->sched.room.conns == NULL);
    close(client);
    rig_close(bench);
}

static void a_handler_that_overruns_is_answered_for_with_504(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/stuck"));
    rig_poll(bench);
    const uint64_t handle = bench->handles[0];
    clock_advance(29000);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    clock_advance(5000);
    CHECK_INT(rig_poll(bench), TB_POLL_OVERDUE);
    CHECK(strncmp(rig_receive(bench, client), "HTTP/1.1 504 ", 13) == 0);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    CHECK(bench->eof);
    uint64_t pairs[4];
    CHECK_INT(overdue_take(&bench->sched.room.overdue, pairs, 2), 1);
    CHECK(pairs[0] == handle && pairs[1] >= 30000 && pairs[1] < 40000);
    CHECK_INT(rig_post(bench, handle, "late"), TB_EALREADY);
    CHECK_INT(bench->sched.room.handles.open, 0);
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

static void jumps_of_the_wall_clock_change_the_date_only(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const int64_t day = 24 * 3600 * 1000;
    char dates[3][40];
    const int64_t jumps[] = {0, day, -day};
    for (unsigned i = 0; i < 3; i++) {
        atomic_store(&clock_real_ahead_ms, jumps[i]);
        rig_send(client, GET("/a"));
        CHECK_INT(rig_serve(bench), 1);
        rig_poll(bench);
        const char *date = strstr(rig_receive(bench, client), "\r\nDate: ");
        CHECK(date != NULL && sscanf(date, "\r\nDate: %39[^\r]", dates[i]) == 1);
    }
    atomic_store(&clock_real_ahead_ms, 0);
    CHECK(strcmp(dates[0], dates[1]) != 0 && strcmp(dates[0], dates[2]) != 0 && strcmp(dates[1], dates[2]) != 0);
    CHECK(!bench->eof);
    CHECK_INT(rig_stat(&bench->sched.room.stats.timeouts_keepalive), 0);
    close(client);
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

static void times_beyond_what_32_bits_hold_are_times_like_others(void) {
    atomic_store(&clock_ahead_ms, ((int64_t)1 << 31) - 20000);
    a_head_that_drips_in_is_answered_408_in_time();
    a_handler_that_overruns_is_answered_for_with_504();
    atomic_store(&clock_ahead_ms, ((int64_t)1 << 32) - 20000);
    an_idle_connection_is_closed_and_one_that_is_used_is_not();
    atomic_store(&clock_ahead_ms, (int64_t)1 << 45);
    a_body_that_stalls_is_answered_408();
    atomic_store(&clock_ahead_ms, 0);
}

int main(void) {
    RUN(a_head_that_drips_in_is_answered_408_in_time);
    RUN(who_connects_and_says_nothing_is_closed_without_a_word);
    RUN(a_head_that_lies_in_the_socket_when_its_time_is_up_has_come_in_time);
    RUN(the_head_of_a_next_request_has_its_own_time);
    RUN(a_body_that_stalls_is_answered_408);
    RUN(a_body_must_be_fast_enough_on_the_whole_though_it_never_stalls);
    RUN(an_idle_connection_is_closed_and_one_that_is_used_is_not);
    RUN(a_request_that_comes_when_the_idle_time_is_up_is_served);
    RUN(a_request_that_comes_when_the_idle_time_is_up_is_served_also_when_the_batch_is_full);
    RUN(a_504_that_waited_for_its_turn_says_that_it_is_the_last);
    RUN(a_client_that_takes_its_answer_too_slowly_is_cut_off);
    RUN(a_client_that_takes_its_answer_at_a_modest_speed_is_not_cut_off);
    RUN(who_was_refused_may_go_on_sending_for_a_moment_only);
    RUN(a_handler_that_overruns_is_answered_for_with_504);
    RUN(a_504_waits_for_the_answers_before_it_and_costs_those_behind_it_nothing);
    RUN(a_request_may_have_a_deadline_of_its_own_or_none);
    RUN(a_client_that_has_left_a_stuck_handler_leaves_no_slot_behind);
    RUN(an_answer_that_waits_for_its_turn_is_not_overdue);
    RUN(ten_thousand_idle_connections_cost_one_look_each);
    RUN(what_came_while_the_process_was_stopped_is_served_before_deadlines_are_kept);
    RUN(a_flood_of_requests_holds_no_deadline_up);
    RUN(jumps_of_the_wall_clock_change_the_date_only);
    RUN(the_monitor_can_serve_in_place_of_a_holder_without_touching_a_batch);
    RUN(times_beyond_what_32_bits_hold_are_times_like_others);
    return check_end();
}
