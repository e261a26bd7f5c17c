/* One connection: reading, ending, lingering, and what it holds meanwhile. */
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

int main(void) {
    RUN(a_request_becomes_a_record_and_its_answer_goes_out);
    RUN(a_client_that_half_closes_still_gets_its_answers);
    RUN(an_end_between_requests_is_no_error);
    RUN(an_idle_connection_owns_no_buffer);
    RUN(a_refused_client_that_never_stops_sending_is_cut_off);
    RUN(a_connection_that_is_closed_is_not_polled_any_more_even_when_a_child_process_still_has_it);
    RUN(a_client_that_does_not_read_cannot_make_us_hold_more_than_its_socket_and_one_flush);
    RUN(a_client_that_sends_without_reading_is_not_read_from);
    return check_end();
}
