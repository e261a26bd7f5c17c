/* Files of handlers where memory is out, the disk is broken, or the file changes under our hands. */
#include "faults.h"

#include "folder.h"
#include "parcel.h"
#include "rig.h"

enum { LARGE = 1024 * 1024, SITES_MAX = 100 };

static void open_folder(void) {
    char *large = malloc(LARGE);
    memset(large, 'L', LARGE);
    folder_open();
    folder_write_text("small.txt", "0123456789");
    folder_write("large.bin", large, LARGE);
    free(large);
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int32_t give(rig *bench, uint64_t handle, const char *name, bool holding) {
    const tb_file file = {.path = folder_path(name), .status = 200};
    parcel made;
    int32_t code = parcel_open(&made, &bench->sched.room, &file);
    if (code == TB_OK) {
        made.ans.handle = handle;
        code = reception_give(&bench->sched, &made.ans, holding);
        parcel_close(&made);
    }
    return code;
}

static uint64_t ask(rig *bench, int client) {
    rig_send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    rig_poll(bench);
    return bench->handles[0];
}

/* Polls and receives until nothing is open any more. */
static void receive_all(rig *bench, int client) {
    unsigned turns = 0;
    bench->got_len = 0;
    do {
        rig_poll(bench);
        rig_receive_more(bench, client);
    } while (bench->sched.room.handles.open > 0 && CHECK(turns++ < 2000000));
    rig_poll(bench);
    rig_receive_more(bench, client);
}

static void play_with_memory_out_at(rig *bench, uint64_t site, bool large, bool holding, bool *failed) {
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client);
    const int before = count_descriptors();
    atomic_store(&faults.allocations, 0);
    faults.fails_at = site;
    const int32_t code = give(bench, handle, large ? "large.bin" : "small.txt", holding);
    *failed = atomic_load(&faults.allocations) >= site;
    faults.fails_at = 0;
    CHECK(code == TB_OK || (*failed && code == TB_ENOMEM));
    if (code == TB_ENOMEM) {
        CHECK_INT(count_descriptors(), before);
        rig_answer(bench, handle, "still mine");
    }
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "HTTP/1.1 200 "), 1);
    close(client);
    rig_poll(bench);
    rig_poll(bench);
    CHECK_INT(bench->sched.room.handles.open, 0);
    CHECK_INT(count_descriptors(), before - 2); /* nor the connection */
}

static void memory_that_is_out_costs_neither_the_handle_nor_a_descriptor(void) {
    uint64_t sites = 0;
    for (unsigned i = 0; i < 4; i++) {
        bool failed = true;
        for (uint64_t site = 1; failed && CHECK(site < SITES_MAX); site++) {
            rig *bench = rig_open();
            play_with_memory_out_at(bench, site, i % 2 == 0, i / 2 == 0, &failed);
            rig_close(bench);
            sites += failed;
        }
    }
    CHECK(sites >= 4 * 2);
}

static void a_disk_that_fails_while_a_small_file_is_read_leaves_the_handle(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client);
    const int before = count_descriptors();
    faults.pread_errno = EIO;
    CHECK_INT(give(bench, handle, "small.txt", true), TB_ESYSTEM - EIO);
    faults.pread_errno = 0;
    CHECK_INT(count_descriptors(), before);
    rig_answer(bench, handle, "told");
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "told"), 1);
    close(client);
    rig_close(bench);
}

static void a_read_that_gives_little_or_is_interrupted_goes_on(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    faults.pread_max = 1;
    faults.storm = 3;
    const uint64_t handle = ask(bench, client);
    CHECK_INT(give(bench, handle, "small.txt", true), TB_OK);
    faults.storm = faults.storm_left = 0;
    faults.pread_max = 0;
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "\r\n\r\n0123456789"), 1);
    close(client);
    rig_close(bench);
}

