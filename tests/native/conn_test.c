/* One connection: from octets to requests and from answers to octets, as RFC 9112 section 9 has it. */
#include "conn.h"

#include <sys/epoll.h>

#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, body, len) "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " len "\r\n\r\n" body

static void a_request_becomes_a_record_and_its_answer_goes_out(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "POST /a?b=c HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\nContent-Length: 3\r\n\r\n1\0003");
    rig_send_octets(client, "1\0003", 3);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK_TEXT(record.method.at, record.method.len, "POST");
    CHECK_TEXT(record.path.at, record.path.len, "/a");
    CHECK_TEXT(record.query.at, record.query.len, "b=c");
    CHECK_TEXT(record.fields.at, record.fields.len, "\nhost:x\nx-y:z\ncontent-length:3\n");
    CHECK_MEM(record.body.at, record.body.len, "11\0", 3);
    rig_answer(bench, record.handle, "yay");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200 OK\r\n"), 1);
    CHECK(strstr(bench->got, "\r\nContent-Length: 3\r\n\r\nyay") != NULL);
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

static void pipelined_answers_go_out_in_the_order_of_the_requests(void) {
    static const unsigned char orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t row = 0; row < sizeof orders / sizeof *orders; row++) {
        for (unsigned turns = 0; turns < 2; turns++) { /* all in one turn, or each in a turn of its own */
            rig *bench = rig_open();
            int client = rig_connect(bench);
            rig_send(client, GET("/one") GET("/two") GET("/three"));
            rig_poll(bench);
            CHECK_INT(bench->bat.count, 3);
            uint64_t handles[3];
            memcpy(handles, bench->handles, sizeof handles);
            static const char *const bodies[] = {"=one", "=two", "=three"};
            for (unsigned i = 0; i < 3; i++) {
                rig_answer(bench, handles[orders[row][i]], bodies[orders[row][i]]);
                if (turns == 1) {
                    rig_poll(bench);
                }
            }
            rig_poll(bench);
            rig_receive(bench, client);
            CHECK_INT(rig_count(bench->got, "HTTP/1.1 200"), 3);
            CHECK(rig_in_order(bench->got, "=one", "=two") && rig_in_order(bench->got, "=two", "=three"));
            CHECK(rig_conn(bench)->in.octets == NULL && rig_conn(bench)->first == HANDLE_NONE);
            CHECK_INT(bench->sched.room.handles.open, 0);
            close(client);
            rig_close(bench);
        }
    }
}

static void a_head_request_gets_the_length_but_not_the_body(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" GET("/b"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    uint64_t first = bench->handles[0];
    rig_answer(bench, bench->handles[1], "of b");
    rig_answer(bench, first, "of a");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "Content-Length: 4\r\n"), 2);
    CHECK_INT(rig_count(bench->got, "of a"), 0);
    CHECK_INT(rig_count(bench->got, "of b"), 1);
    close(client);
    rig_close(bench);
}

static void http_1_0_closes_unless_the_client_asks_to_keep_alive(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    rig_serve(bench);
    rig_poll(bench);
    CHECK(strstr(rig_receive(bench, client), "Connection: keep-alive\r\n") != NULL);
    CHECK(!bench->eof);
    rig_send(client, "GET /a HTTP/1.0\r\n\r\n");
    rig_serve(bench);
    rig_poll(bench);
    CHECK(strstr(rig_receive(bench, client), "Connection: close\r\n") != NULL);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.open, 0);
    close(client);
    rig_close(bench);
}

static void connection_close_ends_the_connection_after_the_answer_and_nothing_behind_it_is_read(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") "GET /two HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/three"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    rig_answer(bench, bench->handles[1], "=two");
    rig_answer(bench, bench->handles[0], "=one");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "=one", "=two"));
    CHECK_INT(rig_count(bench->got, "Connection: close\r\n"), 1);
    CHECK(bench->eof);
    close(client);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 0);
    rig_close(bench);
}

static void an_unsafe_request_waits_for_those_before_it_and_holds_up_those_behind_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") POST("/two", "x", "1") GET("/three") GET("/four"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_path_is(bench, 0, "/one");
    rig_answer(bench, bench->handles[0], "=one");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_path_is(bench, 0, "/two");
    rig_answer(bench, bench->handles[0], "=two");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    rig_path_is(bench, 1, "/four");
    close(client);
    rig_close(bench);
}

