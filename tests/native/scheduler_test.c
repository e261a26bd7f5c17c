/* A scheduler's turns: who gets into the batch, what wakes it, how it drains and how it ends. */
#include "reception.h"
#include "scheduler.h"

#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Sends a POST, but of its body only the first octets. */
static void send_post(int client, const char *path, size_t body_len, size_t sent_len) {
    char head[128];
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path, body_len);
    uint8_t *body = calloc(1, body_len + 1);
    rig_send(client, head);
    rig_send_octets(client, body, sent_len);
    free(body);
}

static void connections_that_found_the_batch_full_come_with_the_next_polls(void) {
    rig *bench = rig_open();
    int clients[5];
    unsigned seen = 0;
    bench->count_max = 2;
    for (unsigned i = 0; i < 5; i++) {
        clients[i] = rig_connect(bench);
        rig_send(clients[i], GET("/a") GET("/b") GET("/c"));
    }
    for (unsigned polls = 0; seen < 15 && CHECK(polls < 30); polls++) {
        seen += rig_serve(bench);
        CHECK(bench->bat.count <= 2);
    }
    CHECK_INT(rig_serve(bench), 0);
    for (unsigned i = 0; i < 5; i++) {
        rig_receive(bench, clients[i]);
        CHECK(rig_in_order(bench->got, "/a", "/b") && rig_in_order(bench->got, "/b", "/c"));
        close(clients[i]);
    }
    rig_close(bench);
}

/* Serves until this client has got so many answers, or the polls are used up. */
static bool served_within(rig *bench, int client, unsigned answers, unsigned polls) {
    unsigned got = 0;
    for (unsigned i = 0; i < polls && got < answers; i++) {
        rig_serve(bench);
        got += rig_count(rig_receive(bench, client), "HTTP/1.1 200");
    }
    return got >= answers;
}

static void send_many(int client, const char *request, unsigned count) {
    const size_t len = strlen(request);
    char *all = malloc(len * count);
    for (unsigned i = 0; i < count; i++) {
        memcpy(all + i * len, request, len);
    }
    rig_send_octets(client, all, len * count);
    free(all);
}

static void a_client_that_pipelines_without_end_does_not_starve_the_others(void) {
    static const char *const greedy[] = {GET("/greedy"), "DELETE /greedy HTTP/1.1\r\nHost: a\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        for (uint32_t count_max = 1; count_max <= 2; count_max++) {
            rig *bench = rig_open();
            bench->count_max = count_max;
            int hog = rig_connect(bench);
            send_many(hog, greedy[i], 500);
            rig_serve(bench);
            int modest = rig_connect(bench);
            rig_send(modest, GET("/one") GET("/two") GET("/three"));
            CHECK(served_within(bench, modest, 3, 12));
            int newcomer = rig_connect(bench);
            rig_send(newcomer, GET("/new"));
            CHECK(served_within(bench, newcomer, 1, 6));
            close(newcomer);
            close(modest);
            close(hog);
            rig_close(bench);
        }
    }
}

static void a_request_that_needs_a_larger_buffer_asks_for_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/before"));
    rig_serve(bench);
    send_post(client, "/large", 100000, 100000);
    int32_t verdict = 0;
    for (unsigned polls = 0; verdict == 0 && polls < 10; polls++) {
        verdict = rig_poll(bench);
        CHECK_INT(bench->bat.count, 0);
    }
    CHECK_INT(verdict, TB_EBUFFER);
    const uint64_t needed = atomic_load(&bench->sched.batch_bytes);
    CHECK(needed > 100000 && needed < 101000);
    CHECK_INT(rig_poll(bench), TB_EBUFFER); /* it says so as long as it is so */
    rig_resize(bench, needed);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK_INT(record.body.len, 100000);
    close(client);
    rig_close(bench);
}

