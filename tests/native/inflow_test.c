/* Bodies that are read in parts: what is read when, what the reader is told, and what becomes of the rest. */
#include "inflow.h"

#include "clock.h"
#include "exchange.h"
#include "news.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"
#define EXPECT "Expect: 100-continue\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CLOSE "Connection: close\r\n"

static const char continued[] = "HTTP/1.1 100 Continue\r\n\r\n";
static uint8_t into[1024 * 1024];

/* A bench on which bodies over 2 octets are offered. */
static rig *bench_open(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 2;
    return rig_open_with(&config);
}

/* Sends the head of a request, perhaps with some of its body, and opens its body for reading. */
static uint64_t begin(rig *bench, int client, const char *request, uint64_t bytes_max) {
    rig_send(client, request);
    CHECK_INT(rig_poll(bench), TB_POLL_OFFER);
    CHECK_INT(bench->bat.count, 1);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    CHECK_INT(inflow_open(&bench->sched.room, handle, bytes_max), TB_OK);
    return handle;
}

static int64_t take(rig *bench, uint64_t handle, size_t capacity) {
    bool wanted;
    return inflow_take(&bench->sched.room, handle, into, capacity, &wanted);
}

/* Whether a poll tells that the reader shall look again. */
static bool told(rig *bench, uint64_t handle) {
    uint64_t news[1 + 2 * TB_NEWS_MAX] = {0};
    const int32_t flags = rig_poll(bench);
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    return (flags & TB_POLL_NEWS) && news[0] == 1 && news[1] == handle && (news[2] & TB_NEWS_BODY);
}

/* Asks for the first part, and is told when the connection is read. */
static int64_t first(rig *bench, uint64_t handle) {
    CHECK_INT(take(bench, handle, sizeof into), TB_EWAIT);
    CHECK(told(bench, handle));
    return take(bench, handle, sizeof into);
}

static void finish(rig *bench, int client) {
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_poll(bench);
    rig_poll(bench);
    CHECK(bench->sched.room.conns == NULL);
    rig_close(bench);
}

static void stream(rig *bench, uint64_t handle, uint32_t kind, const char *text) {
    uint8_t out[256];
    uint8_t *at = term_write_array(out, 1);
    if (kind == TB_KIND_STREAM) {
        at = term_write_uint64(term_write_uint64(term_write_array(at, 5), handle), kind);
        at = term_write_uint64(term_write_nil(term_write_uint64(at, 200)), TB_LENGTH_UNKNOWN);
    } else {
        at = term_write_uint64(term_write_uint64(term_write_array(at, 3), handle), kind);
        at = term_write_bin(at, text, strlen(text));
    }
    CHECK_INT(reception_post(&bench->sched, out, (size_t)(at - out)), TB_OK);
}

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
    RUN(a_body_is_read_in_parts_as_it_comes);
    RUN(nobody_is_asked_for_a_body_before_its_reader_wants_it);
    RUN(nobody_is_told_to_continue_who_has_gone_on_or_is_answered_already);
    RUN(nothing_is_read_behind_a_body_that_was_the_last);
    RUN(a_drain_does_not_wait_for_what_nobody_reads);
    RUN(a_request_behind_others_knows_that_its_client_has_shut_its_side);
    RUN(a_client_is_not_read_while_its_reader_has_enough);
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
    RUN(an_answer_in_parts_may_be_made_of_the_body_while_that_comes);
    RUN(an_answer_in_parts_that_ends_before_the_body_ends_the_connection_or_drops_the_rest);
    RUN(a_body_has_its_trailers_at_its_end);
    RUN(a_body_without_trailers_has_none);
    RUN(only_the_body_of_an_offered_request_can_be_opened_and_once);
    RUN(who_asks_for_the_whole_body_after_all_gets_it);
    RUN(readers_that_never_come_back_leave_nothing);
    return check_end();
}
