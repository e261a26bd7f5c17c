/* Answers that come in parts; see stream.h.
 *
 * Owns:  the chunks of the chunked coding.
 * Knows: that HTTP/1.0 has no chunks: there an answer of unknown length ends with the connection.
 * Never: asks anybody for anything: what is wanted is news.
 */
#include "stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "news.h"
#include "tinybeam.h"

enum {
    STREAM_LOW = 32 * 1024, /* that the client has yet to take when more is asked for */
    STREAM_CHUNK_HEAD_MAX = 24,
};

static void stream_count(conn_room *room, int more) {
    stats_add(&room->stats.streams, (uint64_t)(int64_t)more);
}

/* The slot of a stream that may still be given parts, or HANDLE_NONE. */
static uint32_t stream_find(const conn_room *room, uint64_t handle) {
    const uint32_t slot = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    if (slot >= room->handles.used || handle_of(&room->handles, slot) != handle) {
        return HANDLE_NONE;
    }
    const uint8_t state = room->handles.slots[slot].stream;
    return state == STREAM_KEPT || state == STREAM_OPEN ? slot : HANDLE_NONE;
}

void stream_begin(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    const bool bare = ex->head || !response_has_body(ans->status);
    const bool endless = ans->length == TB_LENGTH_UNKNOWN && response_has_body(ans->status);
    response res = {
        .status = ans->status,
        .fields = ans->fields,
        .fields_len = ans->fields_len,
        .body_len = endless ? 0 : (size_t)ans->length,
        .framing = !endless     ? RESPONSE_LENGTH
                   : ex->http10 ? RESPONSE_UNTIL_CLOSE
                                : RESPONSE_CHUNKED,
    };
    ex->chunked = res.framing == RESPONSE_CHUNKED;
    ex->keep_alive = ex->keep_alive && (res.framing != RESPONSE_UNTIL_CLOSE || bare);
    ex->left = ans->length;
    con->continue_due = false; /* after the head it would be too late */
    const bool first = con->first == slot;
    /* The body comes later: its octets are not counted on here. */
    exchange_kind kind = exchange_kind_of(ex);
    kind.head = true;
    if (first) {
        exchange_write(room, con, kind, res, NULL);
    } else {
        const bool head = ex->head;
        ex->head = true;
        exchange_keep(room, con, ex, res, NULL);
        ex->head = head;
    }
    if (bare) {
        if (first) {
            exchange_finish(room, con);
        }
        return; /* the handle is stale, and so are its parts */
    }
    ex->stream = first ? STREAM_OPEN : STREAM_KEPT;
    ex->asked = true;
    stream_count(room, 1);
}

/* Appends octets to what waits for its turn. */
static void stream_keep(conn *con, exchange *ex, const void *octets, size_t len) {
    if (len == 0 || con->sink.broken) {
        return;
    }
    uint8_t *grown = len > SIZE_MAX / 2 - ex->answer_len ? NULL : realloc(ex->answer, ex->answer_len + len);
    if (grown == NULL) {
        con->sink.broken = true;
        return;
    }
    memcpy(grown + ex->answer_len, octets, len);
    ex->answer = grown;
    ex->answer_len += len;
}

static void stream_push(conn_room *room, conn *con, exchange *ex, const void *octets, size_t len) {
    if (ex->stream == STREAM_OPEN) {
        output_push(&room->out, &con->sink, octets, len);
    } else {
        stream_keep(con, ex, octets, len);
    }
}

/* The answer will never be whole. One that has not begun on the wire can still be another. */
static void stream_cut(conn_room *room, uint32_t slot) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    stream_count(room, -1);
    if (ex->stream == STREAM_KEPT) {
        ex->stream = STREAM_NONE;
        free(ex->answer);
        ex->answer = NULL;
        ex->answer_len = 0;
        ex->ready = false;
        exchange_answer_plainly(room, slot, 500, "");
        return;
    }
    /* It stays the first, so that nothing is written after it. */
    ex->stream = STREAM_CUT;
    con->closing = con->cut = true;
    con->reset = !ex->chunked && ex->left == TB_LENGTH_UNKNOWN;
}

/* The body is whole, and that has been told. */
static void stream_finish(conn_room *room, exchange *ex) {
    const bool open = ex->stream == STREAM_OPEN;
    ex->stream = STREAM_NONE; /* what is kept is a whole answer now */
    stream_count(room, -1);
    if (open) {
        exchange_finish(room, ex->conn);
    }
}

static void stream_end(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    if (!ex->chunked && ex->left != TB_LENGTH_UNKNOWN && ex->left > 0) {
        stream_cut(room, slot); /* less has come than was announced */
        return;
    }
    if (ex->chunked) {
        stream_push(room, con, ex, "0\r\n", 3);
        stream_push(room, con, ex, ans->body, ans->body_len);
        stream_push(room, con, ex, "\r\n", 2);
    }
    stream_finish(room, ex);
}

