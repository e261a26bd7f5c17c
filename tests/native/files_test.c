/* Files on their way through a connection: their turn among answers, that others have theirs, and how they end. */
#include "files.h"

#include "deadline.h"
#include "folder.h"
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
    bench->got_len = 0;
    for (unsigned turns = 0; bench->sched.room.handles.open > 0 && CHECK(turns < 1000); turns++) {
        rig_poll(bench);
        rig_receive_more(bench, client);
    }
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
    return check_end();
}