static void a_client_that_expects_100_continue_is_told_to_go_on(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, "POST /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    CHECK(strcmp(rig_receive(bench, client), "HTTP/1.1 100 Continue\r\n\r\n") == 0);
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_send(client, "hi");
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 1);
    close(client);
    rig_close(bench);
}

static void the_100_continue_waits_for_the_answers_before_it_and_is_left_out_when_the_body_came_anyway(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") "POST /two HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, bench->handles[0], "=one");
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "=one", "HTTP/1.1 100 Continue"));
    rig_send(client, "hi");
    rig_serve(bench);
    rig_send(client, "POST /three HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
    rig_serve(bench);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200"), 2);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    close(client);
    rig_close(bench);
}

static void a_refusal_comes_after_the_answers_that_are_still_due(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") "GET / HTTP/9.9\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, bench->handles[0], "=one");
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "=one", "HTTP/1.1 505 HTTP Version Not Supported"));
    CHECK(strstr(bench->got, "Connection: close\r\n") != NULL);
    CHECK(bench->eof);
    CHECK_INT(rig_stat(&bench->sched.room.stats.requests_refused), 1);
    close(client);
    rig_close(bench);
}

static void a_client_that_half_closes_still_gets_its_answers(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") POST("/two", "x", "1"));
    shutdown(client, SHUT_WR);
    CHECK_INT(rig_serve(bench), 1);
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "/one", "/two"));
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.open, 0);
    close(client);
    rig_close(bench);
}

static void an_end_inside_a_request_is_a_400(void) {
    static const char *const requests[] = {
        "GET / HTT",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
    };
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        for (unsigned later = 0; later < 2; later++) {
            rig *bench = rig_open();
            int client = rig_connect(bench);
            rig_send(client, requests[i]);
            if (later == 1) {
                rig_poll(bench);
            }
            shutdown(client, SHUT_WR);
            rig_poll(bench);
            rig_poll(bench);
            CHECK_INT(bench->bat.count, 0);
            CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 400 Bad Request"), 1);
            CHECK(bench->eof);
            CHECK_INT(bench->sched.room.open, 0);
            close(client);
            rig_close(bench);
        }
    }
}

static void an_end_between_requests_is_no_error(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_serve(bench);
    rig_poll(bench);
    rig_receive(bench, client);
    shutdown(client, SHUT_WR);
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.requests_refused), 0);
    close(client);
    rig_close(bench);
}

static void an_answer_after_the_client_has_left_is_late_and_frees_its_slot(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    uint64_t handles[2] = {bench->handles[0], bench->handles[1]};
    rig_answer(bench, handles[1], "kept, for it is not its turn");
    close(client);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 0);
    CHECK_INT(rig_post(bench, handles[0], "late"), TB_EDISCONNECTED);
    CHECK_INT(rig_post(bench, handles[0], "twice"), TB_EALREADY);
    CHECK_INT(rig_post(bench, handles[1], "twice"), TB_EALREADY);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.answers_late), 1);
    CHECK_INT(rig_stat(&bench->sched.room.stats.answers_refused), 2);
    rig_close(bench);
}

static void an_idle_connection_owns_no_buffer(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    for (unsigned round = 0; round < 3; round++) {
        rig_send(client, GET("/one") POST("/two", "12345", "5"));
        rig_serve(bench);
        rig_serve(bench);
        rig_poll(bench);
        const conn *con = rig_conn(bench);
        CHECK(con->in.octets == NULL && con->sink.pending.octets == NULL && con->request == NULL);
    }
    close(client);
    rig_close(bench);
}

static void input_that_is_cut_anywhere_gives_the_same_records(void) {
    static const char input[] =
        GET("/one?x") POST("/two", "hello", "5") "POST /three HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                 "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n" GET("/four");
    static const char *const paths[] = {"/one", "/two", "/three", "/four"};
    static const char *const bodies[] = {"", "hello", "abcde", ""};
    for (size_t cut = 1; cut < sizeof input - 1; cut++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        unsigned seen = 0;
        for (unsigned piece = 0; piece < 2; piece++) {
            rig_send_octets(client, piece == 0 ? input : input + cut, piece == 0 ? cut : sizeof input - 1 - cut);
            for (uint32_t count = 1; count > 0 || seen == 0;) {
                rig_poll(bench);
                count = bench->bat.count;
                for (uint32_t i = 0; i < count && CHECK(seen < 4); i++, seen++) {
                    const rig_record record = rig_record_at(bench, i);
                    CHECK_TEXT(record.path.at, record.path.len, paths[seen]);
                    CHECK_TEXT(record.body.at, record.body.len, bodies[seen]);
                    rig_answer(bench, record.handle, paths[seen]);
                }
                if (count == 0) {
                    break;
                }
            }
        }
        CHECK_INT(seen, 4);
        rig_poll(bench);
        CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 4);
        CHECK(rig_conn(bench)->in.octets == NULL);
        close(client);
        rig_close(bench);
    }
}