/* One turn of a runner that grows its buffer when it has to, and shrinks it after a small batch. */
static void serve_as_runners_do(rig *bench) {
    int32_t verdict = rig_poll(bench);
    if (verdict == TB_EBUFFER) {
        rig_resize(bench, atomic_load(&bench->sched.batch_bytes));
        verdict = rig_poll(bench);
    }
    CHECK_INT(verdict, 0);
    for (uint32_t i = 0; i < bench->bat.count; i++) {
        const rig_record record = rig_record_at(bench, i);
        rig_answer_octets(bench, record.handle, 200, record.path.at, record.path.len);
    }
    if (bench->bat.len < RIG_CAPACITY) {
        rig_resize(bench, RIG_CAPACITY);
    }
}

static void a_large_request_is_not_starved_by_small_ones_that_fit(void) {
    for (uint32_t count_max = 1; count_max <= 64; count_max *= 4) {
        for (unsigned many = 1; many <= 400; many += 399) { /* at each turn another, or all at once in a pipeline */
            rig *bench = rig_open();
            int small[3];
            bench->count_max = count_max;
            for (unsigned i = 0; i < 3; i++) {
                small[i] = rig_connect(bench);
                send_many(small[i], GET("/small"), many);
            }
            rig_serve(bench);
            int large = rig_connect(bench);
            send_post(large, "/large", 70000, 69999);
            serve_as_runners_do(bench);
            bool answered = false;
            for (unsigned polls = 0; polls < 40 && !answered; polls++) {
                for (unsigned i = 0; i < 3 && many == 1; i++) {
                    rig_send(small[i], GET("/small"));
                }
                if (polls == 0) {
                    rig_send(large, "."); /* the last octet, which comes behind small requests */
                }
                serve_as_runners_do(bench);
                for (unsigned i = 0; i < 3; i++) {
                    rig_receive(bench, small[i]);
                }
                answered = rig_count(rig_receive(bench, large), "HTTP/1.1 200") == 1;
            }
            CHECK(answered);
            for (unsigned i = 0; i < 3; i++) {
                close(small[i]);
            }
            close(large);
            rig_close(bench);
        }
    }
}