/* A part, and what follows it: nothing that has to be sent by itself, for that costs as much as the part. */
static void stream_push_part(conn_room *room, conn *con, exchange *ex, const answer *ans) {
    char head[STREAM_CHUNK_HEAD_MAX];
    const char *end = ans->kind == TB_KIND_LAST ? "\r\n0\r\n\r\n" : "\r\n";
    const size_t end_len = ex->chunked ? strlen(end) : 0;
    if (ans->body_len == 0) {
        return; /* an empty chunk would be the end */
    }
    if (ex->chunked) {
        const int len = snprintf(head, sizeof head, "%zx\r\n", ans->body_len);
        stream_push(room, con, ex, head, (size_t)len);
    }
    if (ex->stream == STREAM_OPEN) {
        output_push_closed(&room->out, &con->sink, ans->body, ans->body_len, (const uint8_t *)end, end_len);
    } else {
        stream_keep(con, ex, ans->body, ans->body_len);
        stream_keep(con, ex, end, end_len);
    }
}

static void stream_push_last(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    const answer none = {.kind = TB_KIND_END};
    stream_push_part(room, ex->conn, ex, ans);
    if (ans->body_len == 0 || !ex->chunked) {
        stream_end(room, slot, &none);
    } else {
        stream_finish(room, ex);
    }
}

/* "103 Early Hints", ahead of an answer that nobody has given yet. Where it is not its turn, it is no longer early. */
static int32_t stream_hint(conn_room *room, const answer *ans) {
    const uint32_t slot = (uint32_t)ans->handle & (HANDLE_SLOTS_MAX - 1);
    if (slot >= room->handles.used || handle_of(&room->handles, slot) != ans->handle ||
        !handle_awaits(&room->handles, slot)) {
        return TB_EBADHANDLE;
    }
    static const uint8_t line[] = "HTTP/1.1 103 Early Hints\r\n";
    const exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    if (con != NULL && con->first == slot && !ex->http10 && !ex->offered && ans->body_len > 0) {
        output_push(&room->out, &con->sink, line, sizeof line - 1);
        output_push(&room->out, &con->sink, ans->body, ans->body_len);
        output_push(&room->out, &con->sink, (const uint8_t *)"\r\n", 2);
        room_touch(room, con);
    }
    return TB_OK;
}

int32_t stream_on_part(conn_room *room, const answer *ans) {
    if (ans->kind == TB_KIND_HINTS) {
        return stream_hint(room, ans);
    }
    const uint32_t slot = stream_find(room, ans->handle);
    if (slot == HANDLE_NONE) {
        return TB_EBADHANDLE;
    }
    exchange *ex = &room->handles.slots[slot];
    room_touch(room, ex->conn);
    if (ans->kind == TB_KIND_END) {
        stream_end(room, slot, ans);
        return TB_OK;
    }
    if (ans->kind == TB_KIND_CUT || (ex->left != TB_LENGTH_UNKNOWN && ans->body_len > ex->left)) {
        stream_cut(room, slot); /* or more has come than was announced */
        return TB_OK;
    }
    ex->left -= ex->left == TB_LENGTH_UNKNOWN ? 0 : ans->body_len;
    ex->asked = ex->asked || ans->kind == TB_KIND_ASK;
    if (ans->kind == TB_KIND_LAST) {
        stream_push_last(room, slot, ans);
    } else {
        stream_push_part(room, ex->conn, ex, ans);
    }
    return TB_OK;
}

uint32_t stream_grant(conn_room *room, uint64_t handle) {
    const uint32_t slot = stream_find(room, handle);
    exchange *ex = slot == HANDLE_NONE ? NULL : &room->handles.slots[slot];
    if (ex == NULL || ex->stream != STREAM_OPEN || !ex->asked) {
        return 0;
    }
    const uint32_t more = output_room(&ex->conn->sink);
    ex->asked = more == 0;
    return more;
}

void stream_on_turn(exchange *ex) {
    assert(ex->stream == STREAM_KEPT);
    free(ex->answer);
    ex->answer = NULL;
    ex->answer_len = 0;
    ex->ready = false;
    ex->stream = STREAM_OPEN;
}

void stream_on_disconnect(conn_room *room, uint32_t slot) {
    exchange *ex = &room->handles.slots[slot];
    if (ex->stream == STREAM_KEPT || ex->stream == STREAM_OPEN) {
        stream_count(room, -1);
    }
    ex->conn = NULL;
    ex->stream = STREAM_GONE;
    news_push(room, slot, TB_NEWS_GONE);
}

void stream_settle(conn_room *room, conn *con) {
    if (con->first == HANDLE_NONE) {
        return;
    }
    exchange *ex = &room->handles.slots[con->first];
    if (ex->stream == STREAM_OPEN && ex->asked && con->sink.pending.len - con->sink.sent <= STREAM_LOW) {
        ex->asked = false;
        news_push(room, con->first, TB_NEWS_MORE);
    }
}
