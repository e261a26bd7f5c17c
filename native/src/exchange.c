/* The answers of one connection, in the order of its requests; see exchange.h.
 *
 * Owns:  the decision whether an answer is written or waits.
 * Knows: that the head of the chain is the only one that may write.
 * Never: lets a broken connection's exchange keep its memory.
 */
#include "exchange.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "inflow.h"
#include "news.h"
#include "shipment.h"
#include "stream.h"
#include "tinybeam.h"

/* Of a body that nobody reads, so much is read and thrown away for the connection's sake. */
enum { EXCHANGE_DISCARD_MAX = 256 * 1024 };

exchange_kind exchange_kind_of(const exchange *ex) {
    return (exchange_kind){
        .head = ex->head,
        .safe = ex->safe,
        .http10 = ex->http10,
        .keep_alive = ex->keep_alive,
        .upgrade = ex->upgrade,
    };
}

/* The exchange is handed over now. Its timer stays where it is when it fires before the deadline: it looks again then.
 */
static void exchange_begin(conn_room *room, exchange *ex) {
    ex->since_ms = room->now_ms;
    ex->due_ms = room->now_ms + room->timeouts.request_ms;
    if (!wheel_holds(&ex->timer) || ex->timer.at > ex->due_ms + room->timeouts.request_ms / 8) {
        wheel_set(&room->exchange_timers, &ex->timer, ex->due_ms);
    }
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
    ex->upgrade = kind.upgrade;
    if (con->hung_up) {
        atomic_store_explicit(&ex->hung_up, true, memory_order_relaxed);
    }
    exchange_begin(room, ex);
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
    if (!kind.keep_alive || (room->draining && last) || (con->closing && con->in_flight <= 1)) {
        return RESPONSE_CLOSE;
    }
    return kind.http10 ? RESPONSE_KEEP_ALIVE : RESPONSE_PERSIST;
}

static size_t exchange_body_len(exchange_kind kind, const response *res) {
    return kind.head || !response_has_body(res->status) ? 0 : res->body_len;
}

