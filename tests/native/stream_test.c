/* Answers in parts: what goes out, when, and who is told to go on. */
#include "streaming.h"

/* As the holder of the scheduler, who need not wait for news. */
static int32_t push_holding(rig *bench, uint64_t handle, uint32_t kind, const void *octets, size_t len) {
    const answer ans = answer_of_part(handle, kind, octets, len);
    return reception_push_part(&bench->sched, &ans, true);
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
    check_body(bench, client, "6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
    handle = ask(bench, client, GET("/b"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_LAST, "", 0);
    check_body(bench, client, "0\r\n\r\n");
    handle = ask(bench, client, GET("/c"));
    begin(bench, handle, 200, "", 5);
    push(bench, handle, TB_KIND_LAST, "world", 5);
    check_body(bench, client, "world");
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(rig_stat(&bench->sched.room.stats.streams), 0);
    CHECK(!bench->eof);
    handle = ask(bench, client, GET("/d"));
    begin(bench, handle, 200, "", 5);
    push(bench, handle, TB_KIND_LAST, "less", 4);
    check_body(bench, client, "less");
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

/* A stream that comes to its end before its turn. */
static void check_whole_before_its_turn(void (*finish)(rig *bench, uint64_t handle)) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") GET("/two"));
    rig_poll(bench);
    const uint64_t first = rig_record_at(bench, 0).handle;
    const uint64_t second = rig_record_at(bench, 1).handle;
    begin(bench, second, 200, "", unknown);
    finish(bench, second);
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

static void finish_with_last_part(rig *bench, uint64_t handle) {
    push(bench, handle, TB_KIND_LAST, "whole", 5);
}

static void a_last_part_that_comes_before_its_turn_waits_for_it(void) {
    check_whole_before_its_turn(finish_with_last_part);
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
    check_body(bench, client, "0\r\nX-Sum: 5\r\n\r\n");
    handle = ask(bench, client, GET("/b"));
    begin(bench, handle, 200, "", unknown);
    push(bench, handle, TB_KIND_END, "bad\r\n\r\nHTTP/1.1 200 OK\r\n", 24); /* which would split the response */
    check_body(bench, client, "0\r\n\r\n");
    handle = ask(bench, client, GET("/c"));
    begin(bench, handle, 200, "", 0);
    push(bench, handle, TB_KIND_END, "X-Sum: 5\r\n", 10);
    check_body(bench, client, "");
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

static void finish_with_part_and_end(rig *bench, uint64_t handle) {
    part(bench, handle, "whole");
    end(bench, handle);
}

static void a_stream_that_is_whole_before_its_turn_goes_out_at_once(void) {
    check_whole_before_its_turn(finish_with_part_and_end);
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
    RUN(hints_come_before_the_answer);
    return check_end();
}
