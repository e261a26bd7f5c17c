/* Requests that are offered before their body is read, the trailers that follow a body, and the protocols that a
 * connection may switch to. */
#include "exchange.h"

#include "clock.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"
#define EXPECT "Expect: 100-continue\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"

static const char continued[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* A bench on which bodies over 10 octets are offered, since a route has such a limit. */
static rig *open_with_limits(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 10;
    return rig_open_with(&config);
}

static uint64_t offered(rig *bench, const char *path) {
    CHECK_INT(rig_poll(bench), TB_POLL_OFFER);
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK(record.offered && record.body.len == 0);
    rig_path_is(bench, 0, path);
    return record.handle;
}

static void a_client_that_expects_100_continue_gets_it_when_the_body_is_wanted(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, POST("/a") EXPECT "Content-Length: 2\r\n\r\n");
    const uint64_t handle = offered(bench, "/a");
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_continue(bench, handle, 2);
    CHECK_INT(rig_poll(bench), 0);
    CHECK(strcmp(rig_receive(bench, client), continued) == 0);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(strlen(rig_receive(bench, client)), 0);
    rig_send(client, "hi");
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 1);
    const rig_record record = rig_record_at(bench, 0);
    CHECK(!record.offered && record.handle != handle);
    CHECK_TEXT(record.body.at, record.body.len, "hi");
    CHECK_INT(rig_post(bench, handle, "twice"), TB_EALREADY);
    rig_answer(bench, record.handle, "done");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "done"), 1);
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

static void no_100_continue_is_sent_for_a_body_that_nobody_wants(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, POST("/a") EXPECT "Content-Length: 5\r\n\r\n");
    rig_answer(bench, offered(bench, "/a"), "no, thank you");
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    CHECK_INT(rig_count(bench->got, "no, thank you"), 1);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    rig_send(client, "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"); /* it may be the body, so it is nothing */
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void no_100_continue_is_sent_when_the_body_is_on_its_way_already(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, POST("/whole") EXPECT "Content-Length: 2\r\n\r\nhi");
    CHECK_INT(rig_serve(bench), 1);
    rig_send(client, POST("/part") EXPECT "Content-Length: 4\r\n\r\nha");
    rig_poll(bench);
    rig_continue(bench, bench->handles[0], 4);
    rig_poll(bench);
    rig_send(client, "lf");
    CHECK_INT(rig_serve(bench), 1);
    rig_send(client, POST("/chunks") EXPECT CHUNKED "\r\n1\r\nx");
    rig_poll(bench);
    rig_send(client, "\r\n0\r\n\r\n");
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200"), 3);
    CHECK_INT(rig_count(bench->got, "100 Continue"), 0);
    close(client);
    rig_close(bench);
}

static void an_offer_waits_for_the_answers_before_it_and_what_is_behind_it_waits_for_its_own(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/one") POST("/two") EXPECT "Content-Length: 3\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_answer(bench, bench->handles[0], "=one");
    rig_continue(bench, offered(bench, "/two"), 3);
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "=one", "HTTP/1.1 100 Continue"));
    rig_send(client, "abc" GET("/three"));
    CHECK_INT(rig_serve(bench), 1);
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK(rig_in_order(rig_receive(bench, client), "/two", "/three"));
    close(client);
    rig_close(bench);
}

static void bodies_are_offered_only_where_a_route_may_take_fewer_octets_or_more(void) {
    rig *bench = open_with_limits();
    int client = rig_connect(bench);
    rig_send(client, POST("/small") "Content-Length: 10\r\n\r\n0123456789");
    CHECK_INT(rig_poll(bench), 0);
    rig_answer(bench, bench->handles[0], "");
    rig_send(client, POST("/large") "Content-Length: 11\r\n\r\n0123456789a");
    uint64_t handle = offered(bench, "/large");
    rig_continue(bench, handle, 11);
    CHECK_INT(rig_serve(bench), 1);
    rig_send(client, POST("/chunks") CHUNKED "\r\n1\r\nx\r\n0\r\n\r\n");
    rig_continue(bench, offered(bench, "/chunks"), 1);
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 3);
    CHECK(!bench->eof);
    close(client);
    rig_close(bench);
}

static void a_body_over_the_limit_of_its_route_is_a_413(void) {
    static const char *const requests[] = {
        POST("/a") "Content-Length: 101\r\n\r\nabc",
        POST("/a") CHUNKED "\r\n40\r\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n25\r\n",
        POST("/a") EXPECT "Content-Length: 101\r\n\r\n",
    };
    for (unsigned i = 0; i < 3; i++) {
        rig *bench = open_with_limits();
        int client = rig_connect(bench);
        rig_send(client, requests[i]);
        rig_continue(bench, offered(bench, "/a"), 100);
        rig_poll(bench);
        CHECK_INT(bench->bat.count, 0);
        CHECK(strncmp(rig_receive(bench, client), "HTTP/1.1 413 ", 13) == 0);
        /* what is left of the first one is known and little, and is thrown away */
        CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), i > 0);
        CHECK_INT(bench->sched.room.handles.open, 0);
        close(client);
        rig_close(bench);
    }
}

