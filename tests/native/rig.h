/* A scheduler on the test bench: clients on socketpairs, polls that do not wait, batches that can be looked at.
 *
 * Owns:  one scheduler, the runner's buffer, and what the clients have received.
 * Knows: that an octet in the signal pipe ends a poll after all sockets that are ready were served.
 * Never: sleeps; what one poll has not done is done by the next.
 */
#ifndef RIG_H
#define RIG_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "reception.h"
#include "scheduler.h"
#include "term.h"

enum { RIG_BATCH_MAX = 64, RIG_CAPACITY = 64 * 1024 };

typedef struct rig {
    scheduler sched;
    batch bat;
    uint32_t count_max;
    size_t capacity;
    uint8_t *octets;
    uint64_t handles[RIG_BATCH_MAX];
    char *got; /* by the client that received last; ends with a NUL */
    size_t got_len;
    bool eof;
} rig;

typedef struct rig_octets {
    const uint8_t *at;
    size_t len;
} rig_octets;

/* A record of the batch, read back. */
typedef struct rig_record {
    uint64_t handle;
    rig_octets method, path, query, fields, peer, prefix, body, trailers;
    bool offered;
} rig_record;

static const tb_config rig_config = {
    .request_line_bytes_max = 8192,
    .header_bytes_max = 65536,
    .header_fields_max = 100,
    .body_bytes_max = 1024 * 1024,
    .batch_requests_max = RIG_BATCH_MAX,
    .pipeline_requests_max = 16,
    .handles_max = 1024,
    .connections_max = 256,
    .body_offer_bytes = UINT64_MAX,
    .chunk_extension_bytes_max = 256,
    .connection_requests_max = 100000,
    .header_timeout_ms = 10000,
    .body_timeout_ms = 60000,
    .keepalive_timeout_ms = 75000,
    .write_timeout_ms = 60000,
    .linger_timeout_ms = 5000,
    .request_timeout_ms = 30000,
    .transfer_bytes_per_s_min = 500,
    .takeover_ms = 1,
    .standby_idle_ms = 1000,
    .file_cache_bytes_max = 1024 * 1024,
};

static inline rig *rig_open_with(const tb_config *config) {
    rig *made = calloc(1, sizeof *made);
    made->count_max = RIG_BATCH_MAX;
    made->capacity = RIG_CAPACITY;
    made->octets = malloc(made->capacity);
    made->got = calloc(1, 1);
    CHECK_INT(scheduler_init(&made->sched, config, 42), TB_OK);
    return made;
}

static inline rig *rig_open(void) {
    return rig_open_with(&rig_config);
}

static inline void rig_close(rig *self) {
    scheduler_deinit(&self->sched);
    free(self->octets);
    free(self->got);
    free(self);
}

/* Gives the runner's buffer another size. */
static inline void rig_resize(rig *self, size_t capacity) {
    free(self->octets);
    self->octets = malloc(capacity);
    self->capacity = capacity;
}

