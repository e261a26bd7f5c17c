/* Files on their way through a connection: their turn among answers, that others have theirs, and how they end. */
#include "files.h"

#include "deadline.h"
#include "folder.h"
#include "parcel.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { LARGE = 4 * 1024 * 1024 };

/* A bench with a mount at /f: small.txt, large.bin of 4 MiB. */
static rig *open_with_files(void) {
    rig *bench = rig_open();
    const mount_options options = {.index = "index.html"};
    char *large = malloc(LARGE);
    folder_open();
    folder_write_text("small.txt", "small");
    memset(large, 'L', LARGE);
    folder_write("large.bin", large, LARGE);
    free(large);
    folder_date("small.txt", 1500000000, 0);
    folder_date("large.bin", 1500000000, 0);
    CHECK_INT(mount_push(&bench->sched.room.mounts, "/f", 2, folder_name, &options), TB_OK);
    return bench;
}

static void close_with_files(rig *bench) {
    rig_close(bench);
    folder_close();
}

/* Polls and receives until every answer is on its way, and has come. */
static void receive_all(rig *bench, int client) {
    unsigned turns = 0;
    bench->got_len = 0;
    do {
        rig_poll(bench);
        rig_receive_more(bench, client);
    } while (bench->sched.room.handles.open > 0 && CHECK(turns++ < 1000));
    rig_poll(bench); /* what the socket had no room for */
    rig_receive_more(bench, client);
}

static void a_file_is_answered_without_a_record(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    for (unsigned i = 0; i < 3; i++) {
        rig_send(client, GET("/f/small.txt"));
        CHECK_INT(rig_poll(bench), 0);
        CHECK_INT(bench->bat.count, 0);
        CHECK_INT(rig_count(rig_receive(bench, client), "\r\n\r\nsmall"), 1);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.files), 3);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    close_with_files(bench);
}

static void a_large_file_goes_as_the_socket_takes_it_and_holds_no_memory(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    CHECK(rig_conn(bench)->shipping);
    CHECK(rig_conn(bench)->sink.pending.octets == NULL);
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "Content-Length: 4194304\r\n"), 1);
    rig_poll(bench);
    CHECK(!rig_conn(bench)->shipping);
    CHECK_INT(bench->sched.room.handles.open, 0);
    rig_send(client, GET("/next"));
    CHECK_INT(rig_serve(bench), 1);
    close(client);
    close_with_files(bench);
}

static void an_answer_behind_a_file_waits_for_its_last_octet(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/first") GET("/f/large.bin") GET("/f/small.txt"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 1);
    rig_answer(bench, rig_record_at(bench, 0).handle, "first");
    receive_all(bench, client);
    char *first = strstr(bench->got, "first");
    char *file = strstr(bench->got, "LLLL");
    char *small = strstr(bench->got, "\r\n\r\nsmall");
    CHECK(first != NULL && file != NULL && small != NULL && first < file && small > file + LARGE - 1);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    close_with_files(bench);
}

static void others_are_served_while_a_file_is_on_its_way(void) {
    rig *bench = open_with_files();
    int slow = rig_connect(bench);
    rig_send(slow, GET("/f/large.bin"));
    rig_poll(bench);
    int quick = rig_connect(bench);
    rig_send(quick, GET("/f/small.txt"));
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, quick), "small"), 1);
    close(quick);
    close(slow);
    close_with_files(bench);
}

static void nothing_is_read_while_a_file_is_on_its_way(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    rig_send(client, GET("/next"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 0);
    unsigned turns = 0;
    while (bench->bat.count == 0 && CHECK(turns++ < 10000)) {
        rig_receive(bench, client);
        rig_poll(bench);
    }
    rig_path_is(bench, 0, "/next");
    close(client);
    close_with_files(bench);
}

static void a_client_that_leaves_takes_its_file_with_it(void) {
    rig *bench = open_with_files();
    const int before = dup(0);
    close(before);
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin") GET("/f/large.bin"));
    rig_poll(bench);
    close(client);
    rig_poll(bench);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.open, 0);
    CHECK_INT(bench->sched.room.handles.open, 0);
    const int after = dup(0);
    CHECK_INT(after, before); /* no descriptor is left open */
    close(after);
    close_with_files(bench);
}