static void a_full_handle_table_is_answered_503_unless_the_connection_has_answers_to_come(void) {
    tb_config config = rig_config;
    config.handles_max = 2;
    rig *bench = rig_open_with(&config);
    int first = rig_connect(bench);
    rig_send(first, GET("/one") GET("/two") GET("/three"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    const uint64_t handles[] = {bench->handles[0], bench->handles[1]};
    int second = rig_connect(bench);
    rig_send(second, GET("/four"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    CHECK_INT(rig_count(rig_receive(bench, second), "HTTP/1.1 503 "), 1);
    CHECK_INT(rig_count(bench->got, "\r\nRetry-After: 1\r\n"), 1);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    CHECK_INT(rig_stat(&bench->sched.room.stats.requests_shed), 1);
    rig_answer(bench, handles[0], "now");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_path_is(bench, 0, "/three");
    close(first);
    close(second);
    rig_close(bench);
}

static void a_short_write_goes_on_when_the_client_reads_and_what_follows_keeps_its_place(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const int small = 4096;
    setsockopt(rig_conn(bench)->sink.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    enum { LEN = 300000 };
    char *body = malloc(LEN);
    for (size_t i = 0; i < LEN; i++) {
        body[i] = (char)('a' + i % 23);
    }
    rig_send(client, GET("/large") GET("/small"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    const uint64_t handles[] = {bench->handles[0], bench->handles[1]};
    rig_answer_octets(bench, handles[0], 200, body, LEN);
    rig_answer(bench, handles[1], "=small");
    rig_poll(bench);
    CHECK(rig_conn(bench)->sink.pending.len > 0);
    rig_send(client, GET("/third"));
    rig_receive(bench, client);
    for (unsigned polls = 0; strstr(bench->got, "/third") == NULL && CHECK(polls < 10000); polls++) {
        rig_serve(bench);
        rig_receive_more(bench, client);
    }
    const char *start = strstr(bench->got, "\r\n\r\n");
    if (CHECK(start != NULL && bench->got_len > LEN + 200)) {
        CHECK(memcmp(start + 4, body, LEN) == 0);
        CHECK(rig_in_order(start + 4 + LEN, "=small", "/third"));
    }
    CHECK(rig_conn(bench)->sink.pending.octets == NULL);
    free(body);
    close(client);
    rig_close(bench);
}

static void draining_closes_idle_connections_and_finishes_the_others(void) {
    rig *bench = rig_open();
    int idle = rig_connect(bench);
    int open = rig_connect(bench);
    int pipelined = rig_connect(bench);
    rig_send(open, GET("/open"));
    rig_send(pipelined, GET("/one") "DELETE /two HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    const uint64_t handles[] = {bench->handles[0], bench->handles[1]};
    atomic_store(&bench->sched.drain_due, true);
    CHECK_INT(rig_poll(bench), 0);
    rig_receive(bench, idle);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.open, 2);
    rig_answer(bench, handles[0], "=open");
    rig_answer(bench, handles[1], "=one");
    CHECK_INT(rig_poll(bench), 0);
    CHECK(strstr(rig_receive(bench, open), "Connection: close\r\n") != NULL);
    CHECK(bench->eof);
    CHECK_INT(bench->bat.count, 1); /* it was sent before the drain began */
    rig_path_is(bench, 0, "/two");
    rig_answer(bench, bench->handles[0], "=two");
    CHECK_INT(rig_poll(bench), TB_POLL_DRAINED);
    CHECK(rig_in_order(rig_receive(bench, pipelined), "=one", "=two"));
    CHECK_INT(rig_count(bench->got, "Connection: close\r\n"), 1);
    CHECK(bench->eof);
    CHECK_INT(rig_poll(bench), 0); /* told once */
    close(idle);
    close(open);
    close(pipelined);
    rig_close(bench);
}

static void draining_does_not_cut_off_a_request_whose_body_is_still_arriving(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    /* Two safe requests, so that the second one's body is read while the first is unanswered. */
    rig_send(client, "GET /one HTTP/1.1\r\nHost: a\r\n\r\nGET /two HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    uint64_t one = rig_record_at(bench, 0).handle;
    atomic_store(&bench->sched.drain_due, true);
    rig_poll(bench);
    rig_answer(bench, one, "=one");
    rig_poll(bench);
    rig_send(client, "llo");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_answer(bench, rig_record_at(bench, 0).handle, "=two");
    CHECK_INT(rig_poll(bench), TB_POLL_DRAINED);
    const char *got = rig_receive(bench, client);
    CHECK_INT(rig_count(got, "HTTP/1.1 200"), 2);
    CHECK_INT(rig_count(got, "Connection: close"), 1);
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

static void draining_an_idle_scheduler_is_done_at_once(void) {
    rig *bench = rig_open();
    atomic_store(&bench->sched.drain_due, true);
    CHECK_INT(rig_poll(bench), TB_POLL_DRAINED);
    rig_close(bench);
}

static void a_wake_is_told_once_and_with_every_flag_that_was_set(void) {
    rig *bench = rig_open();
    scheduler_wake(&bench->sched, TB_POLL_WAKE);
    scheduler_wake(&bench->sched, TB_POLL_WAKE);
    CHECK_INT(rig_poll(bench), TB_POLL_WAKE);
    CHECK_INT(rig_poll(bench), 0);
    rig_close(bench);
}

static void wakes_without_end_do_not_keep_the_sockets_waiting(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    uint32_t seen = 0;
    for (unsigned i = 0; i < 10; i++) {
        scheduler_wake(&bench->sched, TB_POLL_WAKE);
        rig_poll(bench);
        seen += bench->bat.count;
    }
    CHECK_INT(seen, 1);
    close(client);
    rig_close(bench);
}

static void a_signal_octet_ends_the_poll(void) {
    rig *bench = rig_open();
    CHECK_INT(write(bench->sched.signal_fds[1], "\2", 1), 1);
    batch_init(&bench->bat, bench->octets, bench->capacity, bench->handles, 1);
    CHECK_INT(scheduler_poll(&bench->sched, &bench->bat), TB_POLL_SIGNAL);
    rig_close(bench);
}

static void a_posted_answer_goes_out_with_the_next_poll(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_poll(bench);
    CHECK_INT(rig_post(bench, bench->handles[0], "posted"), TB_OK);
    CHECK_INT(rig_post(bench, bench->handles[0], "twice"), TB_EALREADY);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "posted"), 1);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1"), 1);
    close(client);
    rig_close(bench);
}

static void of_answers_that_break_off_those_before_the_break_are_taken(void) {
    for (unsigned posted = 0; posted < 2; posted++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        rig_send(client, GET("/a") GET("/b"));
        rig_poll(bench);
        uint8_t out[256];
        uint8_t *at = out + rig_write_answer(out, bench->handles[0], 200, "of a", 4);
        out[0] = 0x92; /* says two, and the second one is a number */
        *at++ = 7;
        const size_t len = (size_t)(at - out);
        CHECK_INT(posted ? reception_post(&bench->sched, out, len) : reception_spend(&bench->sched, out, len),
                  TB_ETERM);
        CHECK_INT(posted ? reception_post(&bench->sched, "\xc0", 1) : reception_spend(&bench->sched, "\xc0", 1),
                  TB_ETERM);
        rig_answer(bench, bench->handles[1], "of b");
        rig_poll(bench);
        CHECK(rig_in_order(rig_receive(bench, client), "of a", "of b"));
        close(client);
        rig_close(bench);
    }
}

static void an_answer_that_is_not_fit_for_the_wire_reaches_the_client_as_a_500(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_poll(bench);
    rig_answer_octets(bench, bench->handles[0], 999, "x", 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 500 Internal Server Error\r\n"), 1);
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

static void a_closing_scheduler_says_so(void) {
    rig *bench = rig_open();
    atomic_store(&bench->sched.closing, true);
    CHECK_INT(rig_poll(bench), TB_ESHUTDOWN);
    rig_close(bench);
}

static void deinit_frees_connections_in_every_state(void) {
    rig *bench = rig_open();
    bench->count_max = 1;
    int clients[6];
    for (unsigned i = 0; i < 6; i++) {
        clients[i] = rig_connect(bench);
    }
    rig_send(clients[0], GET("/a") GET("/b") "DELETE /c HTTP/1.1\r\n\r\n");
    rig_send(clients[1], GET("/a") GET("/b") "GET /half");
    rig_send(clients[2], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    rig_send(clients[3], "GARBAGE\r\n\r\nmore");
    rig_poll(bench);
    bench->count_max = 64;
    rig_poll(bench);
    rig_post(bench, bench->handles[0], "posted and never polled");
    close(clients[4]);
    rig_poll(bench);
    for (unsigned i = 0; i < 4; i++) {
        close(clients[i]);
    }
    rig_close(bench); /* LeakSanitizer looks */
    close(clients[5]);
}

int main(void) {
    RUN(connections_that_found_the_batch_full_come_with_the_next_polls);
    RUN(a_client_that_pipelines_without_end_does_not_starve_the_others);
    RUN(a_request_that_needs_a_larger_buffer_asks_for_it);
    RUN(a_large_request_is_not_starved_by_small_ones_that_fit);
    RUN(a_full_handle_table_is_answered_503_unless_the_connection_has_answers_to_come);
    RUN(a_short_write_goes_on_when_the_client_reads_and_what_follows_keeps_its_place);
    RUN(draining_closes_idle_connections_and_finishes_the_others);
    RUN(draining_does_not_cut_off_a_request_whose_body_is_still_arriving);
    RUN(draining_an_idle_scheduler_is_done_at_once);
    RUN(a_wake_is_told_once_and_with_every_flag_that_was_set);
    RUN(wakes_without_end_do_not_keep_the_sockets_waiting);
    RUN(a_signal_octet_ends_the_poll);
    RUN(a_posted_answer_goes_out_with_the_next_poll);
    RUN(of_answers_that_break_off_those_before_the_break_are_taken);
    RUN(an_answer_that_is_not_fit_for_the_wire_reaches_the_client_as_a_500);
    RUN(a_closing_scheduler_says_so);
    RUN(deinit_frees_connections_in_every_state);
    return check_end();
}
