/* The exported calls around a fork: what the child may do, and what it must leave alone. */
#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "house.h"

static bool holds_in_child(void (*check)(house *), house *home) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        check_state.checks_failed = 0;
        check(home);
        fflush(stdout);
        _exit(check_state.checks_failed == 0 ? 0 : 1);
    }
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    return CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child_calls(house *home) {
    check_all_calls(home->engine, TB_EFORKED);
    CHECK_INT(tb_engine_before_fork(home->engine), TB_EFORKED);
    CHECK_INT(tb_engine_after_fork(home->engine), TB_EFORKED);
    CHECK(tb_runner_phase(home->engine, 0) == NULL);
    tb_engine_free(home->engine); /* does nothing */
    CHECK_INT(tb_engine_abandon(home->engine), TB_EFORKED);
    check_all_calls(home->engine, TB_EFORKED);
}

static void a_forked_child_gets_into_no_call_and_the_parent_goes_on(void) {
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(tb_engine_before_fork(home->engine), TB_OK);
    holds_in_child(child_calls, home);
    CHECK_INT(tb_engine_after_fork(home->engine), TB_OK);
    CHECK_INT(tb_engine_after_fork(home->engine), TB_EINVAL); /* only what was held can be let go */
    CHECK_INT(respond(home, home->handles[0], "=one"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    CHECK_INT(count_of(await_text(home, "=one"), "HTTP/1.1 200"), 1);
    int another = connect_to(home->port);
    close(another);
    house_close(home);
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void child_abandons(house *home) {
    const int before = count_descriptors();
    CHECK_INT(tb_engine_abandon(home->engine), TB_EFORKED);
    /* The connection, the listener, the poll set, the event descriptor and both ends of the signal pipe. */
    CHECK_INT(count_descriptors(), before - 6);
    int taken[6];
    for (unsigned i = 0; i < 6; i++) {
        taken[i] = open("/dev/null", O_RDONLY); /* the child's own, with the numbers that became free */
    }
    CHECK_INT(tb_engine_abandon(home->engine), TB_EFORKED); /* as in a grandchild */
    for (unsigned i = 0; i < 6; i++) {
        CHECK(fcntl(taken[i], F_GETFD) >= 0);
    }
}

static void an_abandoned_engine_has_closed_its_descriptors_once(void) {
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    holds_in_child(child_abandons, home);
    house_close(home);
}

static void a_connection_that_the_parent_closes_is_closed_though_an_abandoning_child_lives(void) {
    house *home = house_open();
    int ready[2], done[2];
    CHECK_INT(pipe(ready) | pipe(done), 0);
    send_text(home, "GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await_batch(home, NULL, 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t octet = 1;
        close(done[1]);
        close(home->client);
        tb_engine_abandon(home->engine);
        octet = (uint8_t)(write(ready[1], &octet, 1) + read(done[0], &octet, 1)); /* lives until it is told to go */
        _exit(octet == 1 ? 0 : 1);
    }
    uint8_t octet;
    CHECK_INT(read(ready[0], &octet, 1), 1);
    CHECK_INT(respond(home, home->handles[0], "=one"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    CHECK_INT(count_of(await_text(home, "that never comes"), "=one"), 1); /* and then the end */
    close(done[1]);
    int status;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    close(ready[0]);
    close(ready[1]);
    close(done[0]);
    house_close(home);
}

/* A child that has copies of all descriptors, and is held up before it can let go of them. */
typedef struct held_child {
    pid_t pid;
    int line; /* it lives until this is closed */
} held_child;

static held_child held_child_open(house *home) {
    int line[2];
    CHECK_INT(pipe(line), 0);
    CHECK_INT(tb_engine_before_fork(home->engine), TB_OK);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t octet;
        close(line[1]);
        close(home->client);
        _exit((int)read(line[0], &octet, 1));
    }
    CHECK_INT(tb_engine_after_fork(home->engine), TB_OK);
    close(line[0]);
    return (held_child){.pid = pid, .line = line[1]};
}

/* It was alive all the time: only now does it end. */
static void held_child_close(held_child child) {
    int status;
    CHECK_INT(waitpid(child.pid, &status, WNOHANG), 0);
    close(child.line);
    CHECK_INT(waitpid(child.pid, &status, 0), child.pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_client_learns_of_the_end_though_a_child_is_held_up_in_its_fork(void) {
    house *home = house_open();
    send_text(home, "GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await_batch(home, NULL, 0);
    held_child child = held_child_open(home);
    CHECK_INT(respond(home, home->handles[0], "=one"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    CHECK_INT(count_of(await_text(home, "that never comes"), "=one"), 1); /* and then the end */
    held_child_close(child);
    house_close(home);
}

static void a_client_that_is_cut_off_learns_of_that_though_a_child_is_held_up_in_its_fork(void) {
    house *home = house_open();
    send_text(home, "GET /one HTTP/1.0\r\nHost: a\r\n\r\n"); /* whose answer may last until the end */
    await_batch(home, NULL, 0);
    held_child child = held_child_open(home);
    uint8_t out[64];
    uint8_t *at = term_write_array(term_write_array(out, 1), 5);
    at = term_write_uint64(term_write_uint64(at, home->handles[0]), TB_KIND_STREAM);
    at = term_write_uint64(term_write_nil(term_write_uint64(at, 200)), TB_LENGTH_UNKNOWN);
    CHECK_INT(tb_engine_respond(home->engine, out, (size_t)(at - out)), TB_OK);
    CHECK_INT(tb_engine_push(home->engine, TB_NO_RUNNER, home->handles[0], TB_KIND_CUT, NULL, 0), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    uint8_t octets[4096];
    ssize_t n;
    while ((n = recv(home->client, octets, sizeof octets, 0)) > 0) {
    }
    CHECK_INT(n, -1);
    CHECK_INT(errno, ECONNRESET);
    held_child_close(child);
    house_close(home);
}

static void an_engine_that_is_closed_listens_no_more_though_a_child_is_held_up_in_its_fork(void) {
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    held_child child = held_child_open(home);
    CHECK_INT(tb_engine_close(home->engine), TB_OK);
    CHECK_INT(count_of(await_text(home, "that never comes"), "HTTP"), 0);
    tb_engine *next;
    CHECK_INT(tb_engine_open(NULL, &next), TB_OK);
    CHECK_INT(tb_engine_listen(next, "127.0.0.1", (uint16_t)home->port, 16), home->port);
    CHECK_INT(tb_engine_close(next), TB_OK);
    tb_engine_free(next);
    held_child_close(child);
    tb_engine_free(home->engine);
    close(home->client);
    free(home);
}

int main(void) {
    RUN(a_forked_child_gets_into_no_call_and_the_parent_goes_on);
    RUN(an_abandoned_engine_has_closed_its_descriptors_once);
    RUN(a_connection_that_the_parent_closes_is_closed_though_an_abandoning_child_lives);
    RUN(a_client_learns_of_the_end_though_a_child_is_held_up_in_its_fork);
    RUN(a_client_that_is_cut_off_learns_of_that_though_a_child_is_held_up_in_its_fork);
    RUN(an_engine_that_is_closed_listens_no_more_though_a_child_is_held_up_in_its_fork);
    return check_end();
}
