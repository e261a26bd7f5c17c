/* The exported calls, by one caller: the round trip, every argument no caller should pass, and closing. */
#include <errno.h>
#include <fcntl.h>

#include "clock.h"
#include "guard.h"
#include "house.h"

static void both_sides_agree_on_the_abi(void) {
    CHECK_INT(tb_abi_version(), TB_ABI_VERSION);
    CHECK_INT(tb_config_size(), sizeof(tb_config));
    CHECK_INT(tb_stats_size(), sizeof(tb_stats));
}

static void a_request_travels_from_the_socket_to_the_runner_and_back(void) {
    house *home = house_open();
    uint8_t out[256];
    request(home, "/one");
    await_batch(home, NULL, 0);
    CHECK_INT(home->count, 1);
    const uint64_t first = home->handles[0];
    request(home, "/two");
    await_batch(home, out, write_answer(out, first, 200, "=one"));
    CHECK_INT(count_of(await_text(home, "=one"), "HTTP/1.1 200 OK"), 1);
    CHECK_INT(respond(home, home->handles[0], "=two"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    CHECK_INT(count_of(await_text(home, "=two"), "HTTP/1.1 200 OK"), 1);
    tb_stats stats;
    CHECK_INT(tb_engine_stats(home->engine, &stats), TB_OK);
    CHECK(stats.requests == 2 && stats.connections_open == 1 && stats.handles_open == 0 && stats.runners == 1);
    house_close(home);
}

static void answering_twice_changes_nothing_on_the_wire(void) {
    house *home = house_open();
    uint8_t out[256];
    request(home, "/one");
    await_batch(home, NULL, 0);
    const uint64_t handle = home->handles[0];
    CHECK_INT(respond(home, handle, "=one"), TB_OK);
    CHECK_INT(respond(home, handle, "=again"), TB_EALREADY);
    request(home, "/two");
    await_batch(home, out, write_answer(out, handle, 200, "=again"));
    CHECK_INT(respond(home, handle, "=again"), TB_EALREADY);
    CHECK_INT(respond(home, home->handles[0], "=two"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    await_text(home, "=two");
    CHECK_INT(count_of(home->got, "HTTP/1.1"), 2);
    CHECK_INT(count_of(home->got, "=again"), 0);
    house_close(home);
}

static void an_answer_after_a_reset_is_told_that_the_client_has_left(void) {
    house *home = house_open();
    request(home, "/one");
    await_batch(home, NULL, 0);
    const uint64_t first = home->handles[0];
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(home->client, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(home->client); /* sends RST */
    tb_stats stats = {.connections_open = 1};
    while (stats.connections_open == 1 && CHECK(poll_and_return(home, NULL, 0) >= 0)) {
        tb_engine_stats(home->engine, &stats);
    }
    home->client = connect_to(home->port); /* which may well get the descriptor of the one that left */
    request(home, "/two");
    await_batch(home, NULL, 0);
    CHECK_INT(respond(home, first, "=one"), TB_EDISCONNECTED);
    CHECK_INT(respond(home, first, "=one"), TB_EALREADY);
    CHECK_INT(respond(home, home->handles[0], "=two"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    tb_engine_stats(home->engine, &stats);
    CHECK(stats.answers_late == 1 && stats.answers_refused == 1 && stats.handles_open == 0);
    CHECK_INT(count_of(await_text(home, "=two"), "HTTP/1.1"), 1);
    CHECK_INT(count_of(home->got, "=one"), 0);
    house_close(home);
}

static void a_handle_of_another_engine_is_refused(void) {
    house *first = house_open();
    house *second = house_open();
    request(first, "/one");
    request(second, "/one");
    await_batch(first, NULL, 0);
    await_batch(second, NULL, 0);
    CHECK_INT(respond(second, first->handles[0], "x"), TB_EBADHANDLE);
    CHECK_INT(respond(first, second->handles[0], "x"), TB_EBADHANDLE);
    CHECK_INT(respond(first, first->handles[0], "x"), TB_OK);
    CHECK_INT(respond(second, second->handles[0], "x"), TB_OK);
    house_close(first);
    house_close(second);
}

static void a_runner_that_crashed_answers_500_to_the_rest_of_its_batch(void) {
    house *home = house_open();
    send_text(home,
              "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    await_batch(home, NULL, 0);
    CHECK_INT(home->count, 3);
    CHECK_INT(respond(home, home->handles[1], "=two"), TB_OK);
    CHECK_INT(tb_runner_forfeit(home->engine, home->runner), TB_OK);
    CHECK_INT(tb_runner_forfeit(home->engine, home->runner), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    request(home, "/d");
    await_batch(home, NULL, 0);
    CHECK_INT(respond(home, home->handles[0], "=four"), TB_OK);
    CHECK(poll_and_return(home, NULL, 0) >= 0);
    await_text(home, "=four");
    CHECK_INT(count_of(home->got, "HTTP/1.1 500"), 2);
    CHECK_INT(count_of(home->got, "HTTP/1.1 200"), 2);
    house_close(home);
}

#define THREE "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\nGET /c HTTP/1.1\r\nHost: a\r\n\r\n"

/* How many of three requests that have come make a batch, after one that took 100 ms in this phase. */
static uint32_t batch_after_a_long_one(uint8_t phase) {
    house *home = house_open();
    request(home, "/long");
    await_batch(home, NULL, 0);
    *tb_runner_phase(home->engine, home->runner) = phase;
    clock_advance(100);
    uint8_t out[256];
    send_text(home, THREE);
    await_batch(home, out, write_answer(out, home->handles[0], 200, "=long"));
    const uint32_t count = home->count;
    house_close(home);
    return count;
}

static void requests_that_take_long_come_one_by_one_but_not_because_of_what_else_a_runner_does(void) {
    CHECK_INT(batch_after_a_long_one(TB_PHASE_RUNNING), 1);
    CHECK_INT(batch_after_a_long_one(TB_PHASE_MIXED), 3);
}

static void a_wake_and_an_octet_in_the_wakeup_descriptor_end_the_poll(void) {
    house *home = house_open();
    CHECK_INT(tb_engine_wake(home->engine), TB_OK);
    CHECK(tb_engine_poll(home->engine, home->runner, NULL, 0, home->batch, CAPACITY) >> 48 & TB_POLL_WAKE);
    int fd = tb_engine_wakeup_fd(home->engine);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_INT(write(fd, "\2", 1), 1);
    CHECK(tb_engine_poll(home->engine, home->runner, NULL, 0, home->batch, CAPACITY) >> 48 & TB_POLL_SIGNAL);
    house_close(home);
}

static void a_drain_that_finds_nothing_open_ends_the_poll(void) {
    tb_engine *engine;
    uint8_t batch[64];
    tb_engine_open(NULL, &engine);
    CHECK(tb_engine_listen(engine, "127.0.0.1", 0, 1) > 0);
    const uint32_t runner = (uint32_t)tb_runner_open(engine);
    CHECK_INT(tb_engine_drain(engine), TB_OK);
    CHECK_INT(tb_engine_poll(engine, runner, NULL, 0, batch, sizeof batch) >> 48, TB_POLL_DRAINED);
    tb_engine_close(engine);
    tb_engine_free(engine);
}

static void arguments_that_no_caller_should_pass_are_refused(void) {
    house *home = house_open();
    tb_engine *engine = home->engine;
    guard page = guard_open(64);
    const uint8_t *octet = guard_put(&page, "\x91", 1); /* behind it no one may read */
    tb_engine *made;
    CHECK_INT(tb_engine_open(NULL, NULL), TB_EINVAL);
    const tb_config wrong = {.header_fields_max = 129};
    CHECK_INT(tb_engine_open(&wrong, &made), TB_EINVAL);
    CHECK(made == NULL);
    CHECK_INT(tb_engine_listen(engine, NULL, 0, 1), TB_EINVAL);
    CHECK_INT(tb_engine_listen_unix(engine, NULL, 1), TB_EINVAL);
    CHECK_INT(tb_engine_stats(engine, NULL), TB_EINVAL);
    const size_t lens[] = {(size_t)INT32_MAX + 1, (size_t)1 << 63, SIZE_MAX, SIZE_MAX - 1};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        CHECK_INT(tb_engine_poll(engine, home->runner, NULL, 0, home->batch, lens[i]), TB_EINVAL);
        CHECK_INT(tb_engine_add_constant(engine, octet, lens[i], 200, NULL, 0, NULL, 0), TB_EINVAL);
        CHECK_INT(tb_engine_add_constant(engine, octet, 1, 200, octet, lens[i], NULL, 0), TB_EINVAL);
        CHECK_INT(tb_engine_add_constant(engine, octet, 1, 200, NULL, 0, octet, lens[i]), TB_EINVAL);
    }
    for (size_t i = 1; i < sizeof lens / sizeof *lens; i++) {
        CHECK_INT(tb_engine_poll(engine, home->runner, octet, lens[i], home->batch, CAPACITY), TB_EINVAL);
        CHECK_INT(tb_engine_respond(engine, octet, lens[i]), TB_EINVAL);
    }
    CHECK_INT(tb_engine_poll(engine, home->runner, NULL, 1, home->batch, CAPACITY), TB_EINVAL);
    CHECK_INT(tb_engine_poll(engine, home->runner, NULL, 0, NULL, CAPACITY), TB_EINVAL);
    CHECK_INT(tb_engine_poll(engine, home->runner, NULL, 0, home->batch, 15), TB_EINVAL);
    CHECK_INT(tb_engine_poll(engine, home->runner, octet, 1, home->batch, CAPACITY), TB_ETERM);
    static const uint32_t runners[] = {1, 2047, 2048, UINT32_MAX};
    for (size_t i = 0; i < sizeof runners / sizeof *runners; i++) {
        CHECK_INT(tb_engine_poll(engine, runners[i], NULL, 0, home->batch, CAPACITY), TB_EINVAL);
        CHECK_INT(tb_runner_close(engine, runners[i]), TB_EINVAL);
        CHECK(runners[i] < 2048 || tb_runner_forfeit(engine, runners[i]) == TB_EINVAL);
        CHECK(runners[i] < 2048 || tb_runner_phase(engine, runners[i]) == NULL);
    }
    CHECK_INT(tb_engine_respond(engine, NULL, 5), TB_EINVAL);
    CHECK_INT(tb_engine_respond(engine, octet, 0), TB_EINVAL);
    CHECK_INT(tb_engine_respond(engine, octet, 1), TB_ETERM);
    CHECK_INT(tb_engine_abandon(engine), TB_EINVAL); /* this is no forked child */
    guard_close(&page);
    house_close(home);
}

static void constants_are_checked_and_come_before_listening(void) {
    tb_engine *engine;
    tb_engine_open(NULL, &engine);
    CHECK_INT(tb_engine_add_constant(engine, "/a", 2, 200, "A: b\r\n", 6, "yay", 3), TB_OK);
    CHECK_INT(tb_engine_add_constant(engine, "/a", 2, 200, NULL, 0, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, NULL, 2, 200, NULL, 0, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 0, 200, NULL, 0, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 199, NULL, 0, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 600, NULL, 0, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 200, NULL, 1, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 200, NULL, 0, NULL, 1), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 200, "no colon\r\n", 10, NULL, 0), TB_EINVAL);
    CHECK_INT(tb_engine_add_constant(engine, "/b", 2, 204, NULL, 0, NULL, 0), TB_OK);
    CHECK(tb_engine_listen(engine, "127.0.0.1", 0, 1) > 0);
    CHECK_INT(tb_engine_add_constant(engine, "/c", 2, 200, NULL, 0, NULL, 0), TB_EINVAL);
    tb_engine_close(engine);
    tb_engine_free(engine);
}

static void no_call_gets_into_a_closed_engine_or_none(void) {
    house *home = house_open();
    request(home, "/a");
    await_batch(home, NULL, 0);
    CHECK_INT(tb_engine_close(home->engine), TB_OK);
    CHECK_INT(respond(home, home->handles[0], "late"), TB_ESHUTDOWN);
    check_all_calls(home->engine, TB_ESHUTDOWN);
    check_all_calls(home->engine, TB_ESHUTDOWN);
    CHECK_INT(recv(home->client, home->got, 1, 0), 0); /* the connection has ended */
    tb_engine_free(home->engine);
    tb_engine_free(NULL);
    check_all_calls(NULL, TB_EINVAL);
    CHECK_INT(tb_engine_abandon(NULL), TB_EINVAL);
    CHECK_INT(tb_engine_before_fork(NULL), TB_EINVAL);
    CHECK_INT(tb_engine_after_fork(NULL), TB_EINVAL);
    CHECK(tb_runner_phase(NULL, 0) == NULL);
    close(home->client);
    free(home);
}

/* Runs the check in a forked child and says whether all of it held there. */

int main(void) {
    RUN(both_sides_agree_on_the_abi);
    RUN(a_request_travels_from_the_socket_to_the_runner_and_back);
    RUN(answering_twice_changes_nothing_on_the_wire);
    RUN(an_answer_after_a_reset_is_told_that_the_client_has_left);
    RUN(a_handle_of_another_engine_is_refused);
    RUN(a_runner_that_crashed_answers_500_to_the_rest_of_its_batch);
    RUN(requests_that_take_long_come_one_by_one_but_not_because_of_what_else_a_runner_does);
    RUN(a_wake_and_an_octet_in_the_wakeup_descriptor_end_the_poll);
    RUN(a_drain_that_finds_nothing_open_ends_the_poll);
    RUN(arguments_that_no_caller_should_pass_are_refused);
    RUN(constants_are_checked_and_come_before_listening);
    RUN(no_call_gets_into_a_closed_engine_or_none);
    return check_end();
}