void exchange_write(conn_room *room, conn *con, exchange_kind kind, response res, const uint8_t *body) {
    res.connection = res.upgrade != NULL ? RESPONSE_PERSIST : exchange_connection(room, con, kind);
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

void exchange_keep(conn_room *room, conn *con, exchange *ex, response res, const uint8_t *body) {
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

/* A request is answered without the rest of its body, which may be on its way. Little of it is thrown away when it
 * comes; with more, or with what the client holds back until it is asked, nothing after it can be read. */
static void exchange_decline_body(const conn_room *room, conn *con, exchange *ex) {
    conn_request *request = con->request;
    const bool held_back = request->expects && (request->offered || con->continue_due);
    const bool lasts = ex->keep_alive && !room->draining;
    ex->offered = false;
    con->continue_due = false;
    if (lasts && !held_back && body_left(&request->state) <= EXCHANGE_DISCARD_MAX) {
        request->slot = HANDLE_NONE;
        request->offered = request->flowing = request->held = false;
        request->discard = true;
        return;
    }
    ex->keep_alive = false;
    con->lingered++; /* see conn_end */
    room_drop_request(con);
}

static bool exchange_awaits_body(const conn *con, uint32_t slot) {
    return con->request != NULL && con->request->slot == slot;
}

static void exchange_pop(conn_room *room, conn *con) {
    uint32_t slot = con->first;
    exchange *ex = &room->handles.slots[slot];
    if (exchange_awaits_body(con, slot)) {
        exchange_decline_body(room, con, ex); /* too late to say so in its head */
        con->closing = con->closing || !ex->keep_alive;
    }
    inflow_close(room, slot);
    con->first = ex->next;
    con->in_flight--;
    shipment_close(ex->cargo);
    ex->cargo = NULL;
    con->unsafe_in_flight = (uint16_t)(con->unsafe_in_flight - !ex->safe);
    news_release(room, slot);
}

/* Writes the answers that had come too early and whose turn it is now. */
static void exchange_flush_ready(conn_room *room, conn *con) {
    while (con->first != HANDLE_NONE && room->handles.slots[con->first].ready) {
        exchange *ex = &room->handles.slots[con->first];
        con->closing = con->closing || !ex->keep_alive;
        output_push(&room->out, &con->sink, ex->answer, ex->answer_len);
        if (ex->stream == STREAM_KEPT) {
            stream_on_turn(ex);
            return; /* more of it is to come */
        }
        if (ex->cargo != NULL) {
            con->shipping = true;
            return;
        }
        exchange_pop(room, con);
    }
}

void exchange_finish(conn_room *room, conn *con) {
    exchange_pop(room, con);
    exchange_flush_ready(room, con);
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

bool exchange_offer(conn_room *room, conn *con, exchange_kind kind, uint64_t *handle) {
    assert(con->in_flight == 0 && con->request != NULL);
    if (!exchange_open(room, con, kind, handle)) {
        return false;
    }
    con->request->slot = con->first;
    con->request->offered = true;
    room->handles.slots[con->first].offered = true;
    atomic_store_explicit(&room->handles.slots[con->first].bodied, true, memory_order_release);
    return true;
}

uint64_t exchange_hand_over(conn_room *room, conn *con) {
    exchange *ex = &room->handles.slots[con->request->slot];
    assert(ex->granted && con->first == con->request->slot);
    ex->granted = false;
    exchange_begin(room, ex);
    return handle_of(&room->handles, con->request->slot);
}

void exchange_cancel(conn_room *room, conn *con) {
    assert(room->handles.slots[con->first].granted && con->first == con->last);
    con->request->slot = HANDLE_NONE;
    exchange_pop(room, con);
}

/* The body of an offered request is wanted. Gives the status of the answer that the request has to get instead, or 0.
 */
static uint32_t exchange_grant(conn_room *room, exchange *ex, uint32_t slot, uint64_t bytes_max) {
    conn *con = ex->conn;
    conn_request *request = con->request;
    if (body_announced(&request->state) > bytes_max) {
        return 413;
    }
    if (!ex->offered || !handle_reopen(&room->handles, slot)) {
        return 500;
    }
    inflow_close(room, slot); /* it is read as a whole */
    request->limits.bytes_max = bytes_max;
    request->offered = ex->offered = false;
    ex->granted = true;
    ex->due_ms = WHEEL_NEVER; /* until the body is whole, the client is the one that is waited for */
    con->continue_due = request->expects;
    return 0;
}

void exchange_flow(conn_room *room, uint32_t slot, uint64_t bytes_max) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    if (con == NULL || !exchange_awaits_body(con, slot)) {
        return; /* its end has been told */
    }
    conn_request *request = con->request;
    room_touch(room, con);
    if (!request->offered) {
        request->held = false;
        return;
    }
    if (body_announced(&request->state) > bytes_max) {
        inflow_end(room, slot, 413, NULL);
        return;
    }
    request->limits.bytes_max = bytes_max;
    request->offered = ex->offered = false;
    request->flowing = true;
    con->continue_due = request->expects && ex->stream == STREAM_NONE;
}

void exchange_extend(conn_room *room, uint32_t slot) {
    exchange *ex = &room->handles.slots[slot];
    if (ex->due_ms != WHEEL_NEVER) {
        ex->due_ms += room->now_ms - ex->since_ms;
        ex->since_ms = room->now_ms;
    }
}

void exchange_on_hang_up(conn_room *room, const conn *con) {
    for (uint32_t slot = con->first; slot != HANDLE_NONE; slot = room->handles.slots[slot].next) {
        atomic_store_explicit(&room->handles.slots[slot].hung_up, true, memory_order_relaxed);
    }
}

/* The connection leaves HTTP, if that is what its request has asked for. */
static bool exchange_switch(conn_room *room, conn *con, const exchange *ex) {
    if (ex->upgrade == 0 || con->request != NULL || con->first != con->last || con->closing) {
        return false;
    }
    con->protocol = &room->protocols[ex->upgrade - 1];
    return true;
}

void exchange_answer_plainly(conn_room *room, uint32_t slot, uint32_t status, const char *text) {
    static const uint8_t fields[] = "Content-Type: text/plain; charset=utf-8\r\n";
    const answer ans = {
        .status = status,
        .fields = fields,
        .fields_len = sizeof fields - 1,
        .body = (const uint8_t *)text,
        .body_len = strlen(text),
    };
    exchange_answer(room, slot, &ans);
}

/* Does what an answer asks for beside being written. False when it cannot be; then another one was given for it, or
 * none is due yet. */
static bool exchange_heed(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    if (ans->kind == TB_KIND_CONTINUE) {
        const uint32_t status = ex->offered ? exchange_grant(room, ex, slot, ans->body_bytes_max) : 500;
        if (status != 0) {
            exchange_answer_plainly(room, slot, status, status == 413 ? "the body is larger than this takes\n" : "");
        }
        return false;
    }
    if (ans->status == 101 && !exchange_switch(room, ex->conn, ex)) {
        exchange_answer_plainly(room, slot, 500, "");
        return false;
    }
    return true;
}

void exchange_ship(conn_room *room, uint32_t slot, response res, struct shipment *cargo) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    ex->cargo = cargo;
    ex->head = true; /* of what is written here: the head alone */
    if (con->first != slot) {
        exchange_keep(room, con, ex, res, NULL);
        return;
    }
    exchange_write(room, con, exchange_kind_of(ex), res, NULL);
    con->shipping = true;
    room_touch(room, con);
}

void exchange_answer(conn_room *room, uint32_t slot, const answer *ans) {
    exchange *ex = &room->handles.slots[slot];
    conn *con = ex->conn;
    if (con == NULL) {
        shipment_close(ans->cargo);
        if (ans->kind == TB_KIND_STREAM) {
            stream_on_disconnect(room, slot);
        } else {
            news_release(room, slot);
        }
        return;
    }
    room_touch(room, con);
    const bool elsewhere = ans->body == NULL && ans->body_len > 0 && !ex->head;
    if (elsewhere && ans->cargo == NULL) {
        exchange_answer_plainly(room, slot, 500, ""); /* it was taken for the answer to a HEAD */
        return;
    }
    if (!exchange_heed(room, slot, ans)) {
        return;
    }
    if (exchange_awaits_body(con, slot) && !(ans->kind == TB_KIND_STREAM && inflow_has_reader(room, slot))) {
        exchange_decline_body(room, con, ex);
    }
    if (ans->kind == TB_KIND_STREAM) {
        stream_begin(room, slot, ans);
        return;
    }
    response res = {
        .status = ans->status,
        .kind = ans->kind,
        .fields = ans->fields,
        .fields_len = ans->fields_len,
        .body_len = ans->body_len,
        .upgrade = ans->status == 101 ? con->protocol->token : NULL,
    };
    if (elsewhere) {
        exchange_ship(room, slot, res, ans->cargo);
        return;
    }
    shipment_close(ans->cargo);
    if (con->first != slot) {
        exchange_keep(room, con, ex, res, ans->body);
        return;
    }
    exchange_write(room, con, exchange_kind_of(ex), res, ans->body);
    exchange_finish(room, con);
}

void exchange_set_timeout(conn_room *room, uint64_t handle, uint64_t timeout_ms) {
    const uint32_t slot = (uint32_t)handle & (HANDLE_SLOTS_MAX - 1);
    if (slot >= room->handles.used || handle_of(&room->handles, slot) != handle ||
        !handle_awaits(&room->handles, slot)) {
        return;
    }
    exchange *ex = &room->handles.slots[slot];
    ex->due_ms = timeout_ms == 0 ? WHEEL_NEVER : ex->since_ms + timeout_ms;
    if (timeout_ms > 0) {
        wheel_set(&room->exchange_timers, &ex->timer, ex->due_ms);
    }
}

void exchange_on_timer(conn_room *room, wheel_timer *timer) {
    exchange *ex = (exchange *)(void *)((uint8_t *)timer - offsetof(exchange, timer));
    uint32_t slot = (uint32_t)(ex - room->handles.slots);
    if (!handle_awaits(&room->handles, slot) || ex->due_ms == WHEEL_NEVER) {
        return;
    }
    if (room->now_ms < ex->due_ms) {
        wheel_set(&room->exchange_timers, timer, ex->due_ms);
        return;
    }
    const uint64_t handle = handle_of(&room->handles, slot);
    const int32_t code = handle_take(&room->handles, handle, &slot);
    if (code != TB_OK && code != TB_EDISCONNECTED) {
        return; /* its answer has just been given, and is on its way */
    }
    stats_add(&room->stats.requests_overdue, 1);
    overdue_push(&room->overdue, handle, room->now_ms - ex->since_ms);
    if (ex->conn != NULL) {
        ex->conn->closing = true; /* what else it has sent would only queue up behind */
        ex->keep_alive = ex->keep_alive && ex->conn->last != slot;
    }
    exchange_answer_plainly(room, slot, 504, "the request has taken too long\n");
}

void exchange_on_disconnect(conn_room *room, conn *con) {
    while (con->first != HANDLE_NONE) {
        uint32_t slot = con->first;
        exchange *ex = &room->handles.slots[slot];
        con->first = ex->next;
        shipment_close(ex->cargo);
        const bool ours = ex->cargo != NULL || ex->ready || ex->granted; /* nobody has its handle */
        ex->cargo = NULL;
        if (ex->stream == STREAM_NONE && !ours) {
            handle_on_disconnect(&room->handles, slot);
        }
        inflow_close(room, slot); /* after which nobody can open one */
        if (ex->stream != STREAM_NONE) {
            stream_on_disconnect(room, slot);
        } else if (ours) {
            news_release(room, slot);
        }
    }
    con->last = HANDLE_NONE;
    con->in_flight = 0;
    con->unsafe_in_flight = 0;
}
