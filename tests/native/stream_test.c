/* Answers that come in parts: their framing, their turn, how much of them is held, and how they end. */
#include "stream.h"

#include "exchange.h"
#include "news.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET10(path) "GET " path " HTTP/1.0\r\n\r\n"
#define HEAD(path) "HEAD " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static const uint64_t unknown = TB_LENGTH_UNKNOWN;

/* Begins a stream as any other thread would. */
static int32_t begin(rig *bench, uint64_t handle, uint32_t status, const char *fields, uint64_t length) {
    uint8_t out[1024];
    uint8_t *at = term_write_array(term_write_array(out, 1), 5);
    at = term_write_uint64(term_write_uint64(term_write_uint64(at, handle), TB_KIND_STREAM), status);
    at = term_write_uint64(term_write_bin(at, fields, strlen(fields)), length);
    return reception_post(&bench->sched, out, (size_t)(at - out));
}

static void push(rig *bench, uint64_t handle, uint32_t kind, const void *octets, size_t len) {
    uint8_t *out = malloc(len + 64);
    uint8_t *at = term_write_array(term_write_array(out, 1), 3);
    at = term_write_uint64(term_write_uint64(at, handle), kind);
    at = term_write_bin(at, octets, len);
    CHECK_INT(reception_post(&bench->sched, out, (size_t)(at - out)), TB_OK);
    free(out);
}

static void part(rig *bench, uint64_t handle, const char *text) {
    push(bench, handle, TB_KIND_PART, text, strlen(text));
}

static void end(rig *bench, uint64_t handle) {
    push(bench, handle, TB_KIND_END, "", 0);
}

/* The handle of the next request. */
static uint64_t ask(rig *bench, int client, const char *request) {
    rig_send(client, request);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 1);
    return rig_record_at(bench, 0).handle;
}

typedef struct told {
    uint64_t count, handle, news;
} told;

static told take_news(rig *bench) {
    uint64_t news[1 + 2 * TB_NEWS_MAX] = {0};
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    return (told){news[0], news[1], news[2]};
}

static const char *body_of(rig *bench) {
    const char *end_of_head = strstr(bench->got, "\r\n\r\n");
    return CHECK(end_of_head != NULL) ? end_of_head + 4 : "";
}

static void parts_of_unknown_length_go_out_as_chunks(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    CHECK_INT(begin(bench, handle, 200, "X-A: b\r\n", unknown), TB_OK);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    CHECK_INT(take_news(bench).handle, handle); /* the first part is asked for */
    rig_receive(bench, client);
    CHECK(strstr(bench->got, "\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n") != NULL);
    part(bench, handle, "hello ");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(bench->got, bench->got_len, "6\r\nhello \r\n");
    part(bench, handle, "");
    part(bench, handle, "world, and all");
    end(bench, handle);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 1);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(bench->got, bench->got_len, "e\r\nworld, and all\r\n0\r\n\r\n");
    CHECK(!bench->eof);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    rig_send(client, GET("/next"));
    CHECK_INT(rig_serve(bench), 1);
    close(client);
    rig_close(bench);
}

static void parts_of_known_length_go_out_as_they_are(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 201, "", 5);
    part(bench, handle, "he");
    part(bench, handle, "llo");
    end(bench, handle);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(strncmp(bench->got, "HTTP/1.1 201 Created\r\n", 22) == 0);
    CHECK(strstr(bench->got, "\r\nContent-Length: 5\r\n\r\nhello") != NULL);
    CHECK(!bench->eof);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void a_client_of_http_1_0_is_told_the_end_by_the_close(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    begin(bench, handle, 200, "", unknown);
    part(bench, handle, "all of it");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(strstr(bench->got, "chunked") == NULL && strstr(bench->got, "Content-Length") == NULL);
    CHECK(strstr(bench->got, "\r\nConnection: close\r\n") != NULL);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "all of it");
    CHECK(!bench->eof);
    end(bench, handle);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(bench->eof && bench->got_len == 0);
    close(client);
    rig_close(bench);
}

