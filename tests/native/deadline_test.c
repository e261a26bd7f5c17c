/* Every deadline of a connection and of a request, with a clock that is put forward by hand. */
#include "deadline.h"

#include "deadlines.h"
#include "loopback.h"

#define POST "POST / HTTP/1.1\r\nHost: a\r\n"

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
    RUN(the_head_of_a_next_request_has_its_own_time);
    RUN(a_body_that_stalls_is_answered_408);
    RUN(a_body_must_be_fast_enough_on_the_whole_though_it_never_stalls);
    RUN(an_idle_connection_is_closed_and_one_that_is_used_is_not);
    RUN(a_client_that_takes_its_answer_too_slowly_is_cut_off);
    RUN(a_client_that_takes_its_answer_at_a_modest_speed_is_not_cut_off);
    RUN(who_was_refused_may_go_on_sending_for_a_moment_only);
    RUN(a_handler_that_overruns_is_answered_for_with_504);
    RUN(jumps_of_the_wall_clock_change_the_date_only);
    RUN(times_beyond_what_32_bits_hold_are_times_like_others);
    return check_end();
}