static void a_request_that_drips_in_octet_by_octet_is_read(void) {
    static const char input[] =
        "POST /drip HTTP/1.1\r\nHost: a\r\nX-Long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    rig *bench = rig_open();
    int client = rig_connect(bench);
    for (size_t i = 0; i < sizeof input - 1; i++) {
        CHECK_INT(bench->bat.count, 0);
        rig_send_octets(client, input + i, 1);
        rig_poll(bench);
    }
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK_TEXT(record.body.at, record.body.len, "hello");
    close(client);
    rig_close(bench);
}

static void a_body_over_the_limit_is_a_413_and_the_answer_reaches_a_client_that_is_still_sending(void) {
    static const char *const heads[] = {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        rig_send(client, heads[i]);
        rig_poll(bench);
        CHECK_INT(bench->bat.count, 0);
        /* It has not looked for an answer yet; what it still sends must not cost it the answer (RFC 9112 §9.6). */
        rig_send(client, "some of the body");
        rig_poll(bench);
        rig_send(client, "and more of it");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "HTTP/1.1 413 Content Too Large"), 1);
        CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
        CHECK(bench->eof);
        close(client);
        rig_poll(bench);
        CHECK_INT(bench->sched.room.open, 0);
        rig_close(bench);
    }
}

static void a_refused_client_that_never_stops_sending_is_cut_off(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    char *piece = calloc(1, 65536);
    rig_send(client, "GARBAGE\r\n\r\n");
    unsigned turns = 0;
    while (bench->sched.room.open > 0 && CHECK(turns < 1000)) {
        send(client, piece, 65536, MSG_NOSIGNAL);
        rig_poll(bench);
        turns++;
    }
    CHECK(turns >= 16);
    free(piece);
    close(client);
    rig_close(bench);
}

static void constants_are_answered_without_a_record(void) {
    rig *bench = rig_open();
    rig_add_constant(bench, "/yay", "constant");
    int client = rig_connect(bench);
    rig_send(client, GET("/yay") "HEAD /yay?x=y HTTP/1.1\r\nHost: a\r\n\r\n" GET("/yay?x"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "Content-Length: 8\r\n"), 3);
    CHECK_INT(rig_count(bench->got, "\r\n\r\nconstant"), 2);
    CHECK_INT(rig_stat(&bench->sched.room.stats.constants), 3);
    rig_send(client, "DELETE /yay HTTP/1.1\r\nHost: a\r\n\r\n" GET("/yay"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, bench->handles[0], "deleted");
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "deleted", "constant"));
    close(client);
    rig_close(bench);
}

static void a_constant_behind_an_unanswered_request_waits_for_its_turn(void) {
    rig *bench = rig_open();
    rig_add_constant(bench, "/yay", "constant");
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/yay") GET("/two") "GET /yay HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 2);
    rig_answer(bench, bench->handles[1], "=two");
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench,
               bench->sched.room.handles.slots == NULL ? 0
               : rig_conn(bench)->first == HANDLE_NONE ? 0
                                                       : handle_of(&bench->sched.room.handles, rig_conn(bench)->first),
               "=one");
    rig_poll(bench);
    rig_receive(bench, client);
    const char *first = strstr(bench->got, "=one");
    const char *second = first == NULL ? NULL : strstr(first, "constant");
    const char *third = second == NULL ? NULL : strstr(second, "=two");
    CHECK(third != NULL && strstr(third, "constant") != NULL);
    CHECK_INT(rig_count(bench->got, "Connection: close"), 1);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void a_connection_that_is_closed_is_not_polled_any_more_even_when_a_child_process_still_has_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    /* What a fork leaves in the child: while this copy lives, close alone does not take the socket off the poll set. */
    int copy = dup(rig_conn(bench)->sink.fd);
    conn_close(&bench->sched.room, rig_conn(bench));
    conn_bury(&bench->sched.room);
    rig_send(client, GET("/ghost"));
    struct epoll_event event;
    CHECK_INT(epoll_wait(bench->sched.room.epoll_fd, &event, 1, 0), 0);
    close(copy);
    close(client);
    rig_close(bench);
}

