/* The answers of one connection, in the order of its requests (RFC 9112 section 9.3.2). */
#include "exchange.h"

#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

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

int main(void) {
    RUN(pipelined_answers_go_out_in_the_order_of_the_requests);
    RUN(a_head_request_gets_the_length_but_not_the_body);
    RUN(http_1_0_closes_unless_the_client_asks_to_keep_alive);
    RUN(connection_close_ends_the_connection_after_the_answer_and_nothing_behind_it_is_read);
    RUN(an_answer_after_the_client_has_left_is_late_and_frees_its_slot);
    RUN(a_constant_behind_an_unanswered_request_waits_for_its_turn);
    return check_end();
}