static void a_disk_that_fails_under_way_ends_the_connection(void) {
    for (unsigned sent = 0; sent < 3; sent++) {
        rig *bench = rig_open();
        int client = rig_connect(bench);
        const uint64_t handle = ask(bench, client);
        const int before = count_descriptors();
        faults.sendfile_errno = EIO;
        faults.sendfile_max = 1000;
        faults.sendfiles_left = sent;
        CHECK_INT(give(bench, handle, "large.bin", true), TB_OK);
        receive_all(bench, client);
        faults.sendfile_errno = 0;
        faults.sendfile_max = 0;
        CHECK(bench->eof);
        CHECK(bench->got_len > sent * 1000 && bench->got_len < 500 + sent * 1000);
        CHECK_INT(bench->sched.room.open, 0);
        close(client);
        CHECK_INT(count_descriptors(), before - 2); /* nor the connection */
        rig_close(bench);
    }
}

static void a_file_that_goes_octet_by_octet_comes_whole(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client);
    faults.sendfile_max = 1;
    faults.storm = 1;
    CHECK_INT(give(bench, handle, "large.bin", true), TB_OK);
    unsigned turns = 0;
    bench->got_len = 0;
    while (bench->sched.room.handles.open > 0 && CHECK(turns++ < 2000000)) {
        rig_poll(bench);
        faults.storm = faults.storm_left = 0; /* the client has fair weather */
        rig_receive_more(bench, client);
        faults.storm = 1;
    }
    faults.storm = faults.storm_left = 0;
    faults.sendfile_max = 0;
    rig_receive_more(bench, client);
    CHECK(bench->got_len > LARGE && strspn(bench->got + bench->got_len - LARGE, "L") == LARGE);
    close(client);
    rig_close(bench);
}

static unsigned changes_left, changes_made;

static void write_another(void) {
    char text[32];
    if (changes_left > 0) {
        changes_left--;
        snprintf(text, sizeof text, "%u changes", ++changes_made);
        folder_write_text("small.txt", changes_made % 2 == 0 ? "" : text);
    }
}

static void a_small_file_that_changes_while_it_is_read_is_read_again(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client);
    const int before = count_descriptors();
    folder_write_text("small.txt", "0123456789");
    folder_date("small.txt", 784111777, 5);
    changes_made = 0;
    changes_left = 1;
    faults.on_pread = write_another;
    CHECK_INT(give(bench, handle, "small.txt", true), TB_OK);
    faults.on_pread = NULL;
    CHECK_INT(count_descriptors(), before);
    receive_all(bench, client);
    CHECK_INT(rig_count(bench->got, "\r\n\r\n1 changes"), 1);
    CHECK_INT(rig_count(bench->got, "Content-Length: 9\r\n"), 1);
    CHECK_INT(rig_count(bench->got, "-9\"\r\n"), 1); /* the tag of what was sent */
    close(client);
    rig_close(bench);
}

/* A file with a length, and with other times whenever it is looked at. */
static void touch(void) {
    folder_date("small.txt", 784111777 + (int64_t)changes_made++, 5);
}

static void one_that_always_changes_ends_the_connection(void) {
    rig *bench = rig_open();
    int client = rig_connect(bench);
    const uint64_t handle = ask(bench, client);
    const int before = count_descriptors();
    folder_write_text("small.txt", "0123456789");
    faults.on_pread = touch;
    CHECK_INT(give(bench, handle, "small.txt", true), TB_OK);
    faults.on_pread = NULL;
    CHECK_INT(count_descriptors(), before + 1);
    receive_all(bench, client);
    CHECK(bench->eof);
    CHECK_INT(rig_count(bench->got, "Content-Length: 10\r\n"), 1);
    CHECK(bench->got_len > 4 && strcmp(bench->got + bench->got_len - 4, "\r\n\r\n") == 0);
    close(client);
    CHECK_INT(count_descriptors(), before - 2); /* nor the connection */
    rig_close(bench);
}

int main(void) {
    open_folder();
    RUN(memory_that_is_out_costs_neither_the_handle_nor_a_descriptor);
    RUN(a_disk_that_fails_while_a_small_file_is_read_leaves_the_handle);
    RUN(a_read_that_gives_little_or_is_interrupted_goes_on);
    RUN(a_disk_that_fails_under_way_ends_the_connection);
    RUN(a_file_that_goes_octet_by_octet_comes_whole);
    RUN(a_small_file_that_changes_while_it_is_read_is_read_again);
    RUN(one_that_always_changes_ends_the_connection);
    folder_close();
    return check_end();
}
