/* One scenario that uses all of a scheduler, under every fault: the same octets come out, or a clean end, and nothing
 * is left behind. */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "faults.h"

#include "acceptor.h"
#include "loopback.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

enum { LARGE = 200000, WIRE = 1 << 20 };

static unsigned pipes_broken;

static void on_sigpipe(int number) {
    (void)number;
    pipes_broken++;
}

/* Polls and answers whatever comes until nothing does for a while; offers are granted, every third answer is posted. */
static void serve_all(rig *bench, int client) {
    static uint8_t large[LARGE];
    unsigned quiet = 0;
    for (unsigned turn = 0; quiet < 12 && turn < 3000000; turn++) {
        const size_t got = bench->got_len;
        const int32_t verdict = rig_poll(bench);
        const uint32_t count = verdict < 0 ? 0 : bench->bat.count;
        for (uint32_t i = 0; i < count; i++) {
            const rig_record record = rig_record_at(bench, i);
            if (record.offered) {
                rig_continue(bench, record.handle, 1000);
            } else if (record.path.len == 6 && memcmp(record.path.at, "/large", 6) == 0) {
                memset(large, 'L', sizeof large);
                rig_answer_octets(bench, record.handle, 200, large, sizeof large);
            } else if (record.path.len == 7) {
                rig_post(bench, record.handle, "posted");
            } else {
                rig_answer(bench, record.handle, "answered");
            }
        }
        const unsigned storm = faults.storm;
        faults.storm = faults.storm_left = 0; /* the client has fair weather */
        rig_receive_more(bench, client);
        faults.storm = faults.storm_left = storm;
        quiet = count == 0 && bench->got_len == got ? quiet + 1 : 0;
    }
}

/* The scenario's first half on one connection, its second on another. What came of it stands in got. */
static void play(rig *bench) {
    rig_add_constant(bench, "/constant", "constant");
    bench->got_len = 0;
    int client = rig_connect(bench);
    rig_send(client, GET("/a") GET("/b") GET("/posted") GET("/constant") POST("/c") "Content-Length: 5\r\n\r\nhel");
    serve_all(bench, client);
    rig_send(client, "lo" POST("/d") "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: u\r\n\r\n");
    serve_all(bench, client);
    rig_send(client, POST("/e") "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    serve_all(bench, client);
    rig_send(client, "body");
    serve_all(bench, client);
    close(client);
    rig_poll(bench);
    client = rig_connect(bench);
    rig_send(client, GET("/large") GET("/f") "nonsense\r\n\r\n");
    serve_all(bench, client);
    close(client);
    rig_poll(bench);
    rig_poll(bench);
}

/* The scenario's octets with no fault, but for the date. */
static char *expected;
static size_t expected_len;

static void without_dates(char *text) {
    for (char *at = strstr(text, "\r\nDate: "); at != NULL; at = strstr(at + 8, "\r\nDate: ")) {
        memset(at + 8, 'x', 29);
    }
}

static void learn_what_is_expected(void) {
    rig *bench = rig_open();
    play(bench);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200 "), 9);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 100 "), 1);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 400 "), 1);
    without_dates(bench->got);
    expected_len = bench->got_len;
    expected = malloc(expected_len + 1);
    memcpy(expected, bench->got, expected_len + 1);
    rig_close(bench);
}

static void check_as_expected(rig *bench) {
    without_dates(bench->got);
    CHECK_INT(bench->got_len, expected_len);
    CHECK(bench->got_len == expected_len && memcmp(bench->got, expected, expected_len) == 0);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK(bench->sched.room.conns == NULL);
}

static void a_storm_of_signals_changes_no_octet(void) {
    for (unsigned storm = 1; storm <= 3; storm++) {
        rig *bench = rig_open();
        faults.storm = faults.storm_left = storm;
        play(bench);
        faults.storm = faults.storm_left = 0;
        check_as_expected(bench);
        rig_close(bench);
    }
}

static void writes_of_one_octet_change_no_octet(void) {
    static const size_t most[] = {1, 7, 4096};
    for (unsigned i = 0; i < 3; i++) {
        rig *bench = rig_open();
        faults.send_max = most[i];
        play(bench);
        faults.send_max = 0;
        check_as_expected(bench);
        rig_close(bench);
    }
}

static void a_socket_that_is_full_for_no_reason_is_written_to_later(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_poll(bench);
    faults.send_again = 1;
    rig_answer(bench, bench->handles[0], "late");
    rig_poll(bench);
    CHECK_INT(rig_conn(bench)->sink.pending.len > 0, 1);
    /* The event that the kernel owes us once there is room. */
    conn_on_event(&bench->sched.room, rig_conn(bench), EPOLLOUT);
    CHECK_INT(rig_count(rig_receive(bench, client), "late"), 1);
    close(client);
    rig_close(bench);
}