static void an_answer_without_a_body_is_done_with_its_head(void) {
    static const uint32_t statuses[] = {200, 204, 304};
    for (unsigned i = 0; i < 3; i++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        const uint64_t handle = ask(bench, client, i == 0 ? HEAD("/a") : GET("/a"));
        begin(bench, handle, statuses[i], "", unknown);
        part(bench, handle, "no body");
        end(bench, handle);
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "no body"), 0);
        CHECK_INT(rig_count(bench->got, "Transfer-Encoding: chunked"), i == 0);
        CHECK_INT(bench->sched.room.handles.open, 0);
        CHECK(!bench->eof);
        rig_send(client, GET("/next"));
        CHECK_INT(rig_serve(bench), 1);
        close(client);
        rig_close(bench);
    }
}

static void the_last_part_may_bring_the_end_with_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    part(bench, handle, "hello ");
    push(bench, handle, TB_KIND_LAST, "world", 5);
    part(bench, handle, "after the end");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
    handle = ask(bench, client, GET("/b"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_LAST, "", 0);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "0\r\n\r\n");
    handle = ask(bench, client, GET("/c"));
    begin(bench, handle, 200, "", 5);
    push(bench, handle, TB_KIND_LAST, "world", 5);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "world");
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    CHECK(!bench->eof);
    handle = ask(bench, client, GET("/d"));
    begin(bench, handle, 200, "", 5);
    push(bench, handle, TB_KIND_LAST, "less", 4);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "less");
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

static void a_last_part_that_comes_before_its_turn_waits_for_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    const uint64_t second = rig_record_at(bench, 1).handle;
    begin(bench, second, 200, "", unknown);
    push(bench, second, TB_KIND_LAST, "whole", 5);
    rig_poll(bench);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    rig_answer(bench, first, "first");
    CHECK_INT(rig_poll(bench), 0);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "first", "5\r\nwhole\r\n0\r\n\r\n"));
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

/* As the holder of the scheduler, who need not wait for news. */
static int32_t push_holding(rig *bench, uint64_t handle, uint32_t kind, const void *octets, size_t len) {
    const answer ans = answer_of_part(handle, kind, octets, len);
    return reception_push_part(&bench->sched, &ans, true);
}

static void the_holder_is_told_at_once_how_much_more_the_socket_takes(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    enum { PIECE = 64 * 1024 };
    char *piece = calloc(1, PIECE);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    CHECK_INT(push_holding(bench, handle, TB_KIND_PART, piece, PIECE), TB_OK); /* nothing was asked */
    CHECK(push_holding(bench, handle, TB_KIND_ASK, piece, PIECE) > 0);
    CHECK_INT(rig_poll(bench), 0); /* and so it is no news */
    int32_t more;
    unsigned pushed = 0;
    while ((more = push_holding(bench, handle, TB_KIND_ASK, piece, PIECE)) > 0 && CHECK(pushed < 1000)) {
        pushed++;
    }
    CHECK_INT(more, 0);
    size_t got = 0;
    unsigned turns = 0;
    while (take_news(bench).news != TB_NEWS_MORE && CHECK(turns++ < 10000)) { /* from here on it will be */
        rig_receive(bench, client);
        got += bench->got_len;
        rig_poll(bench);
    }
    CHECK(got > PIECE);
    CHECK_INT(push_holding(bench, handle ^ 1, TB_KIND_ASK, piece, 1), TB_EBADHANDLE);
    close(client);
    rig_poll(bench);
    take_news(bench);
    CHECK_INT(push_holding(bench, handle, TB_KIND_ASK, piece, 1), TB_EBADHANDLE);
    free(piece);
    rig_close(bench);
}

static void the_holder_is_promised_nothing_before_its_turn(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    const uint64_t second = rig_record_at(bench, 1).handle;
    begin(bench, second, 200, "", unknown);
    CHECK_INT(push_holding(bench, second, TB_KIND_ASK, "early", 5), 0);
    rig_answer(bench, first, "first");
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    CHECK_INT(take_news(bench).news, TB_NEWS_MORE);
    close(client);
    rig_close(bench);
}

static void trailers_follow_the_last_chunk_where_there_is_one(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_END, "X-Sum: 5\r\n", 10);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "0\r\nX-Sum: 5\r\n\r\n");
    handle = ask(bench, client, GET("/b"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_END, "bad\r\n\r\nHTTP/1.1 200 OK\r\n", 24); /* which would split the response */
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "0\r\n\r\n");
    handle = ask(bench, client, GET("/c"));
    begin(bench, handle, 200, "", 0);
    push(bench, handle, TB_KIND_END, "X-Sum: 5\r\n", 10);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "");
    close(client);
    rig_close(bench);
}