static void a_client_that_leaves_an_offer_leaves_no_handle_open(void) {
    for (unsigned i = 0; i < 4; i++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        rig_send(client, POST("/a") EXPECT "Content-Length: 4\r\n\r\n");
        const uint64_t handle = offered(bench, "/a");
        if (i >= 2) {
            rig_continue(bench, handle, 4);
            rig_poll(bench);
            rig_send(client, "ab");
            rig_poll(bench);
        }
        if (i % 2 == 0) {
            close(client);
            rig_poll(bench);
            rig_poll(bench);
            CHECK_INT(i >= 2 ? TB_EDISCONNECTED : rig_post(bench, handle, "late"), TB_EDISCONNECTED);
        } else {
            shutdown(client, SHUT_WR);
            rig_poll(bench);
            if (i < 2) {
                rig_continue(bench, handle, 4);
                rig_poll(bench);
            }
            CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 400 "), 1);
            close(client);
        }
        rig_poll(bench);
        rig_poll(bench);
        CHECK_INT(bench->sched.room.handles.open, 0);
        CHECK(bench->sched.room.conns == NULL);
        rig_close(bench);
    }
}

static void an_offered_request_has_the_deadline_of_a_handler_and_a_granted_one_that_of_a_body(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    int other = rig_connect(bench);
    rig_send(client, POST("/a") EXPECT "Content-Length: 4\r\n\r\n");
    const uint64_t stuck = offered(bench, "/a");
    rig_send(other, POST("/b") EXPECT "Content-Length: 4\r\n\r\n");
    rig_continue(bench, offered(bench, "/b"), 4);
    rig_poll(bench);
    clock_advance(40000);
    CHECK_INT(rig_poll(bench), TB_POLL_OVERDUE);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 504 "), 1);
    CHECK_INT(rig_post(bench, stuck, "late"), TB_EALREADY);
    CHECK(strcmp(rig_receive(bench, other), continued) == 0);
    clock_advance(30000);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, other), "HTTP/1.1 408 "), 1);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    close(other);
    rig_close(bench);
}

static void asking_for_the_body_of_a_request_that_was_not_offered_is_a_500(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, GET("/a"));
    rig_poll(bench);
    rig_continue(bench, bench->handles[0], 4);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 500 "), 1);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void an_offer_with_no_handle_free_is_a_503_and_without_room_it_waits(void) {
    tb_config config = rig_config;
    config.handles_max = 1;
    rig *bench = rig_open_with(&config);
    int first = rig_connect(bench);
    int second = rig_connect(bench);
    bench->count_max = 1;
    rig_send(first, GET("/one"));
    rig_poll(bench);
    const uint64_t one = bench->handles[0];
    rig_send(second, POST("/two") EXPECT "Content-Length: 4\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    CHECK_INT(rig_count(rig_receive(bench, second), "HTTP/1.1 503 "), 1);
    rig_answer(bench, one, "=one");
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    int third = rig_connect(bench);
    rig_send(first, GET("/three"));
    rig_send(third, POST("/four") EXPECT "Content-Length: 4\r\n\r\n");
    unsigned offers = 0;
    for (unsigned i = 0; i < 3; i++) {
        offers += rig_poll(bench) == TB_POLL_OFFER;
        CHECK(bench->bat.count <= 1);
        if (bench->bat.count == 1) {
            rig_answer(bench, bench->handles[0], "");
        }
    }
    CHECK_INT(offers, 1);
    close(first);
    close(second);
    close(third);
    rig_close(bench);
}