static void an_interrupted_wait_says_nothing_about_who_is_late(void) {
    tb_config config = rig_config;
    config.header_timeout_ms = 1;
    rig *bench = rig_open_with(&config);
    int client = rig_connect(bench);
    rig_send(client, "GET /a HTTP/1.1\r\n");
    conn_on_event(&bench->sched.room, rig_conn(bench), EPOLLIN);
    const uint64_t begun = bench->sched.room.now_ms;
    while (bench->sched.room.now_ms < begun + 3) { /* until the deadline has passed, with no look at the events */
        faults.storm = faults.storm_left = 1;
        faults.waits = 0;
        batch_init(&bench->bat, bench->octets, bench->capacity, bench->handles, bench->count_max);
        scheduler_wake(&bench->sched, TB_POLL_WAKE);
        scheduler_poll(&bench->sched, &bench->bat);
        faults.storm = faults.storm_left = 0;
        CHECK_INT(faults.waits, 1);
    }
    rig_send(client, "Host: a\r\n\r\n");
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200 "), 1);
    close(client);
    rig_close(bench);
}

static void events_with_nothing_behind_them_do_nothing(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    conn *con = rig_conn(bench);
    for (unsigned i = 0; i < 100; i++) {
        conn_on_event(&bench->sched.room, con, EPOLLIN);
        conn_on_event(&bench->sched.room, con, EPOLLOUT);
        conn_on_event(&bench->sched.room, con, EPOLLIN | EPOLLOUT);
    }
    CHECK(!con->dead);
    rig_send(client, GET("/a"));
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200 "), 1);
    conn_on_event(&bench->sched.room, con, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    CHECK(con->dead);
    conn_on_event(&bench->sched.room, con, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
    CHECK(bench->sched.room.conns == NULL && bench->sched.room.dead == con);
    rig_poll(bench);
    CHECK(bench->sched.room.dead == NULL);
    close(client);
    rig_close(bench);
}

static void an_event_of_a_closed_connection_does_not_reach_the_next_one_with_its_number(void) {
    rig *bench = rig_open();
    int first = rig_connect(bench);
    conn *old = rig_conn(bench);
    const int number = old->sink.fd;
    rig_send(first, GET("/first"));
    rig_poll(bench);
    const uint64_t handle = bench->handles[0];
    conn_close(&bench->sched.room, old);
    const int pair = dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), number) == number ? number : -1;
    CHECK_INT(pair, number); /* somebody else has the number now */
    conn_on_event(&bench->sched.room, old, EPOLLIN | EPOLLOUT | EPOLLHUP);
    CHECK_INT(rig_post(bench, handle, "for a client that is gone"), TB_EDISCONNECTED);
    rig_poll(bench);
    CHECK(fcntl(number, F_GETFD) >= 0); /* and keeps it */
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(number);
    close(first);
    rig_close(bench);
}

static void a_reset_at_any_point_is_told_once_and_costs_nobody_else_anything(void) {
    static const char *const sent[] = {
        "GET / HT",
        POST("/a") "Content-Length: 10\r\n\r\nabc",
        GET("/a"),
        GET("/a") GET("/b"),
        POST("/a") "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    };
    static const unsigned requests[] = {0, 0, 1, 2, 0};
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++) {
        for (unsigned on_send = 0; on_send < 2; on_send++) {
            rig *bench = rig_open();
            int other = rig_connect(bench);
            int client = rig_connect(bench);
            rig_send(client, sent[i]);
            rig_poll(bench);
            CHECK_INT(bench->bat.count, requests[i]);
            const uint64_t handles[2] = {bench->handles[0], bench->handles[1]};
            if (on_send) {
                faults.send_errno = EPIPE;
                for (unsigned k = 0; k < requests[i]; k++) {
                    rig_answer(bench, handles[k], "lost");
                }
                rig_poll(bench);
                faults.send_errno = 0;
                close(client);
            } else {
                faults.recv_errno = ECONNRESET;
                rig_send(client, "x");
                rig_poll(bench);
                faults.recv_errno = 0;
                for (unsigned k = 0; k < requests[i]; k++) {
                    CHECK_INT(rig_post(bench, handles[k], "lost"), TB_EDISCONNECTED);
                    CHECK_INT(rig_post(bench, handles[k], "lost"), TB_EALREADY);
                }
                close(client);
            }
            rig_poll(bench);
            rig_poll(bench);
            CHECK_INT(bench->sched.room.handles.open, 0);
            CHECK_INT(bench->sched.room.open, 1);
            rig_send(other, GET("/other"));
            CHECK_INT(rig_serve(bench), 1);
            rig_poll(bench);
            CHECK_INT(rig_count(rig_receive(bench, other), "HTTP/1.1 200 "), 1);
            close(other);
            rig_close(bench);
        }
    }
    CHECK_INT(pipes_broken, 0);
}

static void writing_to_a_client_that_has_left_raises_no_signal(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_poll(bench);
    close(client);
    rig_answer(bench, bench->handles[0], "nobody reads this");
    rig_poll(bench);
    rig_poll(bench);
    CHECK_INT(pipes_broken, 0);
    CHECK_INT(bench->sched.room.handles.open, 0);
    rig_close(bench);
}

