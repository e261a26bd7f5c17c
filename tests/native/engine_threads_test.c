/* Many threads in one engine: answers, closings and everything else at once (hazards 2, 12, 24 and 25). */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "term.h"
#include "tinybeam.h"

enum {
    CAPACITY = 65536,
    CLOSERS = 8,
    CLOSE_ROUNDS = 100,
    RESPOND_ROUNDS = 2000,
    WAKE_ROUNDS = 20000,
    STRESS_THREADS = 16,
    STRESS_ROUNDS = 8, /* more with TINYBEAM_STRESS_S, the seconds to go on */
    STRESS_STEPS = 300,
    ANSWERED = 4000,
};

static uint32_t chance(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static int connect_to(int32_t port) {
    const struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static size_t write_answer(uint8_t *out, uint64_t handle, const char *body) {
    uint8_t *at = term_write_array(term_write_array(out, 1), 3);
    at = term_write_uint64(term_write_uint64(at, handle), TB_KIND_TEXT);
    return (size_t)(term_write_str(at, body, strlen(body)) - out);
}

/* Reads the handles of a batch; the rest of the records is skipped. */
static uint32_t read_handles(const uint8_t *batch, int64_t status, uint64_t *handles, uint32_t most) {
    term_reader reader = {.at = batch, .end = batch + (status & 0xffffffff)};
    uint32_t count = 0;
    if (status <= 0 || (status & 0xffffffff) == 0 || !term_next_array(&reader, &count)) {
        return 0;
    }
    for (uint32_t i = 0; i < count && i < most; i++) {
        uint32_t elements = 0;
        const uint8_t *octets;
        size_t len;
        term_next_array(&reader, &elements);
        term_next_uint(&reader, &handles[i]);
        for (uint32_t k = 1; k < elements; k++) {
            term_next_octets(&reader, &octets, &len);
        }
    }
    return count < most ? count : most;
}

/* Closing: eight threads at once, and a runner inside. */

typedef struct closing {
    tb_engine *engine;
    _Atomic uint32_t ready;
    _Atomic uint32_t closed;
    _Atomic uint32_t shut;
    _Atomic uint32_t other;
} closing;

static void *run_closer(void *context) {
    closing *run = context;
    atomic_fetch_add(&run->ready, 1);
    while (atomic_load(&run->ready) <= CLOSERS) {
        sched_yield();
    }
    const int32_t code = tb_engine_close(run->engine);
    atomic_fetch_add(code == TB_OK ? &run->closed : code == TB_ESHUTDOWN ? &run->shut : &run->other, 1);
    return NULL;
}

static void *run_poller(void *context) {
    closing *run = context;
    uint8_t *batch = malloc(CAPACITY);
    const int32_t runner = tb_runner_open(run->engine);
    int64_t status = 0;
    atomic_fetch_add(&run->ready, 1);
    while (runner >= 0 && status >= 0) {
        status = tb_engine_poll(run->engine, (uint32_t)runner, NULL, 0, batch, CAPACITY);
    }
    atomic_fetch_add(status == TB_ESHUTDOWN ? &run->shut : &run->other, 1);
    free(batch);
    return NULL;
}

static void of_eight_closers_exactly_one_closes_and_all_who_wait_are_woken(void) {
    for (unsigned round = 0; round < CLOSE_ROUNDS; round++) {
        closing run = {0};
        pthread_t threads[CLOSERS + 2];
        CHECK_INT(tb_engine_open(NULL, &run.engine), TB_OK);
        CHECK_INT(pthread_create(&threads[CLOSERS], NULL, run_poller, &run), 0);
        while (atomic_load(&run.ready) < 1) {
            sched_yield();
        }
        atomic_store(&run.ready, 0);
        CHECK_INT(pthread_create(&threads[CLOSERS + 1], NULL, run_poller, &run), 0); /* one on stand-by, or about to */
        for (unsigned i = 0; i < CLOSERS; i++) {
            CHECK_INT(pthread_create(&threads[i], NULL, run_closer, &run), 0);
        }
        for (unsigned i = 0; i < CLOSERS + 2; i++) {
            pthread_join(threads[i], NULL);
        }
        CHECK_INT(atomic_load(&run.closed), 1);
        CHECK_INT(atomic_load(&run.shut), CLOSERS - 1 + 2);
        CHECK_INT(atomic_load(&run.other), 0);
        tb_engine_free(run.engine);
    }
}

/* Responding: two threads and one real request, looked at on the wire. */

typedef struct doubled {
    tb_engine *engine;
    _Atomic uint64_t handle;
    _Atomic uint32_t round;
    _Atomic uint32_t finished;
    _Atomic uint32_t taken;
    _Atomic uint32_t already;
} doubled;

static void *run_responder(void *context) {
    doubled *run = context;
    uint8_t out[64];
    for (uint32_t round = 1; round <= RESPOND_ROUNDS; round++) {
        while (atomic_load(&run->round) < round) {
            sched_yield();
        }
        const int32_t code = tb_engine_respond(run->engine, out, write_answer(out, atomic_load(&run->handle), "once"));
        atomic_fetch_add(code == TB_OK ? &run->taken : &run->already, code == TB_OK || code == TB_EALREADY);
        atomic_fetch_add(&run->finished, 1);
    }
    return NULL;
}

/* Waits for a batch of one request and gives its handle. */
static uint64_t await_one(tb_engine *engine, uint32_t runner, uint8_t *batch) {
    uint64_t handle = 0;
    int64_t status = 0;
    while (status >= 0 && read_handles(batch, status, &handle, 1) == 0) {
        status = tb_engine_poll(engine, runner, NULL, 0, batch, CAPACITY);
    }
    CHECK(status >= 0);
    return handle;
}

static void of_two_responses_at_once_the_wire_shows_one(void) {
    doubled run = {0};
    pthread_t threads[2];
    uint8_t *batch = malloc(CAPACITY);
    char got[1024];
    CHECK_INT(tb_engine_open(NULL, &run.engine), TB_OK);
    const int32_t port = tb_engine_listen(run.engine, "127.0.0.1", 0, 16);
    const uint32_t runner = (uint32_t)tb_runner_open(run.engine);
    const int client = connect_to(port);
    for (unsigned i = 0; i < 2; i++) {
        CHECK_INT(pthread_create(&threads[i], NULL, run_responder, &run), 0);
    }
    unsigned responses = 0;
    for (uint32_t round = 1; round <= RESPOND_ROUNDS; round++) {
        static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        CHECK_INT(send(client, text, sizeof text - 1, MSG_NOSIGNAL), sizeof text - 1);
        atomic_store(&run.handle, await_one(run.engine, runner, batch));
        atomic_store(&run.round, round);
        while (atomic_load(&run.finished) < round * 2) {
            sched_yield();
        }
        tb_engine_wake(run.engine);
        CHECK(tb_engine_poll(run.engine, runner, NULL, 0, batch, CAPACITY) >= 0);
        const ssize_t n = recv(client, got, sizeof got - 1, 0);
        got[n > 0 ? n : 0] = '\0';
        for (const char *at = strstr(got, "HTTP/1.1"); at != NULL; at = strstr(at + 1, "HTTP/1.1")) {
            responses++;
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK_INT(responses, RESPOND_ROUNDS);
    CHECK_INT(atomic_load(&run.taken), RESPOND_ROUNDS);
    CHECK_INT(atomic_load(&run.already), RESPOND_ROUNDS);
    CHECK_INT(tb_engine_close(run.engine), TB_OK);
    tb_engine_free(run.engine);
    close(client);
    free(batch);
}

/* Waking: an answer that is posted just when the holder goes to sleep. */

static void *run_answerer(void *context) {
    doubled *run = context;
    uint8_t out[64];
    uint64_t last = 0;
    while (atomic_load(&run->round) == 0) {
        const uint64_t handle = atomic_load(&run->handle);
        if (handle != last) {
            tb_engine_respond(run->engine, out, write_answer(out, handle, "yay"));
            last = handle;
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void *run_asker(void *context) {
    doubled *run = context;
    char got[1024];
    const int client = connect_to((int32_t)atomic_load(&run->finished));
    for (unsigned round = 0; round < WAKE_ROUNDS; round++) {
        static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        if (send(client, text, sizeof text - 1, MSG_NOSIGNAL) < 0 || recv(client, got, sizeof got, 0) <= 0) {
            break;
        }
        atomic_fetch_add(&run->taken, 1);
    }
    close(client);
    atomic_store(&run->round, 1);
    tb_engine_wake(run->engine);
    return NULL;
}

static void no_answer_is_slept_through(void) {
    doubled run = {0};
    pthread_t threads[2];
    uint8_t *batch = malloc(CAPACITY);
    uint64_t handle;
    CHECK_INT(tb_engine_open(NULL, &run.engine), TB_OK);
    atomic_store(&run.finished, (uint32_t)tb_engine_listen(run.engine, "127.0.0.1", 0, 16));
    const uint32_t runner = (uint32_t)tb_runner_open(run.engine);
    CHECK_INT(pthread_create(&threads[0], NULL, run_answerer, &run), 0);
    CHECK_INT(pthread_create(&threads[1], NULL, run_asker, &run), 0);
    while (atomic_load(&run.round) == 0) {
        const int64_t status = tb_engine_poll(run.engine, runner, NULL, 0, batch, CAPACITY);
        if (read_handles(batch, status, &handle, 1) == 1) {
            atomic_store(&run.handle, handle);
        }
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    CHECK_INT(atomic_load(&run.taken), WAKE_ROUNDS);
    tb_engine_close(run.engine);
    tb_engine_free(run.engine);
    free(batch);
}

/* Serving: several runners, some of them blocked now and then, and other threads that answer. */

typedef struct service {
    tb_engine *engine;
    int32_t port;
    _Atomic uint32_t answered;
    _Atomic uint32_t wrong;
    _Atomic bool stop;
} service;

/* Answers its batches, at times after a pause in which the monitor may take its scheduler. */
static void *run_server(void *context) {
    service *home = context;
    uint8_t *batch = malloc(CAPACITY);
    uint64_t handles[128];
    uint8_t out[64];
    int32_t runner = tb_runner_open(home->engine);
    uint32_t state = (uint32_t)runner * 2654435761u + 1;
    int64_t status = 0;
    while (runner >= 0) {
        status = tb_engine_poll(home->engine, (uint32_t)runner, NULL, 0, batch, CAPACITY);
        if (status < 0 || status >> 48 & TB_POLL_RETIRE) {
            break;
        }
        const uint32_t count = read_handles(batch, status, handles, 128);
        __atomic_store_n(tb_runner_phase(home->engine, (uint32_t)runner), 1, __ATOMIC_RELEASE);
        if (chance(&state) % 64 == 0) {
            const struct timespec pause = {.tv_nsec = 4000000};
            nanosleep(&pause, NULL); /* a handler that blocks: not to order anything, but to be taken over from */
        }
        for (uint32_t i = 0; i < count; i++) {
            const int32_t code = tb_engine_respond(home->engine, out, write_answer(out, handles[i], "yay"));
            atomic_fetch_add(&home->wrong, code != TB_OK && code != TB_ESHUTDOWN && code != TB_EDISCONNECTED);
        }
    }
    if (runner >= 0) {
        tb_runner_close(home->engine, (uint32_t)runner);
    }
    free(batch);
    return NULL;
}

static void *run_client(void *context) {
    service *home = context;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const int fd = connect_to(home->port);
    while (fd >= 0 && !atomic_load(&home->stop)) {
        char got[1024];
        size_t len = 0;
        if (send(fd, text, sizeof text - 1, MSG_NOSIGNAL) < 0) {
            break;
        }
        do {
            const ssize_t n = recv(fd, got + len, sizeof got - 1 - len, 0);
            len += n > 0 ? (size_t)n : 0;
            got[len] = '\0';
            if (n <= 0) {
                close(fd);
                return NULL;
            }
        } while (strstr(got, "\r\n\r\nyay") == NULL);
        if (atomic_fetch_add(&home->answered, 1) + 1 >= ANSWERED) {
            atomic_store(&home->stop, true);
        }
    }
    close(fd);
    return NULL;
}

static void every_request_is_answered_once_while_the_scheduler_changes_hands(void) {
    service home = {0};
    pthread_t servers[4], clients[8];
    CHECK_INT(tb_engine_open(NULL, &home.engine), TB_OK);
    home.port = tb_engine_listen(home.engine, "127.0.0.1", 0, 64);
    for (unsigned i = 0; i < 4; i++) {
        CHECK_INT(pthread_create(&servers[i], NULL, run_server, &home), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        CHECK_INT(pthread_create(&clients[i], NULL, run_client, &home), 0);
    }
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(clients[i], NULL);
    }
    tb_stats stats;
    CHECK_INT(tb_engine_stats(home.engine, &stats), TB_OK);
    CHECK_INT(tb_engine_close(home.engine), TB_OK);
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(servers[i], NULL);
    }
    tb_engine_free(home.engine);
    CHECK(atomic_load(&home.answered) >= ANSWERED);
    CHECK_INT(atomic_load(&home.wrong), 0);
    CHECK_INT(stats.answers_refused, 0);
    CHECK(stats.takeovers > 0);
}

/* Stress: sixteen threads, each doing anything at all, while one of them closes. */

static void step(service *home, uint32_t *state) {
    uint8_t out[64];
    tb_stats stats;
    switch (chance(state) % 8) {
    case 0:
        tb_engine_wake(home->engine);
        break;
    case 1:
        tb_engine_stats(home->engine, &stats);
        break;
    case 2: {
        const uint64_t forged = (uint64_t)chance(state) << 32 | chance(state);
        tb_engine_respond(home->engine, out, write_answer(out, forged, "forged"));
        break;
    }
    case 3: {
        const int32_t runner = tb_runner_open(home->engine);
        if (runner >= 0) {
            tb_runner_forfeit(home->engine, (uint32_t)runner);
            tb_runner_close(home->engine, (uint32_t)runner);
        }
        break;
    }
    case 4: {
        const int client = connect_to(home->port);
        if (client >= 0) {
            send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGARB", 1 + chance(state) % 30, MSG_NOSIGNAL);
            close(client);
        }
        break;
    }
    case 5:
        tb_engine_wakeup_fd(home->engine);
        tb_engine_batch_bytes(home->engine);
        break;
    case 6:
        if (chance(state) % 256 == 0) {
            tb_engine_drain(home->engine);
        }
        break;
    default:
        if (chance(state) % 512 == 0) {
            tb_engine_close(home->engine);
        }
    }
}

static void *run_anything(void *context) {
    service *home = context;
    uint32_t state = (uint32_t)(uintptr_t)&state | 1;
    for (unsigned i = 0; i < STRESS_STEPS; i++) {
        step(home, &state);
    }
    return NULL;
}

static void any_calls_in_any_order_leave_a_sound_engine(void) {
    const char *seconds = getenv("TINYBEAM_STRESS_S");
    const time_t until = time(NULL) + (seconds == NULL ? 0 : atol(seconds));
    for (unsigned round = 0; round < STRESS_ROUNDS || time(NULL) < until; round++) {
        service home = {0};
        pthread_t servers[4], threads[STRESS_THREADS - 4];
        CHECK_INT(tb_engine_open(NULL, &home.engine), TB_OK);
        home.port = tb_engine_listen(home.engine, "127.0.0.1", 0, 64);
        for (unsigned i = 0; i < 4; i++) {
            CHECK_INT(pthread_create(&servers[i], NULL, run_server, &home), 0);
        }
        for (unsigned i = 0; i < STRESS_THREADS - 4; i++) {
            CHECK_INT(pthread_create(&threads[i], NULL, run_anything, &home), 0);
        }
        for (unsigned i = 0; i < STRESS_THREADS - 4; i++) {
            pthread_join(threads[i], NULL);
        }
        tb_engine_close(home.engine);
        for (unsigned i = 0; i < 4; i++) {
            pthread_join(servers[i], NULL);
        }
        tb_engine_free(home.engine);
        CHECK_INT(atomic_load(&home.wrong), 0);
    }
}

int main(void) {
    const char *seconds = getenv("TINYBEAM_STRESS_S");
    alarm(300 + (seconds == NULL ? 0 : (unsigned)atol(seconds))); /* a waiter that nobody wakes would wait for ever */
    RUN(of_eight_closers_exactly_one_closes_and_all_who_wait_are_woken);
    RUN(of_two_responses_at_once_the_wire_shows_one);
    RUN(no_answer_is_slept_through);
    RUN(every_request_is_answered_once_while_the_scheduler_changes_hands);
    RUN(any_calls_in_any_order_leave_a_sound_engine);
    return check_end();
}
