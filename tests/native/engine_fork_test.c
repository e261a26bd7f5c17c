/* The exported calls around a fork: what the child may do, and what it must leave alone. */
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

int main(void) {
    RUN(a_forked_child_gets_into_no_call_and_the_parent_goes_on);
    RUN(an_abandoned_engine_has_closed_its_descriptors_once);
    RUN(a_connection_that_the_parent_closes_is_closed_though_an_abandoning_child_lives);
    return check_end();
}
