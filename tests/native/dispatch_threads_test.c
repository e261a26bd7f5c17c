/* Files sent by many threads while clients come and go: each request has one answer, and each file is closed once. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "folder.h"
#include "loopback.h"
#include "term.h"
#include "tinybeam.h"

enum { CAPACITY = 65536, SENDERS = 4, CLIENTS = 3, ROUNDS = 60, PIPELINED = 3, LARGE = 300 * 1024, LINE = 1024 };

typedef struct house {
    tb_engine *engine;
    int32_t port;
    char small[64];
    char large[64];
    pthread_mutex_t lock;
    pthread_cond_t cond;
    uint64_t line[LINE]; /* handles to be answered */
    unsigned first, last;
    bool closed;
    _Atomic unsigned clients_left;
    _Atomic unsigned whole;
    _Atomic unsigned sent;
    _Atomic unsigned refused;
} house;

static uint32_t chance(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static bool take_handle(house *home, uint64_t *handle) {
    pthread_mutex_lock(&home->lock);
    while (home->first == home->last && !home->closed) {
        pthread_cond_wait(&home->cond, &home->lock);
    }
    const bool taken = home->first != home->last;
    if (taken) {
        *handle = home->line[home->first++ % LINE];
    }
    pthread_mutex_unlock(&home->lock);
    return taken;
}

static void put_handle(house *home, uint64_t handle) {
    pthread_mutex_lock(&home->lock);
    home->line[home->last++ % LINE] = handle;
    pthread_cond_signal(&home->cond);
    pthread_mutex_unlock(&home->lock);
}

static void send_one(house *home, uint32_t runner, uint64_t handle, bool large) {
    tb_file file = {.path = large ? home->large : home->small, .status = 200};
    const int32_t code = tb_engine_send_file(home->engine, runner, handle, &file);
    CHECK(code == TB_OK || code == TB_EDISCONNECTED || code == TB_EALREADY || code == TB_EBADHANDLE ||
          code == TB_ESHUTDOWN);
    atomic_fetch_add(code == TB_OK || code == TB_EDISCONNECTED ? &home->sent : &home->refused, 1);
}

static void *run_sender(void *context) {
    house *home = context;
    uint32_t state = 77;
    uint64_t handle;
    while (take_handle(home, &handle)) {
        send_one(home, TB_NO_RUNNER, handle, chance(&state) % 2 == 0);
    }
    return NULL;
}

/* Whether all answers of one connection have come whole. */
static bool receive_all(int fd) {
    static const size_t most = PIPELINED * (LARGE + 1024);
    char *got = malloc(most + 1);
    size_t len = 0;
    unsigned heads = 0;
    for (size_t at = 0; heads < PIPELINED;) {
        const ssize_t n = recv(fd, got + len, most - len, 0);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
        got[len] = '\0';
        for (;;) {
            const char *length = strstr(got + at, "Content-Length: ");
            const char *end = length == NULL ? NULL : strstr(length, "\r\n\r\n");
            const size_t next = end == NULL ? most + 1 : (size_t)(end + 4 - got) + strtoul(length + 16, NULL, 10);
            if (next > len) {
                break;
            }
            at = next;
            heads++;
        }
    }
    free(got);
    return heads == PIPELINED;
}

static void *run_client(void *context) {
    static const char one[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    house *home = context;
    uint32_t state = 4711;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const int fd = connect_to(home->port);
        for (unsigned i = 0; i < PIPELINED; i++) {
            CHECK(send(fd, one, sizeof one - 1, MSG_NOSIGNAL) > 0);
        }
        if (chance(&state) % 3 > 0) {
            CHECK(receive_all(fd));
            atomic_fetch_add(&home->whole, 1);
        } else {
            const struct linger now = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(fd);
    }
    if (atomic_fetch_sub(&home->clients_left, 1) == 1) {
        tb_engine_wake(home->engine);
    }
    return NULL;
}

/* Polls until the clients have gone. Each handle is given to two senders, or to one and to itself. */
static void run_runner(house *home) {
    static uint8_t batch[CAPACITY];
    const uint32_t runner = (uint32_t)tb_runner_open(home->engine);
    uint32_t state = 1;
    while (atomic_load(&home->clients_left) > 0) {
        const int64_t status = tb_engine_poll(home->engine, runner, NULL, 0, batch, CAPACITY);
        term_reader reader = {.at = batch, .end = batch + (status & 0xffffffff)};
        uint32_t count = 0;
        if (!CHECK(status >= 0) || (status & 0xffffffff) == 0 || !term_next_array(&reader, &count)) {
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            uint32_t elements;
            uint64_t handle;
            const uint8_t *octets;
            size_t len;
            CHECK(term_next_array(&reader, &elements) && term_next_uint(&reader, &handle));
            for (uint32_t k = 1; k < elements; k++) {
                CHECK(term_next_octets(&reader, &octets, &len));
            }
            put_handle(home, handle);
            if (chance(&state) % 2 == 0) {
                put_handle(home, handle);
            } else {
                send_one(home, runner, handle, chance(&state) % 2 == 0);
            }
        }
    }
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static void many_threads_send_files_to_clients_that_come_and_go(void) {
    static house home;
    static char content[LARGE];
    pthread_t senders[SENDERS], clients[CLIENTS];
    memset(content, 'L', sizeof content);
    folder_open();
    folder_write_text("small.txt", "small");
    folder_write("large.bin", content, sizeof content);
    snprintf(home.small, sizeof home.small, "%s/small.txt", folder_name);
    snprintf(home.large, sizeof home.large, "%s/large.bin", folder_name);
    pthread_mutex_init(&home.lock, NULL);
    pthread_cond_init(&home.cond, NULL);
    atomic_store(&home.clients_left, CLIENTS);
    const int before = count_descriptors();
    CHECK_INT(tb_engine_open(NULL, &home.engine), TB_OK);
    home.port = tb_engine_listen(home.engine, "127.0.0.1", 0, 64);
    for (unsigned i = 0; i < SENDERS; i++) {
        CHECK_INT(pthread_create(&senders[i], NULL, run_sender, &home), 0);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        CHECK_INT(pthread_create(&clients[i], NULL, run_client, &home), 0);
    }
    run_runner(&home);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], NULL);
    }
    CHECK_INT(tb_engine_close(home.engine), TB_OK); /* while senders may be inside */
    pthread_mutex_lock(&home.lock);
    home.closed = true;
    home.first = home.last;
    pthread_cond_broadcast(&home.cond);
    pthread_mutex_unlock(&home.lock);
    for (unsigned i = 0; i < SENDERS; i++) {
        pthread_join(senders[i], NULL);
    }
    CHECK_INT(count_descriptors(), before);
    CHECK(atomic_load(&home.whole) > 0 && atomic_load(&home.refused) > 0);
    CHECK(atomic_load(&home.sent) >= PIPELINED * atomic_load(&home.whole));
    tb_engine_free(home.engine);
    folder_close();
}

int main(void) {
    alarm(300);
    RUN(many_threads_send_files_to_clients_that_come_and_go);
    return check_end();
}
