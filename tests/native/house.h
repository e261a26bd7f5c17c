/* An engine as a whole, driven by its exported calls: it listens, and has one runner and one client. */
#ifndef TINYBEAM_TESTS_HOUSE_H
#define TINYBEAM_TESTS_HOUSE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loopback.h"
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

static inline house *house_open(void) {
    house *home = calloc(1, sizeof *home);
    CHECK_INT(tb_engine_open(NULL, &home->engine), TB_OK);
    home->port = tb_engine_listen(home->engine, "127.0.0.1", 0, 16);
    CHECK(home->port > 0);
    home->runner = (uint32_t)tb_runner_open(home->engine);
    home->client = connect_to(home->port);
    return home;
}

static inline void house_close(house *home) {
    CHECK_INT(tb_engine_close(home->engine), TB_OK);
    tb_engine_free(home->engine);
    close(home->client);
    free(home);
}

static inline void send_text(house *home, const char *text) {
    CHECK_INT(send(home->client, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void request(house *home, const char *path) {
    char text[256];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    send_text(home, text);
}

/* Polls with these answers until there is a batch, and notes its handles. */
static inline void await_batch(house *home, const void *answers, size_t answers_len) {
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
static inline int64_t poll_and_return(house *home, const void *answers, size_t answers_len) {
    CHECK_INT(tb_engine_wake(home->engine), TB_OK);
    return tb_engine_poll(home->engine, home->runner, answers, answers_len, home->batch, CAPACITY);
}

static inline size_t write_answer(uint8_t *out, uint64_t handle, uint32_t status, const char *body) {
    uint8_t *at = term_write_array(term_write_array(out, 1), 4);
    at = term_write_uint64(term_write_uint64(at, handle), status);
    return (size_t)(term_write_str(term_write_nil(at), body, strlen(body)) - out);
}

static inline int32_t respond(house *home, uint64_t handle, const char *body) {
    uint8_t out[256];
    return tb_engine_respond(home->engine, out, write_answer(out, handle, 200, body));
}

/* Reads until this text has come, or the connection ends. */
static inline const char *await_text(house *home, const char *text) {
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

static inline unsigned count_of(const char *text, const char *part) {
    unsigned count = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

static inline void check_all_calls(tb_engine *engine, int32_t code) {
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

#endif