static void a_client_that_does_not_read_cannot_make_us_hold_more_than_its_socket_and_one_flush(void) {
    rig *bench = rig_open();
    char *body = malloc(100001);
    memset(body, 'x', 100000);
    body[100000] = '\0';
    rig_add_constant(bench, "/large", body);
    int client = rig_connect(bench);
    enum { GET_LEN = sizeof GET("/large") - 1 };
    char *requests = malloc(1000 * GET_LEN); /* 100 MB of answers asked for in 34 KB */
    for (unsigned i = 0; i < 1000; i++) {
        memcpy(requests + i * GET_LEN, GET("/large"), GET_LEN);
    }
    rig_send_octets(client, requests, 1000 * GET_LEN);
    free(requests);
    rig_poll(bench);
    rig_poll(bench);
    CHECK(rig_conn(bench)->sink.pending.len < 1024 * 1024);
    size_t len = 0;
    for (unsigned turns = 0; turns < 100000 && len < 100ul * 1000 * 1000; turns++) {
        rig_receive(bench, client);
        len += bench->got_len;
        rig_poll(bench);
        CHECK(rig_conn(bench)->sink.pending.len < 1024 * 1024);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.constants), 1000);
    free(body);
    close(client);
    rig_close(bench);
}

static void a_client_that_sends_without_reading_is_not_read_from(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const int small = 4096;
    setsockopt(rig_conn(bench)->sink.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    char *body = calloc(1, 300000);
    rig_send(client, GET("/large"));
    rig_poll(bench);
    rig_answer_octets(bench, bench->handles[0], 200, body, 300000);
    rig_poll(bench);
    CHECK(rig_conn(bench)->sink.pending.len > 0);
    size_t sent = 0;
    for (unsigned i = 0; i < 100; i++) { /* as long as its own socket takes it */
        ssize_t n = send(client, body, 4096, MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        rig_poll(bench);
    }
    CHECK(sent < 100 * 4096);
    CHECK(rig_conn(bench)->in.octets == NULL);
    free(body);
    close(client);
    rig_close(bench);
}

static void no_more_requests_than_the_most_of_one_connection_are_open_at_once(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    char requests[20 * sizeof GET("/a")] = "";
    for (unsigned i = 0; i < 20; i++) {
        strcat(requests, GET("/a"));
    }
    rig_send(client, requests);
    rig_poll(bench);
    CHECK_INT(bench->bat.count, rig_config.pipeline_requests_max);
    const uint64_t first = bench->handles[0];
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    rig_answer(bench, first, "one");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    close(client);
    rig_close(bench);
}

int main(void) {
    RUN(a_request_becomes_a_record_and_its_answer_goes_out);
    RUN(pipelined_answers_go_out_in_the_order_of_the_requests);
    RUN(a_head_request_gets_the_length_but_not_the_body);
    RUN(http_1_0_closes_unless_the_client_asks_to_keep_alive);
    RUN(connection_close_ends_the_connection_after_the_answer_and_nothing_behind_it_is_read);
    RUN(an_unsafe_request_waits_for_those_before_it_and_holds_up_those_behind_it);
    RUN(a_client_that_expects_100_continue_is_told_to_go_on);
    RUN(the_100_continue_waits_for_the_answers_before_it_and_is_left_out_when_the_body_came_anyway);
    RUN(a_refusal_comes_after_the_answers_that_are_still_due);
    RUN(a_client_that_half_closes_still_gets_its_answers);
    RUN(an_end_inside_a_request_is_a_400);
    RUN(an_end_between_requests_is_no_error);
    RUN(an_answer_after_the_client_has_left_is_late_and_frees_its_slot);
    RUN(an_idle_connection_owns_no_buffer);
    RUN(input_that_is_cut_anywhere_gives_the_same_records);
    RUN(a_request_that_drips_in_octet_by_octet_is_read);
    RUN(a_body_over_the_limit_is_a_413_and_the_answer_reaches_a_client_that_is_still_sending);
    RUN(a_refused_client_that_never_stops_sending_is_cut_off);
    RUN(constants_are_answered_without_a_record);
    RUN(a_constant_behind_an_unanswered_request_waits_for_its_turn);
    RUN(a_connection_that_is_closed_is_not_polled_any_more_even_when_a_child_process_still_has_it);
    RUN(a_client_that_does_not_read_cannot_make_us_hold_more_than_its_socket_and_one_flush);
    RUN(a_client_that_sends_without_reading_is_not_read_from);
    RUN(no_more_requests_than_the_most_of_one_connection_are_open_at_once);
    return check_end();
}
