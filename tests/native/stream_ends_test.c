/* Answers in parts that end otherwise than by their last part, and what does not belong to them. */
#include "streaming.h"

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
    check_body(bench, client, "yay");
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
    RUN(whoever_streams_is_told_that_the_client_has_left_and_once);
    RUN(a_client_that_left_before_the_stream_began_is_told_to_it);
    RUN(a_stream_that_is_cut_does_not_end_as_a_whole_one_does);
    RUN(nothing_follows_a_stream_that_is_cut);
    RUN(a_stream_that_is_cut_before_its_turn_is_another_answer);
    RUN(a_body_that_is_not_as_long_as_announced_is_cut);
    RUN(what_does_not_belong_to_a_stream_goes_nowhere);
    RUN(fields_that_would_split_the_response_make_it_a_500);
    RUN(a_stream_is_not_held_to_the_deadline_of_its_handler);
    RUN(a_stream_that_ends_while_there_is_news_of_it_leaves_nothing);
    RUN(more_news_than_one_poll_can_tell_is_told_by_the_next);
    return check_end();
}
