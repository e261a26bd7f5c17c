/* What tests of streams share: one that is begun and given parts as any other thread would. */
#ifndef TINYBEAM_TESTS_STREAMING_H
#define TINYBEAM_TESTS_STREAMING_H

#include "exchange.h"
#include "news.h"
#include "rig.h"
#include "stream.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET10(path) "GET " path " HTTP/1.0\r\n\r\n"
#define HEAD(path) "HEAD " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static const uint64_t unknown = TB_LENGTH_UNKNOWN;

/* Begins a stream as any other thread would. */
static inline int32_t begin(rig *bench, uint64_t handle, uint32_t status, const char *fields, uint64_t length) {
    uint8_t out[1024];
    uint8_t *at = term_write_array(term_write_array(out, 1), 5);
    at = term_write_uint64(term_write_uint64(term_write_uint64(at, handle), TB_KIND_STREAM), status);
    at = term_write_uint64(term_write_bin(at, fields, strlen(fields)), length);
    return reception_post(&bench->sched, out, (size_t)(at - out));
}

static inline void push(rig *bench, uint64_t handle, uint32_t kind, const void *octets, size_t len) {
    uint8_t *out = malloc(len + 64);
    uint8_t *at = term_write_array(term_write_array(out, 1), 3);
    at = term_write_uint64(term_write_uint64(at, handle), kind);
    at = term_write_bin(at, octets, len);
    CHECK_INT(reception_post(&bench->sched, out, (size_t)(at - out)), TB_OK);
    free(out);
}

static inline void part(rig *bench, uint64_t handle, const char *text) {
    push(bench, handle, TB_KIND_PART, text, strlen(text));
}

static inline void end(rig *bench, uint64_t handle) {
    push(bench, handle, TB_KIND_END, "", 0);
}

/* The handle of the next request. */
static inline uint64_t ask(rig *bench, int client, const char *request) {
    rig_send(client, request);
    CHECK_INT(rig_poll(bench), 0);
    CHECK_INT(bench->bat.count, 1);
    return rig_record_at(bench, 0).handle;
}

typedef struct told {
    uint64_t count, handle, news;
} told;

static inline told take_news(rig *bench) {
    uint64_t news[1 + 2 * TB_NEWS_MAX] = {0};
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    return (told){news[0], news[1], news[2]};
}

static const char *body_of(rig *bench) {
    const char *end_of_head = strstr(bench->got, "\r\n\r\n");
    return CHECK(end_of_head != NULL) ? end_of_head + 4 : "";
}

/* The client has got this body by now. */
static inline void check_body(rig *bench, int client, const char *body) {
    rig_poll(bench);
    rig_receive(bench, client);
    CHECK_TEXT(body_of(bench), strlen(body_of(bench)), body);
}

#endif
