/* The answers of one connection, in the order of its requests; see exchange.h.
 *
 * Owns:  the decision whether an answer is written or waits.
 * Knows: that the head of the chain is the only one that may write.
 * Never: lets a broken connection's exchange keep its memory.
 */
#include "exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static exchange_kind exchange_kind_of(const exchange *ex) {
    return (exchange_kind){.head = ex->head, .safe = ex->safe, .http10 = ex->http10, .keep_alive = ex->keep_alive};
}

bool exchange_open(conn_room *room, conn *con, exchange_kind kind, uint64_t *handle) {
    uint32_t slot;
    if (!handle_open(&room->handles, handle, &slot)) {
        return false;
    }
    exchange *ex = &room->handles.slots[slot];
    ex->conn = con;
    ex->head = kind.head;
    ex->safe = kind.safe;
    ex->http10 = kind.http10;
    ex->keep_alive = kind.keep_alive;
    if (con->first == HANDLE_NONE) {
        con->first = slot;
    } else {
        room->handles.slots[con->last].next = slot;
    }
    con->last = slot;
    con->in_flight++;
    con->unsafe_in_flight = (uint16_t)(con->unsafe_in_flight + !kind.safe);
    return true;
}

static response_connection exchange_connection(const conn_room *room, const conn *con, exchange_kind kind) {
    bool last = con->in_flight <= 1 && con->in.len == 0 && con->request == NULL;
    if (!kind.keep_alive || (room->draining && last)) {
        return RESPONSE_CLOSE;
    }
    return kind.http10 ? RESPONSE_KEEP_ALIVE : RESPONSE_PERSIST;
}

static size_t exchange_body_len(exchange_kind kind, const response *res) {
    return kind.head || !response_has_body(res->status) ? 0 : res->body_len;
}

void exchange_write(conn_room *room, conn *con, exchange_kind kind, response res, const uint8_t *body) {
    res.connection = exchange_connection(room, con, kind);
    if (res.connection == RESPONSE_CLOSE) {
        con->closing = true;
    }
    size_t head_max = response_head_max(&res);
    uint8_t *at = output_reserve(&room->out, &con->sink, head_max);
    if (at != NULL) {
        output_commit(&room->out, (size_t)(response_write_head(at, &room->clock, &res) - at));
    } else {
        uint8_t *head = malloc(head_max);
        if (head == NULL) {
            con->sink.broken = true;
            return;
        }
        output_push(&room->out, &con->sink, head, (size_t)(response_write_head(head, &room->clock, &res) - head));
        free(head);
    }
    output_push(&room->out, &con->sink, body, exchange_body_len(kind, &res));
}

/* Keeps a whole response for later, because an earlier request is not answered yet. */
static void exchange_keep(conn_room *room, conn *con, exchange *ex, response res, const uint8_t *body) {
    exchange_kind kind = exchange_kind_of(ex);
    /* Whether this one ends the connection is known already; only draining may still change it, and then its turn is
     * the connection's last and conn.c closes after it. */
    res.connection = !kind.keep_alive ? RESPONSE_CLOSE : kind.http10 ? RESPONSE_KEEP_ALIVE : RESPONSE_PERSIST;
    size_t body_len = exchange_body_len(kind, &res);
    ex->answer = malloc(response_head_max(&res) + body_len);
    ex->ready = true;
    if (ex->answer == NULL) {
        con->sink.broken = true; /* nothing more is written, and closing frees the slot, since it is ready */
        return;
    }
    uint8_t *end = response_write_head(ex->answer, &room->clock, &res);
    if (body_len > 0) {
        memcpy(end, body, body_len);
    }
    ex->answer_len = (size_t)(end - ex->answer) + body_len;
}

static void exchange_pop(conn_room *room, conn *con) {
    uint32_t slot = con->first;
    exchange *ex = &room->handles.slots[slot];
    con->first = ex->next;
    con->in_flight--;
    con->unsafe_in_flight = (uint16_t)(con->unsafe_in_flight - !ex->safe);
    handle_close(&room->handles, slot);
}

/* Writes the answers that had come too early and whose turn it is now. */
static void exchange_flush_ready(conn_room *room, conn *con) {
    while (con->first != HANDLE_NONE && room->handles.slots[con->first].ready) {
        exchange *ex = &room->handles.slots[con->first];
        con->closing = con->closing || !ex->keep_alive;
        output_push(&room->out, &con->sink, ex->answer, ex->answer_len);
        exchange_pop(room, con);
    }
}

bool exchange_open_ready(conn_room *room, conn *con, exchange_kind kind, const response *res, const uint8_t *body) {
    uint64_t handle;
    uint32_t slot;
    if (!exchange_open(room, con, kind, &handle)) {
        return false;
    }
    /* Taken at once: nobody was ever given this handle. */
    handle_take(&room->handles, handle, &slot);
    exchange_keep(room, con, &room->handles.slots[slot], *res, body);
    return true;
}

void exchange_answer(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    if (con == NULL) {
        handle_close(&room->handles, slot);
        return;
    }
    response res = {
        .status = ans->status,
        .kind = ans->kind,
        .fields = ans->fields,
        .fields_len = ans->fields_len,
        .body_len = ans->body_len,
    };
    room_touch(room, con);
    if (con->first != slot) {
        exchange_keep(room, con, ex, res, ans->body);
        return;
    }
    exchange_write(room, con, exchange_kind_of(ex), res, ans->body);
    exchange_pop(room, con);
    exchange_flush_ready(room, con);
}

void exchange_on_disconnect(conn_room *room, conn *con) {
    while (con->first != HANDLE_NONE) {
        uint32_t slot = con->first;
        exchange *ex = &room->handles.slots[slot];
        con->first = ex->next;
        if (ex->ready) {
            handle_close(&room->handles, slot);
        } else {
            handle_on_disconnect(&room->handles, slot);
        }
    }
    con->last = HANDLE_NONE;
    con->in_flight = 0;
    con->unsafe_in_flight = 0;
}
