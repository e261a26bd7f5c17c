/* Answers with files by the exported call: in one process, in two, and in an engine that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "folder.h"
#include "house.h"

enum { LARGE = 16 * 1024 * 1024 }; /* more than sockets hold */

static void open_folder(void) {
    folder_open();
    folder_write_text("small.txt", "small");
    folder_write_text("large.bin", "");
    CHECK_INT(truncate(folder_path("large.bin"), LARGE), 0);
}

static int32_t send_file(house *home, uint32_t runner, uint64_t handle, const char *name) {
    tb_file file = {.path = folder_path(name), .status = 200};
    return tb_engine_send_file(home->engine, runner, handle, &file);
}

/* How many descriptors there are, and how many of them are the large file's. */
static int count_descriptors(int *of_large) {
    struct stat wanted, found;
    int count = 0;
    CHECK_INT(stat(folder_path("large.bin"), &wanted), 0);
    *of_large = 0;
    for (int fd = 0; fd < 1024; fd++) {
        if (fstat(fd, &found) == 0) {
            count++;
            *of_large += found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev;
        }
    }
    return count;
}

static void it_says_what_was_answered(void) {
    house *home = house_open();
    const uint32_t runners[] = {home->runner, TB_NO_RUNNER, 7};
    for (unsigned i = 0; i < 3; i++) {
        request(home, "/one");
        await_batch(home, NULL, 0);
        tb_file file = {.path = folder_path("small.txt"), .status = 201};
        CHECK_INT(tb_engine_send_file(home->engine, runners[i], home->handles[0], &file), TB_OK);
        CHECK_INT(file.status, 201);
        CHECK_INT(file.length, 5);
        CHECK_INT(tb_engine_send_file(home->engine, runners[i], home->handles[0], &file), TB_EALREADY);
        CHECK(poll_and_return(home, NULL, 0) >= 0);
        CHECK_INT(count_of(await_text(home, "small"), "HTTP/1.1 201 Created\r\n"), 1);
    }
    house_close(home);
}