static void a_file_that_waits_for_its_turn_goes_with_its_client(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/first") GET("/f/large.bin"));
    rig_poll(bench);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    CHECK_INT(bench->sched.room.handles.open, 2);
    close(client);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 1);
    CHECK_INT(rig_post(bench, handle, "late"), TB_EDISCONNECTED);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close_with_files(bench);
}

static void a_file_that_changes_under_way_is_cut_off(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    folder_date("large.bin", 1600000000, 0);
    unsigned turns = 0;
    size_t len = 0;
    while (bench->sched.room.open > 0 && CHECK(turns++ < 10000)) {
        rig_receive(bench, client);
        len += bench->got_len;
        rig_poll(bench);
    }
    rig_receive(bench, client);
    CHECK(bench->eof);
    CHECK(len + bench->got_len < LARGE);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    close_with_files(bench);
}

static void a_client_that_takes_nothing_has_the_deadline_of_a_write(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    CHECK_INT(rig_conn(bench)->phase, DEADLINE_WRITE);
    close(client);
    close_with_files(bench);
}

static void a_drain_lets_a_file_come_to_its_end(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    conn_drain(&bench->sched.room);
    CHECK_INT(bench->sched.room.open, 1);
    receive_all(bench, client);
    rig_poll(bench);
    rig_receive_more(bench, client);
    CHECK(bench->eof);
    CHECK_INT(bench->sched.room.open, 0);
    close(client);
    close_with_files(bench);
}

static void without_a_handle_a_file_is_refused_and_closed(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    bench->sched.room.handles.capacity = 0;
    rig_send(client, GET("/f/large.bin"));
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 503 "), 1);
    bench->sched.room.handles.capacity = 1024;
    close(client);
    close_with_files(bench);
}

/* What a handler answers with: a file of the folder, as the holder of the scheduler or as another thread would. */
static int32_t give(rig *bench, uint64_t handle, const char *name, uint64_t flags, bool holding) {
    const tb_file file = {.path = folder_path(name), .status = 200, .flags = flags};
    parcel made;
    CHECK_INT(parcel_open(&made, &bench->sched.room, &file), TB_OK);
    made.ans.handle = handle;
    const int32_t code = reception_give(&bench->sched, &made.ans, holding);
    parcel_close(&made);
    return code;
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void a_handler_answers_with_a_file_from_either_side(void) {
    static const char *const names[] = {"small.txt", "large.bin"};
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    const int before = count_descriptors();
    for (unsigned i = 0; i < 4; i++) {
        rig_send(client, GET("/handler"));
        rig_poll(bench);
        CHECK_INT(give(bench, rig_record_at(bench, 0).handle, names[i / 2], 0, i % 2 == 0), TB_OK);
        receive_all(bench, client);
        CHECK_INT(rig_count(bench->got, "HTTP/1.1 200 OK\r\n"), 1);
        CHECK(bench->got_len > (i < 2 ? 5 : LARGE));
        CHECK(strcmp(bench->got + bench->got_len - 5, i < 2 ? "small" : "LLLLL") == 0);
    }
    rig_poll(bench);
    CHECK_INT(count_descriptors(), before);
    close(client);
    close_with_files(bench);
}

static void a_file_of_a_handler_waits_for_its_turn(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    const int before = count_descriptors();
    rig_send(client, GET("/1") GET("/2") GET("/3") GET("/4"));
    rig_poll(bench);
    CHECK_INT(bench->bat.count, 4);
    uint64_t handles[4];
    for (uint32_t i = 0; i < 4; i++) {
        handles[i] = rig_record_at(bench, i).handle;
    }
    rig_answer(bench, handles[3], "fourth");
    CHECK_INT(give(bench, handles[2], "small.txt", 0, false), TB_OK);
    CHECK_INT(give(bench, handles[1], "large.bin", 0, true), TB_OK);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP"), 0);
    rig_answer(bench, handles[0], "first");
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200 OK"), 4);
    const char *large = strstr(bench->got, "LLLL"), *small = strstr(bench->got, "\r\n\r\nsmall");
    CHECK(rig_in_order(bench->got, "first", "fourth"));
    CHECK(large != NULL && small > large + LARGE - 1 && small < strstr(bench->got, "fourth"));
    rig_poll(bench);
    CHECK_INT(count_descriptors(), before);
    close(client);
    close_with_files(bench);
}

static void an_answer_that_is_refused_has_its_file_closed(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/handler"));
    rig_poll(bench);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    rig_answer(bench, handle, "first");
    const int before = count_descriptors();
    for (unsigned holding = 0; holding < 2; holding++) {
        CHECK_INT(give(bench, handle, "large.bin", 0, holding), TB_EALREADY);
        CHECK_INT(give(bench, 12345, "large.bin", 0, holding), TB_EBADHANDLE);
        CHECK_INT(count_descriptors(), before);
    }
    CHECK_INT(rig_stat(&bench->sched.room.stats.answers_refused), 4);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "first"), 1);
    close(client);
    close_with_files(bench);
}

