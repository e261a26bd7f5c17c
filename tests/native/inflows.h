/* What tests of bodies in parts share: a bench that offers them, and a reader. */
#ifndef TINYBEAM_TESTS_INFLOWS_H
#define TINYBEAM_TESTS_INFLOWS_H

#include "clock.h"
#include "exchange.h"
#include "inflow.h"
#include "news.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"
#define EXPECT "Expect: 100-continue\r\n"
#define CHUNKED "Transfer-Encoding: chunked\r\n"
#define CLOSE "Connection: close\r\n"

static const char continued[] = "HTTP/1.1 100 Continue\r\n\r\n";
static uint8_t into[1024 * 1024];

/* A bench on which bodies over 2 octets are offered. */
static inline rig *bench_open(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 2;
    return rig_open_with(&config);
}

/* Sends the head of a request, perhaps with some of its body, and opens its body for reading. */
static inline uint64_t begin(rig *bench, int client, const char *request, uint64_t bytes_max) {
    rig_send(client, request);
    CHECK_INT(rig_poll(bench), TB_POLL_OFFER);
    CHECK_INT(bench->bat.count, 1);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    CHECK_INT(inflow_open(&bench->sched.room, handle, bytes_max), TB_OK);
    return handle;
}

static inline int64_t take(rig *bench, uint64_t handle, size_t capacity) {
    bool wanted;
    return inflow_take(&bench->sched.room, handle, into, capacity, &wanted);
}

/* Whether a poll tells that the reader shall look again. */
static inline bool told(rig *bench, uint64_t handle) {
    uint64_t news[1 + 2 * TB_NEWS_MAX] = {0};
    const int32_t flags = rig_poll(bench);
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    return (flags & TB_POLL_NEWS) && news[0] == 1 && news[1] == handle && (news[2] & TB_NEWS_BODY);
}

/* Asks for the first part, and is told when the connection is read. */
static inline int64_t first(rig *bench, uint64_t handle) {
    CHECK_INT(take(bench, handle, sizeof into), TB_EWAIT);
    CHECK(told(bench, handle));
    return take(bench, handle, sizeof into);
}

static inline void finish(rig *bench, int client) {
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
    CHECK_INT(bench->sched.room.handles.open, 0);
    close(client);
    rig_poll(bench);
    rig_poll(bench);
    CHECK(bench->sched.room.conns == NULL);
    rig_close(bench);
}

static inline void stream(rig *bench, uint64_t handle, uint32_t kind, const char *text) {
    uint8_t out[256];
    uint8_t *at = term_write_array(out, 1);
    if (kind == TB_KIND_STREAM) {
        at = term_write_uint64(term_write_uint64(term_write_array(at, 5), handle), kind);
        at = term_write_uint64(term_write_nil(term_write_uint64(at, 200)), TB_LENGTH_UNKNOWN);
    } else {
        at = term_write_uint64(term_write_uint64(term_write_array(at, 3), handle), kind);
        at = term_write_bin(at, text, strlen(text));
    }
    CHECK_INT(reception_post(&bench->sched, out, (size_t)(at - out)), TB_OK);
}

#endif