static void trailers_are_handed_over_however_the_input_is_cut(void) {
    static const char request[] = POST("/a") CHUNKED "\r\n3\r\nabc\r\n0\r\nX-One: 1 \r\nETag:\t\"q\"\r\nempty:\r\n\r\n";
    for (size_t cut = 1; cut < sizeof request - 1; cut++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        rig_send_octets(client, request, cut);
        rig_poll(bench);
        rig_send(client, request + cut);
        rig_poll(bench);
        CHECK_INT(bench->bat.count, 1);
        const rig_record record = rig_record_at(bench, 0);
        CHECK_TEXT(record.body.at, record.body.len, "abc");
        CHECK_TEXT(record.trailers.at, record.trailers.len, "\nx-one:1\netag:\"q\"\nempty:\n");
        CHECK(!record.offered);
        close(client);
        rig_close(bench);
    }
    rig *bench = rig_open();
    int client = rig_connect(bench);
    rig_send(client, POST("/a") CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n");
    rig_poll(bench);
    CHECK_INT(rig_record_at(bench, 0).trailers.len, 0);
    close(client);
    rig_close(bench);
}

static void the_last_request_that_a_connection_may_make_is_told_so(void) {
    tb_config config = rig_config;
    config.connection_requests_max = 3;
    rig *bench = rig_open_with(&config);
    int client = rig_connect(bench);
    rig_add_constant(bench, "/constant", "c");
    rig_send(client, GET("/constant") GET("/a") GET("/b") GET("/c"));
    rig_serve(bench);
    rig_serve(bench);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200"), 3);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: close\r\n"), 1);
    CHECK(strstr(bench->got, "\r\nConnection: close\r\n") < strstr(bench->got, "/b"));
    CHECK(bench->eof);
    close(client);
    rig_close(bench);
}

/* A protocol that sends back what it gets, and closes at an "X". */
static bool shout(conn_room *room, conn *con, const uint8_t *octets, size_t len) {
    output_push(&room->out, &con->sink, octets, len);
    return memchr(octets, 'X', len) == NULL;
}

static const conn_protocol protocols[] = {{"other", shout}, {"shout", shout}};

static rig *open_with_protocols(void) {
    rig *bench = rig_open();
    bench->sched.room.protocols = protocols;
    bench->sched.room.protocols_len = 2;
    return bench;
}

#define UPGRADE(list) "GET /up HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: " list "\r\n\r\n"

static void answer_101(rig *bench, uint64_t handle) {
    uint8_t out[64];
    CHECK_INT(reception_spend(&bench->sched, out, rig_write_answer(out, handle, 101, "", 0)), TB_OK);
}

static void a_connection_switches_to_a_protocol_that_both_sides_want(void) {
    rig *bench = open_with_protocols();
    int client = rig_connect(bench);
    rig_send(client, UPGRADE("h9, Shout/2") "first ");
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    answer_101(bench, bench->handles[0]);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK(strncmp(bench->got, "HTTP/1.1 101 Switching Protocols\r\n", 34) == 0);
    CHECK_INT(rig_count(bench->got, "\r\nConnection: upgrade\r\nUpgrade: shout\r\n\r\nfirst "), 1);
    CHECK_INT(rig_count(bench->got, "Content-Length"), 0);
    rig_send(client, GET("/not-http"));
    rig_poll(bench);
    CHECK(strcmp(rig_receive(bench, client), GET("/not-http")) == 0);
    clock_advance(1000000);
    rig_send(client, "X");
    rig_poll(bench);
    CHECK(strcmp(rig_receive(bench, client), "X") == 0 && bench->eof);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_close(bench);
}

static void who_is_not_switched_goes_on_with_http(void) {
    rig *bench = open_with_protocols();
    int client = rig_connect(bench);
    rig_send(client, UPGRADE("shout") GET("/behind"));
    CHECK_INT(rig_serve(bench), 1); /* what is behind it may not be HTTP, so it waits */
    CHECK_INT(rig_serve(bench), 1);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200"), 2);
    rig_send(client, UPGRADE("unknown, shouted, shoutX"));
    rig_poll(bench);
    answer_101(bench, bench->handles[0]);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 500 "), 1);
    close(client);
    rig_close(bench);
}

int main(void) {
    RUN(a_client_that_expects_100_continue_gets_it_when_the_body_is_wanted);
    RUN(no_100_continue_is_sent_for_a_body_that_nobody_wants);
    RUN(no_100_continue_is_sent_when_the_body_is_on_its_way_already);
    RUN(an_offer_waits_for_the_answers_before_it_and_what_is_behind_it_waits_for_its_own);
    RUN(bodies_are_offered_only_where_a_route_may_take_fewer_octets_or_more);
    RUN(a_body_over_the_limit_of_its_route_is_a_413);
    RUN(a_client_that_leaves_an_offer_leaves_no_handle_open);
    RUN(an_offered_request_has_the_deadline_of_a_handler_and_a_granted_one_that_of_a_body);
    RUN(asking_for_the_body_of_a_request_that_was_not_offered_is_a_500);
    RUN(an_offer_with_no_handle_free_is_a_503_and_without_room_it_waits);
    RUN(trailers_are_handed_over_however_the_input_is_cut);
    RUN(the_last_request_that_a_connection_may_make_is_told_so);
    RUN(a_connection_switches_to_a_protocol_that_both_sides_want);
    RUN(who_is_not_switched_goes_on_with_http);
    return check_end();
}