static int32_t listen_on_rig(rig *bench) {
    return acceptor_listen(&bench->sched.acceptor, bench->sched.room.epoll_fd, "127.0.0.1", 0, 64);
}

static void an_exhausted_machine_pauses_the_acceptor_and_nothing_else(void) {
    static const int reasons[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    for (unsigned i = 0; i < 4; i++) {
        rig *bench = rig_open();
        bench->sched.acceptor.connections_max = 100;
        const int32_t port = listen_on_rig(bench);
        int served = rig_connect(bench);
        int waiting = connect_to(port);
        faults.accept_errno = reasons[i];
        faults.accept_failures = 1000000;
        faults.accepts = 0;
        for (unsigned turn = 0; turn < 50; turn++) {
            rig_send(served, GET("/a"));
            rig_serve(bench);
        }
        rig_poll(bench);
        rig_receive(bench, served);
        CHECK_INT(rig_count(bench->got, "HTTP/1.1 200 "), 50);
        /* Each turn of the loop tries once at most, and only because the room was polled; it never spins by itself. */
        CHECK(faults.accepts <= 110);
        CHECK(rig_stat(&bench->sched.room.stats.accept_errors) >= 1);
        faults.accept_failures = 0;
        rig_send(waiting, GET("/b"));
        uint32_t found = 0;
        for (unsigned turn = 0; turn < 10000 && found == 0; turn++) {
            found = rig_serve(bench);
        }
        CHECK_INT(found, 1);
        rig_poll(bench);
        CHECK_INT(rig_count(rig_receive(bench, waiting), "HTTP/1.1 200 "), 1);
        close(waiting);
        close(served);
        rig_close(bench);
    }
}

static void a_paused_acceptor_sleeps_while_it_waits(void) {
    rig *bench = rig_open();
    bench->sched.acceptor.connections_max = 100;
    const int32_t port = listen_on_rig(bench);
    int waiting = connect_to(port);
    faults.accept_errno = EMFILE;
    faults.accept_failures = 1;
    rig_poll(bench);
    CHECK(bench->sched.acceptor.paused || rig_stat(&bench->sched.room.stats.connections_accepted) == 1);
    faults.accepts = faults.waits = 0;
    /* A poll that may sleep: it ends with the request that was waiting, and looked a few times only. */
    rig_send(waiting, GET("/b"));
    batch_init(&bench->bat, bench->octets, bench->capacity, bench->handles, bench->count_max);
    CHECK(scheduler_poll(&bench->sched, &bench->bat) >= 0);
    CHECK_INT(bench->bat.count, 1);
    CHECK(faults.waits <= 6 && faults.accepts <= 4);
    close(waiting);
    rig_close(bench);
}

static void a_peer_that_left_before_it_was_accepted_is_passed_over(void) {
    static const int reasons[] = {ECONNABORTED, EPROTO, EINTR, EPERM};
    for (unsigned i = 0; i < 4; i++) {
        rig *bench = rig_open();
        bench->sched.acceptor.connections_max = 100;
        const int32_t port = listen_on_rig(bench);
        int client = connect_to(port);
        rig_send(client, GET("/a"));
        faults.accept_errno = reasons[i];
        faults.accept_failures = 3;
        uint32_t found = 0;
        for (unsigned turn = 0; turn < 100 && found == 0; turn++) {
            found = rig_serve(bench);
        }
        CHECK_INT(found, 1);
        CHECK_INT(rig_stat(&bench->sched.room.stats.accept_errors), 0);
        CHECK(!bench->sched.acceptor.paused);
        close(client);
        rig_close(bench);
    }
}

static void freed_and_unwritten_memory_never_reaches_the_wire(void) {
    faults.poison = true;
    rig *bench = rig_open();
    play(bench);
    faults.poison = false;
    CHECK(memchr(bench->got, FAULTS_FREED, bench->got_len) == NULL);
    CHECK(memchr(bench->got, FAULTS_FRESH, bench->got_len) == NULL);
    check_as_expected(bench);
    rig_close(bench);
}

int main(void) {
    signal(SIGPIPE, on_sigpipe);
    RUN(learn_what_is_expected);
    RUN(a_storm_of_signals_changes_no_octet);
    RUN(writes_of_one_octet_change_no_octet);
    RUN(a_socket_that_is_full_for_no_reason_is_written_to_later);
    RUN(an_interrupted_wait_says_nothing_about_who_is_late);
    RUN(events_with_nothing_behind_them_do_nothing);
    RUN(an_event_of_a_closed_connection_does_not_reach_the_next_one_with_its_number);
    RUN(a_reset_at_any_point_is_told_once_and_costs_nobody_else_anything);
    RUN(writing_to_a_client_that_has_left_raises_no_signal);
    RUN(an_exhausted_machine_pauses_the_acceptor_and_nothing_else);
    RUN(a_paused_acceptor_sleeps_while_it_waits);
    RUN(a_peer_that_left_before_it_was_accepted_is_passed_over);
    RUN(freed_and_unwritten_memory_never_reaches_the_wire);
    free(expected);
    return check_end();
}
