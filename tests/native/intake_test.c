/* From a connection's octets to records: heads, bodies, turns and refusals, however the input is cut. */
#include "intake.h"

#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, body, len) "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " len "\r\n\r\n" body

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

static void a_long_head_that_is_cut_anywhere_is_read_when_it_ends(void) {
    static char head[6001];
    const int start = snprintf(head, sizeof head, "GET /long HTTP/1.1\r\nHost: a\r\nX: ");
    memset(head + start, 'x', 6000 - (size_t)start);
    memcpy(head + 5500, "\r\nY: y\r\nZ: ", 11);
    memcpy(head + 5996, "\r\n\r\n", 4);
    for (size_t cut = 4000; cut < 6000; cut += cut < 5480 || (cut > 5520 && cut < 5980) ? 37 : 1) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        rig_send_octets(client, head, cut);
        rig_poll(bench);
        CHECK_INT(bench->bat.count, 0);
        rig_send_octets(client, head + cut, 6000 - cut);
        rig_poll(bench);
        CHECK_INT(bench->bat.count, 1);
        rig_path_is(bench, 0, "/long");
        close(client);
        rig_close(bench);
    }
}

int main(void) {
    RUN(an_unsafe_request_waits_for_those_before_it_and_holds_up_those_behind_it);
    RUN(a_refusal_comes_after_the_answers_that_are_still_due);
    RUN(an_end_inside_a_request_is_a_400);
    RUN(input_that_is_cut_anywhere_gives_the_same_records);
    RUN(a_request_that_drips_in_octet_by_octet_is_read);
    RUN(a_long_head_that_is_cut_anywhere_is_read_when_it_ends);
    RUN(a_body_over_the_limit_is_a_413_and_the_answer_reaches_a_client_that_is_still_sending);
    RUN(constants_are_answered_without_a_record);
    RUN(no_more_requests_than_the_most_of_one_connection_are_open_at_once);
    return check_end();
}