static void a_file_for_a_client_that_has_left_is_closed(void) {
    rig *bench = open_with_files();
    const int before = count_descriptors();
    for (unsigned when = 0; when < 4; when++) {
        int client = rig_connect(bench);
        rig_send(client, GET("/handler"));
        rig_poll(bench);
        const uint64_t handle = rig_record_at(bench, 0).handle;
        if (when == 3) { /* it has been posted, and nobody has looked yet */
            CHECK_INT(give(bench, handle, "large.bin", 0, false), TB_OK);
            conn_close(&bench->sched.room, rig_conn(bench));
            close(client);
        } else if (when == 2) { /* it has begun */
            CHECK_INT(give(bench, handle, "large.bin", 0, true), TB_OK);
            rig_poll(bench);
            CHECK(rig_conn(bench)->shipping);
            close(client);
        } else {
            close(client);
            rig_poll(bench);
            CHECK_INT(give(bench, handle, "large.bin", 0, when == 0), TB_EDISCONNECTED);
        }
        rig_poll(bench);
        rig_poll(bench);
        CHECK_INT(bench->sched.room.handles.open, 0);
        CHECK_INT(bench->sched.room.open, 0);
        CHECK_INT(count_descriptors(), before);
    }
    close_with_files(bench);
}

static void a_scheduler_that_ends_closes_the_files_that_were_posted_or_wait(void) {
    const int before = count_descriptors();
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/1") GET("/2") GET("/3"));
    rig_poll(bench);
    CHECK_INT(give(bench, rig_record_at(bench, 1).handle, "large.bin", 0, true), TB_OK);  /* waits for its turn */
    CHECK_INT(give(bench, rig_record_at(bench, 2).handle, "large.bin", 0, false), TB_OK); /* is posted */
    close(client);
    close_with_files(bench);
    CHECK_INT(count_descriptors(), before);
}

static void a_request_that_was_overdue_has_no_use_for_a_file(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/handler"));
    rig_poll(bench);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    exchange *ex = &bench->sched.room.handles.slots[rig_conn(bench)->first];
    ex->due_ms = 0;
    exchange_on_timer(&bench->sched.room, &ex->timer);
    const int before = count_descriptors();
    CHECK_INT(give(bench, handle, "large.bin", 0, true), TB_EALREADY);
    CHECK_INT(count_descriptors(), before);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 504 "), 1);
    close(client);
    close_with_files(bench);
}

static void a_head_gets_the_length_whatever_the_answer_holds(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    const int before = count_descriptors();
    for (unsigned i = 0; i < 2; i++) {
        rig_send(client, "HEAD /handler HTTP/1.1\r\nHost: a\r\n\r\n");
        rig_poll(bench);
        const uint64_t flags = i == 0 ? TB_FILE_HEAD : 0;
        CHECK_INT(give(bench, rig_record_at(bench, 0).handle, "large.bin", flags, true), TB_OK);
        rig_poll(bench);
        rig_receive(bench, client);
        CHECK_INT(rig_count(bench->got, "Content-Length: 4194304\r\n"), 1);
        CHECK(strcmp(bench->got + bench->got_len - 4, "\r\n\r\n") == 0);
        CHECK_INT(count_descriptors(), before);
    }
    close(client);
    close_with_files(bench);
}