static void a_file_that_cannot_be_sent_leaves_the_handle_as_it_is(void) {
    house *home = house_open();
    tb_file wrong = {.path = folder_path("small.txt"), .status = 204};
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(send_file(home, home->runner, home->handles[0], "none"), TB_ESYSTEM - ENOENT);
    CHECK_INT(tb_engine_send_file(home->engine, home->runner, home->handles[0], &wrong), TB_EINVAL);
    CHECK_INT(tb_engine_send_file(home->engine, home->runner, home->handles[0], NULL), TB_EINVAL);
    CHECK_INT(tb_engine_send_file(NULL, home->runner, home->handles[0], &wrong), TB_EINVAL);
    CHECK_INT(respond(home, home->handles[0], "=told"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    CHECK_INT(count_of(await_text(home, "=told"), "HTTP/1.1 200"), 1);
    house_close(home);
}

static void an_engine_that_is_closed_opens_nothing(void) {
    int before_large, after_large;
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(send_file(home, home->runner, home->handles[0], "large.bin"), TB_OK);
    poll_and_return(home, NULL, 0);
    count_descriptors(&before_large);
    CHECK_INT(before_large, 1);
    CHECK_INT(tb_engine_close(home->engine), TB_OK);
    CHECK_INT(send_file(home, home->runner, home->handles[0], "large.bin"), TB_ESHUTDOWN);
    count_descriptors(&after_large);
    CHECK_INT(after_large, 0);
    tb_engine_free(home->engine);
    close(home->client);
    free(home);
}

/* What the child has after it has let go: nothing of the file that is on its way, nor of the one that was posted. */
static int child_abandons(house *home) {
    int of_large;
    const int before = count_descriptors(&of_large);
    check_state.checks_failed = 0;
    CHECK_INT(of_large, 2);
    CHECK_INT(send_file(home, home->runner, home->handles[0], "large.bin"), TB_EFORKED);
    CHECK_INT(tb_engine_abandon(home->engine), TB_EFORKED);
    /* Beside those of the engine itself, and the two connections. */
    CHECK_INT(count_descriptors(&of_large), before - 7 - 2);
    CHECK_INT(of_large, 0);
    fflush(stdout);
    return check_state.checks_failed;
}

static void a_forked_child_closes_its_copies_and_the_parent_sends_on(void) {
    house *home = house_open();
    const int other = connect_to(home->port);
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(send_file(home, home->runner, home->handles[0], "large.bin"), TB_OK);
    poll_and_return(home, NULL, 0);
    CHECK_INT(send(other, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, MSG_NOSIGNAL), 27);
    await_batch(home, NULL, 0);
    CHECK_INT(send_file(home, TB_NO_RUNNER, home->handles[0], "large.bin"), TB_OK); /* nobody has taken it yet */
    fflush(stdout);
    CHECK_INT(tb_engine_before_fork(home->engine), TB_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        _exit(child_abandons(home));
    }
    CHECK_INT(tb_engine_after_fork(home->engine), TB_OK);
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    uint64_t got = 0;
    while (got < LARGE) {
        CHECK(poll_and_return(home, NULL, 0) >= 0);
        const ssize_t n = recv(home->client, home->got, sizeof home->got, MSG_DONTWAIT);
        got += n > 0 ? (uint64_t)n : 0;
        if (!CHECK(n != 0)) {
            break;
        }
    }
    close(other);
    house_close(home);
}

/* Opens until a descriptor has this number, and closes the others. */
static void open_as(int number) {
    int others[64];
    unsigned count = 0;
    while (count < 64) {
        const int fd = open("/dev/null", O_RDONLY);
        if (fd == number || !CHECK(fd >= 0)) {
            break;
        }
        others[count++] = fd;
    }
    while (count > 0) {
        close(others[--count]);
    }
}

static int find_large(void) {
    struct stat wanted, found;
    CHECK_INT(stat(folder_path("large.bin"), &wanted), 0);
    for (int fd = 0; fd < 1024; fd++) {
        if (fstat(fd, &found) == 0 && found.st_ino == wanted.st_ino && found.st_dev == wanted.st_dev) {
            return fd;
        }
    }
    return -1;
}

static void a_number_that_was_a_files_may_be_anothers_in_a_child(void) {
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(send_file(home, TB_NO_RUNNER, home->handles[0], "large.bin"), TB_OK);
    const int number = find_large();
    CHECK(number >= 0);
    close(home->client);
    for (unsigned turns = 0; find_large() >= 0 && CHECK(turns < 1000); turns++) {
        poll_and_return(home, NULL, 0);
    }
    open_as(number);
    fflush(stdout);
    CHECK_INT(tb_engine_before_fork(home->engine), TB_OK);
    const pid_t pid = fork();
    if (pid == 0) {
        tb_engine_abandon(home->engine);
        _exit(fcntl(number, F_GETFD) >= 0 ? 0 : 1);
    }
    CHECK_INT(tb_engine_after_fork(home->engine), TB_OK);
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(number);
    home->client = connect_to(home->port);
    house_close(home);
}

static int descriptors_before;

static void no_descriptor_is_left_behind(void) {
    int of_large;
    CHECK_INT(count_descriptors(&of_large), descriptors_before);
}

int main(void) {
    int of_large;
    open_folder();
    descriptors_before = count_descriptors(&of_large);
    RUN(it_says_what_was_answered);
    RUN(a_file_that_cannot_be_sent_leaves_the_handle_as_it_is);
    RUN(an_engine_that_is_closed_opens_nothing);
    RUN(a_forked_child_closes_its_copies_and_the_parent_sends_on);
    RUN(a_number_that_was_a_files_may_be_anothers_in_a_child);
    RUN(no_descriptor_is_left_behind);
    folder_close();
    return check_end();
}
