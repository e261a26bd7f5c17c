/* Bodies in parts: how they are read, and when the client is. */
#include "inflows.h"

static void a_body_is_read_in_parts_as_it_comes(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 10\r\n\r\nab", 10);
    CHECK_INT(first(bench, handle), 2);
    CHECK_TEXT(into, 2, "ab");
    CHECK_INT(take(bench, handle, 4), TB_EWAIT);
    CHECK(!told(bench, handle));
    rig_send(client, "cdefgh");
    CHECK(told(bench, handle));
    CHECK_INT(take(bench, handle, 4), 4);
    CHECK_TEXT(into, 4, "cdef");
    CHECK_INT(take(bench, handle, 4), 2);
    CHECK_INT(take(bench, handle, 4), TB_EWAIT);
    rig_send(client, "ij" GET("/next"));
    CHECK(told(bench, handle));
    CHECK_INT(bench->bat.count, 0); /* the next one has to wait for the answer */
    CHECK_INT(take(bench, handle, 4), 2);
    CHECK_INT(take(bench, handle, 4), 0);
    CHECK_INT(take(bench, handle, 4), 0);
    rig_answer(bench, handle, "thanks");
    CHECK_INT(take(bench, handle, 4), TB_EALREADY);
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "thanks", "/next"));
    finish(bench, client);
}

static void nobody_is_asked_for_a_body_before_its_reader_wants_it(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") EXPECT "Content-Length: 4\r\n\r\n", 10);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    CHECK_INT(rig_poll(bench), 0);
    CHECK(strcmp(rig_receive(bench, client), continued) == 0);
    rig_send(client, "abcd");
    CHECK(told(bench, handle));
    CHECK_INT(take(bench, handle, 10), 4);
    rig_answer(bench, handle, "thanks");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    CHECK_INT(rig_count(bench->got, "thanks"), 1);
    CHECK(!bench->eof);
    finish(bench, client);
}

static void nobody_is_told_to_continue_who_has_gone_on_or_is_answered_already(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    uint64_t handle = begin(bench, client, POST("/a") EXPECT "Content-Length: 4\r\n\r\nab", 10);
    CHECK_INT(first(bench, handle), 2);
    rig_send(client, "cd");
    rig_poll(bench);
    rig_answer(bench, handle, "thanks");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "100 Continue"), 0);
    handle = begin(bench, client, POST("/b") EXPECT "Content-Length: 4\r\n\r\n", 10);
    stream(bench, handle, TB_KIND_STREAM, "");
    CHECK_INT(take(bench, handle, 10), TB_EWAIT);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200 OK"), 1);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    close(client);
    rig_close(bench);
}

static void nothing_is_read_behind_a_body_that_was_the_last(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const char *request = "GET /a HTTP/1.1\r\nHost: a\r\n" CLOSE "Content-Length: 3\r\n\r\nabc" GET("/b");
    const uint64_t handle = begin(bench, client, request, 10);
    CHECK_INT(first(bench, handle), 3);
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    rig_answer(bench, handle, "thanks");
    CHECK_INT(rig_serve(bench), 0);
    finish(bench, client);
}

static void a_request_behind_others_knows_that_its_client_has_shut_its_side(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    rig_send(client, POST("/a") "\r\n" GET("/b"));
    rig_poll(bench);
    const uint64_t first_handle = bench->handles[0];
    shutdown(client, SHUT_WR);
    rig_poll(bench);
    CHECK_INT(handle_client(&bench->sched.room.handles, first_handle), TB_EDISCONNECTED);
    rig_answer(bench, first_handle, "a");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    CHECK_INT(handle_client(&bench->sched.room.handles, bench->handles[0]), TB_EDISCONNECTED);
    rig_answer(bench, bench->handles[0], "b");
    rig_poll(bench);
    finish(bench, client);
}

static void a_client_is_not_read_while_its_reader_has_enough(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const size_t total = 8 * 1024 * 1024;
    size_t sent = 0;
    size_t got = 0;
    uint8_t piece[8192];
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 8388608\r\n\r\n", UINT64_MAX);
    CHECK_INT(take(bench, handle, 1), TB_EWAIT);
    for (unsigned still = 0; still < 4;) { /* until the client is held up */
        memset(piece, (int)(sent / sizeof piece % 251), sizeof piece);
        const ssize_t n = send(client, piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        CHECK(n < 0 || n == (ssize_t)sizeof piece);
        sent += n > 0 ? (size_t)n : 0;
        still = n > 0 ? 0 : still + 1;
        rig_poll(bench);
    }
    CHECK(sent < total / 2);
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    CHECK(rig_conn(bench)->in.len == 0); /* nor are its octets kept elsewhere */
    const int64_t there = take(bench, handle, sizeof into);
    CHECK(there >= INFLOW_HIGH && there <= INFLOW_HIGH + 128 * 1024);
    for (int64_t n = there; n > 0 || n == TB_EWAIT; n = take(bench, handle, 10000)) {
        for (int64_t i = 0; i < n; i++) {
            if (into[i] != (got + (size_t)i) / sizeof piece % 251) {
                CHECK(false);
                break;
            }
        }
        got += n > 0 ? (size_t)n : 0;
        while (sent < total) {
            memset(piece, (int)(sent / sizeof piece % 251), sizeof piece);
            if (send(client, piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
                break;
            }
            sent += sizeof piece;
        }
        if (n == TB_EWAIT) {
            rig_poll(bench);
            news_take(&bench->sched.room, news, TB_NEWS_MAX);
        }
    }
    CHECK_INT(got, total);
    rig_answer(bench, handle, "thanks");
    rig_poll(bench);
    finish(bench, client);
}

static void an_answer_in_parts_may_be_made_of_the_body_while_that_comes(void) {
    static const char *const extra[] = {"", CLOSE};
    for (unsigned i = 0; i < 2; i++) {
        rig *bench = bench_open();
        int client = rig_connect(bench);
        char head[256];
        snprintf(head, sizeof head, POST("/a") "%sContent-Length: 6\r\n\r\nabc", extra[i]);
        const uint64_t handle = begin(bench, client, head, 9);
        stream(bench, handle, TB_KIND_STREAM, "");
        CHECK_INT(take(bench, handle, 10), TB_EWAIT);
        CHECK(told(bench, handle));
        CHECK_INT(take(bench, handle, 10), 3);
        stream(bench, handle, TB_KIND_PART, "first");
        CHECK_INT(take(bench, handle, 10), TB_EWAIT);
        rig_poll(bench);
        CHECK_INT(rig_count(rig_receive(bench, client), "5\r\nfirst\r\n"), 1);
        rig_send(client, "def");
        CHECK(told(bench, handle));
        CHECK_INT(take(bench, handle, 10), 3);
        CHECK_INT(take(bench, handle, 10), 0);
        stream(bench, handle, TB_KIND_END, "");
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "0\r\n\r\n"), 1);
        CHECK(bench->eof == (i == 1));
        finish(bench, client);
    }
}