static void an_answer_without_the_octets_that_it_promises_is_an_error_of_ours(void) {
    rig *bench = open_with_files();
    int client = rig_connect(bench);
    rig_send(client, GET("/handler"));
    rig_poll(bench);
    CHECK_INT(give(bench, rig_record_at(bench, 0).handle, "small.txt", TB_FILE_HEAD, false), TB_OK);
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 500 "), 1);
    close(client);
    close_with_files(bench);
}

static void a_file_in_place_of_a_body_that_was_offered_ends_the_connection(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 10;
    rig *bench = rig_open_with(&config);
    folder_open();
    folder_write_text("small.txt", "small");
    int client = rig_connect(bench);
    rig_send(client, "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nsome");
    rig_poll(bench);
    CHECK(rig_record_at(bench, 0).offered);
    CHECK_INT(give(bench, rig_record_at(bench, 0).handle, "small.txt", 0, true), TB_OK);
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_INT(rig_count(bench->got, "Connection: close\r\n"), 1);
    CHECK_INT(rig_count(bench->got, "\r\n\r\nsmall"), 1);
    CHECK(bench->eof);
    close(client);
    close_with_files(bench);
}

static void a_file_that_is_replaced_or_removed_under_way_comes_whole(void) {
    for (unsigned i = 0; i < 2; i++) {
        rig *bench = open_with_files();
        int client = rig_connect(bench);
        rig_send(client, GET("/f/large.bin"));
        rig_poll(bench);
        CHECK(rig_conn(bench)->shipping);
        if (i == 0) {
            char other[64];
            snprintf(other, sizeof other, "%s/small.txt", folder_name);
            CHECK_INT(rename(other, folder_path("large.bin")), 0);
        } else {
            CHECK_INT(unlink(folder_path("large.bin")), 0);
        }
        receive_all(bench, client);
        CHECK(bench->got_len > LARGE && strspn(bench->got + bench->got_len - LARGE, "L") == LARGE);
        CHECK(!bench->eof);
        close(client);
        close_with_files(bench);
    }
}

int main(void) {
    RUN(a_file_is_answered_without_a_record);
    RUN(a_large_file_goes_as_the_socket_takes_it_and_holds_no_memory);
    RUN(an_answer_behind_a_file_waits_for_its_last_octet);
    RUN(others_are_served_while_a_file_is_on_its_way);
    RUN(nothing_is_read_while_a_file_is_on_its_way);
    RUN(a_client_that_leaves_takes_its_file_with_it);
    RUN(a_file_that_waits_for_its_turn_goes_with_its_client);
    RUN(a_file_that_changes_under_way_is_cut_off);
    RUN(a_client_that_takes_nothing_has_the_deadline_of_a_write);
    RUN(a_drain_lets_a_file_come_to_its_end);
    RUN(without_a_handle_a_file_is_refused_and_closed);
    RUN(a_handler_answers_with_a_file_from_either_side);
    RUN(a_file_of_a_handler_waits_for_its_turn);
    RUN(an_answer_that_is_refused_has_its_file_closed);
    RUN(a_file_for_a_client_that_has_left_is_closed);
    RUN(a_scheduler_that_ends_closes_the_files_that_were_posted_or_wait);
    RUN(a_request_that_was_overdue_has_no_use_for_a_file);
    RUN(a_head_gets_the_length_whatever_the_answer_holds);
    RUN(an_answer_without_the_octets_that_it_promises_is_an_error_of_ours);
    RUN(a_file_in_place_of_a_body_that_was_offered_ends_the_connection);
    RUN(a_file_that_is_replaced_or_removed_under_way_comes_whole);
    return check_end();
}