/* A client; its connection is the first of rig_conns. */
static inline int rig_connect(rig *self) {
    int fds[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    CHECK(conn_open(&self->sched.room, fds[0], (const uint8_t *)"", 0));
    return fds[1];
}

static inline conn *rig_conn(rig *self) {
    return self->sched.room.conns;
}

/* One poll, which serves what is ready and does not wait for more. Flags but for TB_POLL_SIGNAL, or a code. */
static inline int32_t rig_poll(rig *self) {
    const uint8_t octet = 1;
    CHECK_INT(write(self->sched.signal_fds[1], &octet, 1), 1);
    batch_init(&self->bat, self->octets, self->capacity, self->handles, self->count_max);
    int32_t verdict = scheduler_poll(&self->sched, &self->bat);
    batch_close(&self->bat);
    return verdict < 0 ? verdict : verdict & ~TB_POLL_SIGNAL;
}

static inline void rig_send_octets(int client, const void *octets, size_t len) {
    for (const uint8_t *at = octets; len > 0;) {
        ssize_t n = send(client, at, len, MSG_NOSIGNAL);
        if (!CHECK(n > 0)) {
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

static inline void rig_send(int client, const char *text) {
    rig_send_octets(client, text, strlen(text));
}

/* Appends what has come for this client by now to `got`. */
static inline void rig_receive_more(rig *self, int client) {
    for (;;) {
        self->got = realloc(self->got, self->got_len + 65536 + 1);
        ssize_t n = recv(client, self->got + self->got_len, 65536, MSG_DONTWAIT);
        self->eof = self->eof || n == 0 || (n < 0 && errno == ECONNRESET);
        if (n <= 0) {
            self->got[self->got_len] = '\0';
            return;
        }
        self->got_len += (size_t)n;
    }
}

/* The same, after forgetting what came before. */
static inline const char *rig_receive(rig *self, int client) {
    self->got_len = 0;
    self->eof = false;
    rig_receive_more(self, client);
    return self->got;
}

/* How often a text occurs. */
static inline unsigned rig_count(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* The texts occur in this order; each once. */
static inline bool rig_in_order(const char *text, const char *first, const char *second) {
    const char *one = strstr(text, first);
    const char *two = strstr(text, second);
    return one != NULL && two != NULL && one < two && rig_count(text, first) == 1 && rig_count(text, second) == 1;
}

static inline rig_octets rig_next_octets(term_reader *reader) {
    rig_octets octets = {0};
    CHECK(term_next_octets(reader, &octets.at, &octets.len));
    return octets;
}

static inline rig_record rig_record_at(const rig *self, uint32_t index) {
    term_reader reader = {.at = self->octets, .end = self->octets + self->bat.len};
    rig_record record = {0};
    uint32_t count = 0;
    CHECK(term_next_array(&reader, &count) && count == self->bat.count && index < count);
    for (uint32_t i = 0; i <= index && index < count; i++) {
        uint32_t elements = 0;
        CHECK(term_next_array(&reader, &elements) && elements >= 8 && elements <= 10);
        CHECK(term_next_uint(&reader, &record.handle));
        rig_octets *const parts[] = {&record.method, &record.path,   &record.query, &record.fields,
                                     &record.peer,   &record.prefix, &record.body};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            *parts[k] = rig_next_octets(&reader);
        }
        record.trailers = elements > 8 ? rig_next_octets(&reader) : (rig_octets){0};
        record.offered = elements > 9;
        reader.at += elements > 9; /* its true */
    }
    return record;
}

/* Whether the record's path is this text. */
static inline bool rig_path_is(const rig *self, uint32_t index, const char *path) {
    const rig_record record = rig_record_at(self, index);
    return CHECK_TEXT(record.path.at, record.path.len, path);
}

/* Writes [[handle, status, nil, body]] and gives its length. */
static inline size_t rig_write_answer(uint8_t *out, uint64_t handle, uint32_t status, const void *body, size_t len) {
    uint8_t *at = term_write_array(term_write_array(out, 1), 4);
    at = term_write_uint64(at, handle);
    at = term_write_uint64(at, status);
    return (size_t)(term_write_bin(term_write_nil(at), body, len) - out);
}

/* Answers as the holder of the scheduler. */
static inline void rig_answer_octets(rig *self, uint64_t handle, uint32_t status, const void *body, size_t len) {
    uint8_t *out = malloc(len + 64);
    CHECK_INT(reception_spend(&self->sched, out, rig_write_answer(out, handle, status, body, len)), TB_OK);
    free(out);
}

static inline void rig_answer(rig *self, uint64_t handle, const char *body) {
    rig_answer_octets(self, handle, 200, body, strlen(body));
}

/* Asks for the body of an offered request. */
static inline void rig_continue(rig *self, uint64_t handle, uint64_t bytes_max) {
    uint8_t out[64];
    uint8_t *at = term_write_array(term_write_array(out, 1), 3);
    at = term_write_uint64(term_write_uint64(term_write_uint64(at, handle), TB_KIND_CONTINUE), bytes_max);
    CHECK_INT(reception_spend(&self->sched, out, (size_t)(at - out)), TB_OK);
}

/* Answers as any other thread would. */
static inline int32_t rig_post(rig *self, uint64_t handle, const char *body) {
    uint8_t out[1024];
    return reception_post(&self->sched, out, rig_write_answer(out, handle, 200, body, strlen(body)));
}

/* Polls, and answers every request of the batch with its own path. How many there were. */
static inline uint32_t rig_serve(rig *self) {
    CHECK(rig_poll(self) >= 0);
    const uint32_t count = self->bat.count;
    for (uint32_t i = 0; i < count; i++) {
        const rig_record record = rig_record_at(self, i);
        rig_answer_octets(self, record.handle, 200, record.path.at, record.path.len);
    }
    return count;
}

static inline void rig_add_constant(rig *self, const char *path, const char *body) {
    const constant item = {.path_len = strlen(path), .body_len = strlen(body), .status = 200};
    CHECK_INT(constant_push(&self->sched.room.constants, &item, path, NULL, body), TB_OK);
}

static inline uint64_t rig_stat(stats_counter *counter) {
    return stats_of(counter);
}

#endif
