/* The exported calls, by one caller: the round trip, every argument no caller should pass, closing and forking. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "guard.h"
#include "term.h"
#include "tinybeam.h"

enum { CAPACITY = 65536 };

/* An engine that listens, with one runner, its buffer, and one client. */
typedef struct house {
    tb_engine *engine;
    int32_t port;
    uint32_t runner;
    uint8_t batch[CAPACITY];
    uint64_t handles[16];
    uint32_t count;
    int client;
    char got[65536];
} house;

static int connect_to(int32_t port) {
    const struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

static house *house_open(void) {
    house *home = calloc(1, sizeof *home);
    CHECK_INT(tb_engine_open(NULL, &home->engine), TB_OK);
    home->port = tb_engine_listen(home->engine, "127.0.0.1", 0, 16);
    CHECK(home->port > 0);
    home->runner = (uint32_t)tb_runner_open(home->engine);
    home->client = connect_to(home->port);
    return home;
}

static void house_close(house *home) {
    CHECK_INT(tb_engine_close(home->engine), TB_OK);
    tb_engine_free(home->engine);
    close(home->client);
    free(home);
}

static void send_text(house *home, const char *text) {
    CHECK_INT(send(home->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void request(house *home, const char *path) {
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    send_text(home, text);
}

/* Polls with these answers until there is a batch, and notes its handles. */
static void await_batch(house *home, const void *answers, size_t answers_len) {
    int64_t status = 0;
    for (home->count = 0; home->count == 0; answers_len = 0) {
        status = tb_engine_poll(home->engine, home->runner, answers, answers_len, home->batch, CAPACITY);
        if (!CHECK(status >= 0)) {
            return;
        }
        term_reader reader = {.at = home->batch, .end = home->batch + (status & 0xffffffff)};
        if ((status & 0xffffffff) > 0) {
            CHECK(term_next_array(&reader, &home->count) && home->count <= 16);
        }
        for (uint32_t i = 0; i < home->count && i < 16; i++) {
            uint32_t elements;
            CHECK(term_next_array(&reader, &elements) && elements == 8 && term_next_uint(&reader, &home->handles[i]));
            for (uint32_t k = 1; k < elements; k++) {
                const uint8_t *octets;
                size_t len;
                CHECK(term_next_octets(&reader, &octets, &len));
            }
        }
    }
}

/* A poll that only writes what is due. */
static int64_t poll_and_return(house *home, const void *answers, size_t answers_len) {
    CHECK_INT(tb_engine_wake(home->engine), TB_OK);
    return tb_engine_poll(home->engine, home->runner, answers, answers_len, home->batch, CAPACITY);
}

static size_t write_answer(uint8_t *out, uint64_t handle, uint32_t status, const char *body) {
    uint8_t *at = term_write_array(term_write_array(out, 1), 4);
    at = term_write_uint64(term_write_uint64(at, handle), status);
    return (size_t)(term_write_str(term_write_nil(at), body, strlen(body)) - out);
}

static int32_t respond(house *home, uint64_t handle, const char *body) {
    uint8_t out[256];
    return tb_engine_respond(home->engine, out, write_answer(out, handle, 200, body));
}

/* Reads until this text has come, or the connection ends. */
static const char *await_text(house *home, const char *text) {
    size_t len = 0;
    home->got[0] = '\0';
    while (strstr(home->got, text) == NULL && len < sizeof home->got - 1) {
        ssize_t n = recv(home->client, home->got + len, sizeof home->got - 1 - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        home->got[len] = '\0';
    }
    return home->got;
}

static unsigned count_of(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

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

static void every_knob_takes_what_the_configuration_promises(void) {
    /* The ends of the ranges in tinybeam/config.py. */
    static const tb_config least = {
        .request_line_bytes_max = 64,
        .header_bytes_max = 64,
        .header_fields_max = 1,
        .body_bytes_max = 1,
        .batch_requests_max = 1,
        .pipeline_requests_max = 1,
        .handles_max = 1,
        .connections_max = 1,
        .takeover_ms = 1,
        .standby_idle_ms = 1,
    };
    static const tb_config most = {
        .request_line_bytes_max = 1 << 20,
        .header_bytes_max = 1 << 24,
        .header_fields_max = 128,
        .body_bytes_max = 1 << 30,
        .batch_requests_max = 65535,
        .pipeline_requests_max = 65535,
        .handles_max = 1 << 20,
        .connections_max = 1 << 20,
        .takeover_ms = 60000,
        .standby_idle_ms = 86400000,
    };
    const tb_config *const configs[] = {&least, &most};
    for (size_t i = 0; i < 2; i++) {
        tb_engine *engine;
        CHECK_INT(tb_engine_open(configs[i], &engine), TB_OK);
        if (engine != NULL) {
            CHECK_INT(tb_runner_open(engine), 0);
            tb_engine_close(engine);
            tb_engine_free(engine);
        }
    }
}

static void check_all_calls(tb_engine *engine, int32_t code) {
    uint8_t batch[64];
    tb_stats stats;
    CHECK_INT(tb_engine_close(engine), code);
    CHECK_INT(tb_engine_listen(engine, "127.0.0.1", 0, 1), code);
    CHECK_INT(tb_engine_listen_unix(engine, "x.sock", 1), code);
    CHECK_INT(tb_engine_add_constant(engine, "/", 1, 200, NULL, 0, NULL, 0), code);
    CHECK_INT(tb_engine_drain(engine), code);
    CHECK_INT(tb_engine_wake(engine), code);
    CHECK_INT(tb_engine_wakeup_fd(engine), code);
    CHECK_INT(tb_runner_open(engine), code);
    CHECK_INT(tb_runner_close(engine, 0), code);
    CHECK_INT(tb_runner_forfeit(engine, 0), code);
    CHECK_INT(tb_engine_poll(engine, 0, NULL, 0, batch, sizeof batch), code);
    CHECK_INT(tb_engine_respond(engine, "\x90", 1), code);
    CHECK_INT(tb_engine_stats(engine, &stats), code);
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
    alarm(120); /* a poll that nobody ends would wait for ever */
    RUN(both_sides_agree_on_the_abi);
    RUN(a_request_travels_from_the_socket_to_the_runner_and_back);
    RUN(answering_twice_changes_nothing_on_the_wire);
    RUN(an_answer_after_a_reset_is_told_that_the_client_has_left);
    RUN(a_handle_of_another_engine_is_refused);
    RUN(a_runner_that_crashed_answers_500_to_the_rest_of_its_batch);
    RUN(a_wake_and_an_octet_in_the_wakeup_descriptor_end_the_poll);
    RUN(a_drain_that_finds_nothing_open_ends_the_poll);
    RUN(arguments_that_no_caller_should_pass_are_refused);
    RUN(constants_are_checked_and_come_before_listening);
    RUN(every_knob_takes_what_the_configuration_promises);
    RUN(no_call_gets_into_a_closed_engine_or_none);
    RUN(a_forked_child_gets_into_no_call_and_the_parent_goes_on);
    RUN(an_abandoned_engine_has_closed_its_descriptors_once);
    RUN(a_connection_that_the_parent_closes_is_closed_though_an_abandoning_child_lives);
    return check_end();
}