static void a_body_has_its_trailers_at_its_end(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle =
        begin(bench, client, POST("/a") CHUNKED "\r\n3\r\nabc\r\n0\r\nX-Sum: 9 \r\nY:z\r\n\r\n", UINT64_MAX);
    CHECK_INT(first(bench, handle), 3);
    CHECK_INT(take(bench, handle, 10), 0);
    CHECK_INT(inflow_take_trailers(&bench->sched.room, handle, into, 3), TB_EBUFFER);
    const int64_t len = inflow_take_trailers(&bench->sched.room, handle, into, sizeof into);
    CHECK_TEXT(into, (size_t)len, "\nx-sum:9\ny:z\n");
    rig_answer(bench, handle, "thanks");
    CHECK_INT(inflow_take_trailers(&bench->sched.room, handle, into, sizeof into), TB_EALREADY);
    rig_poll(bench);
    finish(bench, client);
}

static void a_body_without_trailers_has_none(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 3\r\n\r\nabc", UINT64_MAX);
    CHECK_INT(first(bench, handle), 3);
    const int64_t len = inflow_take_trailers(&bench->sched.room, handle, into, sizeof into);
    CHECK_TEXT(into, (size_t)len, "\n");
    rig_answer(bench, handle, "thanks");
    rig_poll(bench);
    finish(bench, client);
}

static void only_the_body_of_an_offered_request_can_be_opened_and_once(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    conn_room *room = &bench->sched.room;
    rig_send(client, GET("/a"));
    rig_poll(bench);
    const uint64_t plain = bench->handles[0];
    CHECK_INT(inflow_open(room, plain, 9), TB_EBADHANDLE);
    CHECK_INT(take(bench, plain, 9), TB_EBADHANDLE);
    rig_answer(bench, plain, "a");
    CHECK_INT(take(bench, plain, 9), TB_EALREADY);
    const uint64_t handle = begin(bench, client, POST("/b") "Content-Length: 3\r\n\r\nabc", 9);
    CHECK_INT(inflow_open(room, handle, 9), TB_EALREADY);
    CHECK_INT(inflow_open(room, handle ^ (uint64_t)1 << 40, 9), TB_EBADHANDLE);
    CHECK_INT(inflow_open(room, UINT64_MAX, 9), TB_EBADHANDLE);
    rig_answer(bench, handle, "b");
    CHECK_INT(inflow_open(room, handle, 9), TB_EBADHANDLE);
    rig_poll(bench);
    finish(bench, client);
}

static void who_asks_for_the_whole_body_after_all_gets_it(void) {
    rig *bench = bench_open();
    int client = rig_connect(bench);
    const uint64_t handle = begin(bench, client, POST("/a") "Content-Length: 3\r\n\r\nabc", 9);
    CHECK_INT(take(bench, handle, 9), TB_EWAIT);
    rig_continue(bench, handle, 9);
    CHECK(rig_poll(bench) & TB_POLL_NEWS);
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK_TEXT(record.body.at, record.body.len, "abc");
    CHECK_INT(take(bench, handle, 9), TB_EALREADY);
    CHECK_INT(take(bench, record.handle, 9), TB_EBADHANDLE);
    rig_answer(bench, record.handle, "thanks");
    rig_poll(bench);
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    finish(bench, client);
}

int main(void) {
    RUN(a_body_is_read_in_parts_as_it_comes);
    RUN(nobody_is_asked_for_a_body_before_its_reader_wants_it);
    RUN(nobody_is_told_to_continue_who_has_gone_on_or_is_answered_already);
    RUN(nothing_is_read_behind_a_body_that_was_the_last);
    RUN(a_request_behind_others_knows_that_its_client_has_shut_its_side);
    RUN(a_client_is_not_read_while_its_reader_has_enough);
    RUN(an_answer_in_parts_may_be_made_of_the_body_while_that_comes);
    RUN(a_body_has_its_trailers_at_its_end);
    RUN(a_body_without_trailers_has_none);
    RUN(only_the_body_of_an_offered_request_can_be_opened_and_once);
    RUN(who_asks_for_the_whole_body_after_all_gets_it);
    return check_end();
}