static void a_stream_waits_for_its_turn_and_others_for_its_end(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two") GET("/three"));
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 3);
    const uint64_t handles[] = {rig_record_at(bench, 0).handle, rig_record_at(bench, 1).handle,
                                rig_record_at(bench, 2).handle};
    rig_answer(bench, handles[2], "third");
    begin(bench, handles[1], 200, "", unknown);
    part(bench, handles[1], "second ");
    push(bench, handles[1], TB_KIND_ASK, "half", 4);
    CHECK_INT(rig_poll(bench), 0); /* nothing to tell while it is not its turn */
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, handles[0], "first");
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    CHECK_INT(take_news(bench).handle, handles[1]);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "first", "7\r\nsecond \r\n4\r\nhalf\r\n"));
    CHECK_INT(rig_count(bench->got, "third"), 0);
    part(bench, handles[1], ", and the rest");
    end(bench, handles[1]);
    CHECK_INT(rig_poll(bench), 0);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, ", and the rest\r\n0\r\n\r\n", "third"));
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void a_stream_that_is_whole_before_its_turn_goes_out_at_once(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    const uint64_t second = rig_record_at(bench, 1).handle;
    begin(bench, second, 200, "", unknown);
    part(bench, second, "whole");
    end(bench, second);
    rig_poll(bench);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    rig_answer(bench, first, "first");
    CHECK_INT(rig_poll(bench), 0);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "first", "5\r\nwhole\r\n0\r\n\r\n"));
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void more_is_asked_for_when_the_client_has_taken_nearly_all(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    enum { PIECE = 64 * 1024 };
    char *piece = calloc(1, PIECE);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_ASK, piece, 1);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    told news = take_news(bench);
    CHECK(news.count == 1 && news.handle == handle && news.news == TB_NEWS_MORE);
    push(bench, handle, TB_KIND_PART, piece, 1);
    CHECK_INT(rig_poll(bench), 0); /* not asked for */
    unsigned pushed = 0;
    do { /* until the socket takes no more */
        push(bench, handle, TB_KIND_ASK, piece, PIECE);
        pushed++;
    } while (rig_poll(bench) == TB_POLL_NEWS && take_news(bench).count == 1 && CHECK(pushed < 1000));
    CHECK_INT(rig_poll(bench), 0);
    CHECK(rig_conn(bench)->sink.pending.len - rig_conn(bench)->sink.sent > 0);
    size_t got = 0;
    unsigned turns = 0;
    while (take_news(bench).count == 0 && CHECK(turns++ < 10000)) {
        rig_receive(bench, client);
        got += bench->got_len;
        rig_poll(bench);
    }
    CHECK(got > PIECE);
    free(piece);
    close(client);
    rig_close(bench);
}

static void a_stream_without_end_costs_no_more_than_what_was_asked_for(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    enum { PIECE = 64 * 1024 };
    char *piece = calloc(1, PIECE);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_ASK, piece, PIECE);
    size_t most = 0;
    for (unsigned i = 0; i < 2000; i++) {
        rig_poll(bench);
        if (take_news(bench).count > 0) {
            push(bench, handle, TB_KIND_ASK, piece, PIECE);
        }
        if (i % 3 == 0) {
            rig_receive(bench, client);
        }
        const conn *con = rig_conn(bench);
        most = con->sink.pending.capacity > most ? con->sink.pending.capacity : most;
    }
    CHECK(most <= 4 * PIECE);
    free(piece);
    close(client);
    rig_close(bench);
}

static void whoever_streams_is_told_that_the_client_has_left_and_once(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_ASK, "x", 1);
    rig_poll(bench);
    close(client);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    part(bench, handle, "for nobody");
    const told news = take_news(bench);
    CHECK(news.count == 1 && news.handle == handle && news.news == TB_NEWS_GONE);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(take_news(bench).count, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    rig_close(bench);
}

static void a_client_that_left_before_the_stream_began_is_told_to_it(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    close(client);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(begin(bench, handle, 200, "", unknown), TB_EDISCONNECTED);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    CHECK_INT(take_news(bench).news, TB_NEWS_GONE);
    CHECK_INT(bench->sched.room.handles.open, 0);
    rig_close(bench);
}

static void a_stream_that_is_cut_does_not_end_as_a_whole_one_does(void) {
    static const char *const requests[] = {GET("/a"), GET10("/a"), GET("/a")};
    for (unsigned i = 0; i < 3; i++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        const uint64_t handle = ask(bench, client, requests[i]);
        begin(bench, handle, 200, "", i < 2 ? unknown : 100);
        part(bench, handle, "half of");
        push(bench, handle, TB_KIND_CUT, "", 0);
        rig_poll(bench);
        CHECK_INT(bench->sched.room.open, 0);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "\r\n0\r\n"), 0);
        CHECK(bench->eof);
        CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
        rig_poll(bench);
        take_news(bench);
        CHECK_INT(bench->sched.room.handles.open, 0);
        close(client);
        rig_close(bench);
    }
}

static void nothing_follows_a_stream_that_is_cut(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    rig_answer(bench, rig_record_at(bench, 1).handle, "second");
    begin(bench, first, 200, "", unknown);
    part(bench, first, "half of");
    push(bench, first, TB_KIND_CUT, "", 0);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "half of"), 1);
    CHECK_INT(rig_count(bench->got, "second"), 0);
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

static void a_stream_that_is_cut_before_its_turn_is_another_answer(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    const uint64_t second = rig_record_at(bench, 1).handle;
    begin(bench, second, 200, "", unknown);
    part(bench, second, "half of");
    push(bench, second, TB_KIND_CUT, "", 0);
    rig_poll(bench);
    rig_answer(bench, first, "first");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(rig_in_order(bench->got, "first", "HTTP/1.1 500 "));
    CHECK_INT(rig_count(bench->got, "half of"), 0);
    CHECK(!bench->eof);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void a_body_that_is_not_as_long_as_announced_is_cut(void) {
    for (unsigned i = 0; i < 2; i++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        const uint64_t handle = ask(bench, client, GET("/a"));
        begin(bench, handle, 200, "", 5);
        part(bench, handle, i == 0 ? "four" : "four too");
        end(bench, handle);
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK(bench->eof);
        CHECK_INT(rig_count(bench->got, "too"), 0);
        CHECK_INT(bench->sched.room.open, 0);
        close(client);
        rig_close(bench);
    }
}

static void what_does_not_belong_to_a_stream_goes_nowhere(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    part(bench, handle, "it has not begun");
    part(bench, handle ^ 1, "no such slot");
    part(bench, handle + (1ull << 20), "another generation");
    part(bench, handle ^ 1ull << 52, "another engine");
    end(bench, handle);
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_answer(bench, handle, "yay");
    part(bench, handle, "after the end");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), "yay");
    CHECK_INT(begin(bench, handle, 200, "", unknown), TB_EALREADY);
    close(client);
    rig_close(bench);
}

static void fields_that_would_split_the_response_make_it_a_500(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "X: a\r\n\r\nHTTP/1.1 200 OK\r\n", unknown);
    part(bench, handle, "x");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(strncmp(bench->got, "HTTP/1.1 500 ", 13) == 0);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1"), 1);
    close(client);
    rig_close(bench);
}

static void hints_come_before_the_answer(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    uint64_t handle = ask(bench, client, GET("/a"));
    push(bench, handle, TB_KIND_HINTS, "Link: </a.css>; rel=preload\r\n", 29);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(bench->got, bench->got_len, "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
    rig_answer(bench, handle, "yay");
    push(bench, handle, TB_KIND_HINTS, "Link: too late\r\n", 16);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "yay"), 1);
    CHECK_INT(rig_count(bench->got, "Link"), 0);
    close(client);
    client = rig_connect(bench);
    handle = ask(bench, client, GET10("/a")); /* RFC 8297 §3: not to HTTP/1.0 */
    push(bench, handle, TB_KIND_HINTS, "Link: </a.css>\r\n", 16);
    rig_poll(bench);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    close(client);
    rig_close(bench);
}

static void a_stream_is_not_held_to_the_deadline_of_its_handler(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    part(bench, handle, "x");
    rig_poll(bench);
    rig_receive(bench, client);
    exchange *ex = &bench->sched.room.handles.slots[0];
    ex->due_ms = 1;
    exchange_on_timer(&bench->sched.room, &ex->timer);
    part(bench, handle, "still there");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "still there"), 1);
    CHECK_INT(rig_stat(&bench->sched.room.stats.requests_overdue), 0);
    close(client);
    rig_close(bench);
}

static void a_stream_that_ends_while_there_is_news_of_it_leaves_nothing(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client, GET("/a"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_ASK, "x", 1);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    end(bench, handle);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    CHECK_INT(bench->sched.room.handles.open, 1);
    rig_send(client, GET("/next"));
    rig_poll(bench);
    CHECK(rig_record_at(bench, 0).handle != handle);
    CHECK_INT(take_news(bench).handle, handle);
    CHECK_INT(bench->sched.room.handles.open, 1);
    rig_answer(bench, rig_record_at(bench, 0).handle, "next");
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_count(rig_receive(bench, client), "next"), 1);
    close(client);
    rig_close(bench);
}

static void more_news_than_one_poll_can_tell_is_told_by_the_next(void) {
    rig *bench = rig_open();
    enum { MANY = 5 };
    int clients[MANY];
    for (unsigned i = 0; i < MANY; i++) {
        clients[i] = rig_connect(bench);
        const uint64_t handle = ask(bench, clients[i], GET("/a"));
        begin(bench, handle, 200, "", unknown);
        push(bench, handle, TB_KIND_ASK, "x", 1);
        bench->bat.count = 0;
        CHECK_INT(rig_poll(bench) & TB_POLL_NEWS, TB_POLL_NEWS);
        uint64_t news[3];
        if (i + 1 < MANY) {
            news_take(&bench->sched.room, news, 1);
            CHECK_INT(news[0], 1);
            push(bench, news[1], TB_KIND_PART, "y", 1);
        }
    }
    CHECK_INT(take_news(bench).count, 1);
    CHECK_INT(take_news(bench).count, 0);
    for (unsigned i = 0; i < MANY; i++) {
        close(clients[i]);
    }
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    uint64_t few[1 + 2 * 3];
    news_take(&bench->sched.room, few, 3);
    CHECK_INT(few[0], 3);
    CHECK_INT(rig_poll(bench), TB_POLL_NEWS);
    news_take(&bench->sched.room, few, 3);
    CHECK_INT(few[0], 2);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->sched.room.handles.open, 0);
    rig_close(bench);
}

int main(void) {
    RUN(parts_of_unknown_length_go_out_as_chunks);
    RUN(parts_of_known_length_go_out_as_they_are);
    RUN(a_client_of_http_1_0_is_told_the_end_by_the_close);
    RUN(an_answer_without_a_body_is_done_with_its_head);
    RUN(the_last_part_may_bring_the_end_with_it);
    RUN(a_last_part_that_comes_before_its_turn_waits_for_it);
    RUN(the_holder_is_told_at_once_how_much_more_the_socket_takes);
    RUN(the_holder_is_promised_nothing_before_its_turn);
    RUN(trailers_follow_the_last_chunk_where_there_is_one);
    RUN(a_stream_waits_for_its_turn_and_others_for_its_end);
    RUN(a_stream_that_is_whole_before_its_turn_goes_out_at_once);
    RUN(more_is_asked_for_when_the_client_has_taken_nearly_all);
    RUN(a_stream_without_end_costs_no_more_than_what_was_asked_for);
    RUN(whoever_streams_is_told_that_the_client_has_left_and_once);
    RUN(a_client_that_left_before_the_stream_began_is_told_to_it);
    RUN(a_stream_that_is_cut_does_not_end_as_a_whole_one_does);
    RUN(nothing_follows_a_stream_that_is_cut);
    RUN(a_stream_that_is_cut_before_its_turn_is_another_answer);
    RUN(a_body_that_is_not_as_long_as_announced_is_cut);
    RUN(what_does_not_belong_to_a_stream_goes_nowhere);
    RUN(fields_that_would_split_the_response_make_it_a_500);
    RUN(hints_come_before_the_answer);
    RUN(a_stream_is_not_held_to_the_deadline_of_its_handler);
    RUN(a_stream_that_ends_while_there_is_news_of_it_leaves_nothing);
    RUN(more_news_than_one_poll_can_tell_is_told_by_the_next);
    return check_end();
}
