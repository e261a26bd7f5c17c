/* From a connection's octets to requests in the batch; see intake.h.
 *
 * Owns:  the loop over heads and bodies.
 * Knows: that a request is handed over only when a slot is free, the batch has room and its turn has come.
 * Never: loses an octet: what is not consumed stays in the connection.
 */
#include "intake.h"

#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "exchange.h"
#include "files.h"
#include "inflow.h"
#include "protocol.h"
#include "tinybeam.h"

enum { INTAKE_SHORT = 4096 };

typedef enum intake_step {
    INTAKE_NEXT, /* go on with the octets that are left */
    INTAKE_MORE, /* more octets are needed */
    INTAKE_TURN, /* an earlier answer has to come first */
    INTAKE_ROOM, /* the batch or the handle table is full */
} intake_step;

static const uint8_t intake_continue[] = "HTTP/1.1 100 Continue\r\n\r\n";

static void intake_refuse(conn_room *room, conn *con, uint32_t status, const char *reason) {
    con->refusal = (uint16_t)status;
    con->refusal_reason = reason;
    con->continue_due = false;
    con->lingered++; /* the rest of it may be on its way: see conn_end */
    if (con->request != NULL && con->request->slot != HANDLE_NONE) {
        exchange_cancel(room, con); /* its body was asked for; a request that is offered is not read on */
    }
    room_drop_request(con);
    stats_add(&room->stats.requests_refused, 1);
}

static bool intake_safe(const parser_request *request) {
    return request->method_id == PARSER_METHOD_GET || request->method_id == PARSER_METHOD_HEAD ||
           request->method_id == PARSER_METHOD_OPTIONS;
}

static bool intake_turn(const conn_room *room, const conn *con, bool safe) {
    if (con->in_flight == 0) {
        return true;
    }
    return safe && con->unsafe_in_flight == 0 && con->in_flight < room->pipeline_max;
}

static void intake_begin(conn_room *room, conn *con, exchange_kind kind) {
    con->closing = con->closing || !kind.keep_alive;
    con->served++;
    stats_add(&room->stats.requests, 1);
}

/* There is room in the batch, but no handle. A connection that has some waits for its own answers; another one would
 * wait for it is not known what, and is better served with a clear word. */
static intake_step intake_shed(conn_room *room, conn *con) {
    if (con->in_flight > 0) {
        return INTAKE_TURN;
    }
    intake_refuse(room, con, 503, "this server has as many requests open as it takes; try again later");
    stats_add(&room->stats.requests_shed, 1);
    return INTAKE_NEXT;
}

/* Answers a constant without Python. False when it has to wait for room. */
static bool intake_answer_constant(conn_room *room, conn *con, const constant *item, exchange_kind kind) {
    response res = {
        .status = item->status,
        .fields = constant_fields(item),
        .fields_len = item->fields_len,
        .body_len = item->body_len,
    };
    if (con->in_flight == 0) {
        exchange_write(room, con, kind, res, constant_body(item));
    } else if (!exchange_open_ready(room, con, kind, &res, constant_body(item))) {
        return false;
    }
    con->closing = con->closing || !kind.keep_alive;
    con->served++;
    deadline_restart(con);
    stats_add(&room->stats.constants, 1);
    return true;
}

/* Whether Python has to be asked before the body is read: the client waits for a word, or the body may be longer than
 * every route takes. */
static bool intake_must_offer(const conn_room *room, const parser_request *parsed, size_t arrived) {
    const bool chunked = parsed->framing == PARSER_BODY_CHUNKED;
    if (parsed->expect_continue && (chunked ? arrived == 0 : arrived < parsed->content_length)) {
        return true;
    }
    return room->offer_bytes != UINT64_MAX && (chunked || parsed->content_length > room->offer_bytes);
}

/* A place for a request whose body is to be read. False when memory is out. */
static bool intake_open_request(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                size_t head_len) {
    conn_request *request = calloc(1, sizeof *request);
    con->request = request;
    if (request == NULL || !buffer_reserve(&request->head, batch_head_max(head_len, parsed))) {
        con->sink.broken = true;
        return false;
    }
    uint8_t *end = batch_write_head(request->head.octets, parsed, con->peer, con->peer_len);
    request->head.len = (size_t)(end - request->head.octets);
    request->limits = room->body_limits;
    request->slot = HANDLE_NONE;
    request->head_method = kind.head;
    request->safe = kind.safe;
    request->http10 = kind.http10;
    request->keep_alive = kind.keep_alive;
    request->upgrade = kind.upgrade;
    request->expects = parsed->expect_continue;
    body_init(&request->state, parsed->framing, parsed->content_length);
    return true;
}

/* Hands the head over alone. It waits until nothing else is unanswered: its own answer may end the connection. */
static intake_step intake_offer(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                size_t head_len) {
    const batch_rest rest = {.offered = true};
    uint64_t handle;
    if (con->in_flight > 0) {
        return INTAKE_TURN;
    }
    if (!batch_fits(&room->batch, batch_record_max(batch_head_max(head_len, parsed), &rest))) {
        return INTAKE_ROOM;
    }
    if (!intake_open_request(room, con, parsed, kind, head_len)) {
        return INTAKE_MORE;
    }
    if (!exchange_offer(room, con, kind, &handle)) {
        return intake_shed(room, con);
    }
    batch_push(&room->batch, handle, con->request->head.octets, con->request->head.len, &rest);
    con->served++;
    stats_add(&room->stats.requests, 1);
    return INTAKE_NEXT;
}

static intake_step intake_begin_body(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                     size_t head_len, size_t arrived) {
    const bool askable = room->offer_bytes != UINT64_MAX;
    if (!askable && parsed->framing == PARSER_BODY_LENGTH && parsed->content_length > room->body_limits.bytes_max) {
        intake_refuse(room, con, 413, "the body is larger than this server takes (RFC 9110 §15.5.14)");
        return INTAKE_NEXT;
    }
    if (intake_must_offer(room, parsed, arrived)) {
        return intake_offer(room, con, parsed, kind, head_len);
    }
    return intake_open_request(room, con, parsed, kind, head_len) ? INTAKE_NEXT : INTAKE_MORE;
}

static intake_step intake_next_bare(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                    size_t head_len) {
    if (parsed->method_id == PARSER_METHOD_GET || parsed->method_id == PARSER_METHOD_HEAD) {
        const constant *item = constant_find(&room->constants, parsed->path, parsed->path_len);
        if (item != NULL) {
            return intake_answer_constant(room, con, item, kind) ? INTAKE_NEXT : INTAKE_ROOM;
        }
        mount *place = room->mounts.count == 0 ? NULL : mount_find(&room->mounts, parsed->path, parsed->path_len);
        const files_step step = place == NULL ? FILES_PASSED : files_serve(room, con, place, parsed, kind);
        if (step != FILES_PASSED) {
            return step == FILES_SERVED ? INTAKE_NEXT : intake_shed(room, con);
        }
    }
    uint64_t handle;
    if (!batch_fits(&room->batch, batch_head_max(head_len, parsed))) {
        return INTAKE_ROOM;
    }
    if (!exchange_open(room, con, kind, &handle)) {
        return intake_shed(room, con);
    }
    uint8_t *start = batch_at(&room->batch);
    uint8_t *end = batch_write_head(start, parsed, con->peer, con->peer_len);
    batch_push_head(&room->batch, handle, (size_t)(end - start));
    intake_begin(room, con, kind);
    return INTAKE_NEXT;
}

/* Whether these octets may end a head: an empty line, or what some would take for one. */
static bool intake_may_end(const uint8_t *at, const uint8_t *stop) {
    while (at < stop && (at = memchr(at, '\n', (size_t)(stop - at))) != NULL && ++at < stop) {
        if (*at == '\r' || *at == '\n') {
            return true;
        }
    }
    return false;
}

/* Whether the parser can say more than the last time it was asked. A head that drips in is looked at again when it may
 * have ended or is twice as long, so that the whole costs linear time; a short one after each line, for a bad one
 * shall be told so soon. */
static bool intake_worth_parsing(const conn *con, const uint8_t *octets, size_t len) {
    const size_t seen = con->parsed;
    if (seen == 0 || len < seen || len - seen >= seen) {
        return true;
    }
    if (seen < INTAKE_SHORT) {
        return memchr(octets + seen, '\n', len - seen) != NULL;
    }
    return intake_may_end(octets + seen - 2, octets + len);
}

static intake_step intake_next_head(conn_room *room, conn *con, const uint8_t *octets, size_t len, size_t *used) {
    parser_request parsed;
    parser_error error;
    if (len == 0 || !intake_worth_parsing(con, octets, len)) {
        return INTAKE_MORE;
    }
    ptrdiff_t n = parser_next(octets, len, &room->limits, &parsed, &error);
    con->parsed = n == 0 ? (uint32_t)len : 0;
    if (n == 0) {
        return INTAKE_MORE;
    }
    if (n < 0) {
        intake_refuse(room, con, error.status, error.reason);
        return INTAKE_NEXT;
    }
    if (parsed.method_id == PARSER_METHOD_TRACE) {
        intake_refuse(room, con, 405, "TRACE would show a client's secrets to whoever makes it ask (RFC 9110 §9.3.8)");
        return INTAKE_NEXT;
    }
    exchange_kind kind = {
        .head = parsed.method_id == PARSER_METHOD_HEAD,
        .safe = intake_safe(&parsed),
        .http10 = parsed.minor_version == 0,
        .keep_alive = parsed.keep_alive && con->served + 1 < room->requests_max,
    };
    if (parsed.upgrade) {
        kind.upgrade = protocol_find(room->protocols, room->protocols_len, &parsed);
        kind.safe = kind.safe && kind.upgrade == 0; /* what follows it may be another protocol's */
    }
    if (!intake_turn(room, con, kind.safe)) {
        return INTAKE_TURN;
    }
    intake_step step = parsed.framing == PARSER_BODY_NONE
                           ? intake_next_bare(room, con, &parsed, kind, (size_t)n)
                           : intake_begin_body(room, con, &parsed, kind, (size_t)n, len - (size_t)n);
    *used = step == INTAKE_NEXT ? (size_t)n : 0;
    return step;
}

/* The body is whole: hands the request over. */
static intake_step intake_end_body(conn_room *room, conn *con) {
    conn_request *request = con->request;
    const exchange_kind kind = {
        .head = request->head_method,
        .safe = request->safe,
        .http10 = request->http10,
        .keep_alive = request->keep_alive,
        .upgrade = request->upgrade,
    };
    const batch_rest rest = {
        .body = request->body.octets,
        .body_len = request->body.len,
        .trailers = request->trailers.octets,
        .trailers_len = request->trailers.len,
    };
    const bool granted = request->slot != HANDLE_NONE;
    uint64_t handle;
    if (!granted && !intake_turn(room, con, kind.safe)) {
        return INTAKE_TURN;
    }
    if (!batch_fits(&room->batch, batch_record_max(request->head.len, &rest))) {
        return INTAKE_ROOM;
    }
    if (granted) {
        handle = exchange_hand_over(room, con);
    } else if (!exchange_open(room, con, kind, &handle)) {
        return intake_shed(room, con);
    }
    batch_push(&room->batch, handle, request->head.octets, request->head.len, &rest);
    room_drop_request(con);
    if (granted) {
        con->closing = con->closing || !kind.keep_alive; /* it was counted when it was offered */
    } else {
        intake_begin(room, con, kind);
    }
    return INTAKE_NEXT;
}

/* The rest of a request's body will not come, or is of no use: the connection ends with the answer. Its reader is told;
 * what only was thrown away is not worth a word. */
static void intake_break_off(conn_room *room, conn *con, uint32_t status) {
    if (con->request->flowing) {
        inflow_end(room, con->request->slot, status, NULL);
        stats_add(&room->stats.requests_refused, 1);
    }
    con->closing = true;
    con->lingered++; /* see conn_end */
    room_drop_request(con);
}

/* A body that goes to its reader, or nowhere, as it comes. */
static intake_step intake_next_part(conn_room *room, conn *con, const uint8_t *octets, size_t len, size_t *used) {
    conn_request *request = con->request;
    for (;;) {
        size_t consumed = 0;
        const uint8_t *data = NULL;
        size_t data_len = 0;
        parser_error error;
        const body_event event = body_next(&request->state, octets + *used, len - *used, &request->limits, &consumed,
                                           &data, &data_len, &error);
        *used += consumed;
        con->continue_due = con->continue_due && consumed == 0; /* else it came without being asked for */
        if (event == BODY_MORE) {
            return INTAKE_MORE;
        }
        if (event == BODY_ERROR) {
            intake_break_off(room, con, error.status);
            return INTAKE_NEXT;
        }
        if (event == BODY_END) {
            con->closing = con->closing || !request->keep_alive;
            if (request->flowing) {
                inflow_end(room, request->slot, INFLOW_WHOLE, &request->trailers);
            }
            room_drop_request(con);
            return INTAKE_NEXT;
        }
        bool pushed = true;
        if (event == BODY_TRAILER) {
            pushed = buffer_push(&request->trailers, data, data_len);
        } else if (request->flowing) {
            pushed = inflow_push(room, con, data, data_len);
            exchange_extend(room, request->slot);
        }
        if (!pushed) {
            con->sink.broken = true;
            return INTAKE_MORE;
        }
    }
}

static intake_step intake_next_body(conn_room *room, conn *con, const uint8_t *octets, size_t len, size_t *used) {
    conn_request *request = con->request;
    if (request->offered) {
        return INTAKE_TURN;
    }
    if (request->flowing || request->discard) {
        return intake_next_part(room, con, octets, len, used);
    }
    while (!request->complete) {
        size_t consumed = 0;
        const uint8_t *data = NULL;
        size_t data_len = 0;
        parser_error error;
        body_event event = body_next(&request->state, octets + *used, len - *used, &request->limits, &consumed, &data,
                                     &data_len, &error);
        *used += consumed;
        if (consumed > 0) {
            con->continue_due = false; /* it came without being asked for */
        }
        if (event == BODY_ERROR) {
            intake_refuse(room, con, error.status, error.reason);
            return INTAKE_NEXT;
        }
        buffer *into = event == BODY_TRAILER ? &request->trailers : &request->body;
        if ((event == BODY_DATA || event == BODY_TRAILER) && !buffer_push(into, data, data_len)) {
            con->sink.broken = true;
            return INTAKE_MORE;
        }
        if (event == BODY_MORE) {
            return INTAKE_MORE;
        }
        request->complete = event == BODY_END;
    }
    return intake_end_body(room, con);
}

bool intake_goes_on(const conn *con) {
    return !con->closing || (con->request != NULL && con->request->flowing);
}

/* Parses on until more octets, room or a turn is needed, or the client has to read first what it was answered.
 * Returns how many octets are done with. */
static size_t intake_consume(conn_room *room, conn *con, const uint8_t *octets, size_t len) {
    size_t at = 0;
    intake_step step = INTAKE_NEXT;
    bool open = batch_open(&room->batch);
    while (step == INTAKE_NEXT && intake_goes_on(con) && con->refusal == 0 && !con->sink.broken &&
           con->sink.pending.len == 0 && !con->shipping) {
        size_t used = 0;
        step = con->request != NULL ? intake_next_body(room, con, octets + at, len - at, &used)
                                    : intake_next_head(room, con, octets + at, len - at, &used);
        at += used;
    }
    if (step == INTAKE_ROOM) {
        /* The one that needs a larger batch is the first to get it. */
        room_wait(room, con, open && room->batch.needed > 0);
    }
    if (!intake_goes_on(con) || con->refusal != 0) {
        con->lingered += at < len; /* something came after the last request: see conn_end */
        return len;
    }
    return at;
}

void intake_push(conn_room *room, conn *con, const uint8_t *octets, size_t len) {
    if (con->in.len > 0) {
        if (!buffer_push(&con->in, octets, len)) {
            con->sink.broken = true;
            return;
        }
        intake_resume(room, con);
        return;
    }
    size_t done = intake_consume(room, con, octets, len);
    if (!buffer_push(&con->in, octets + done, len - done)) {
        con->sink.broken = true;
    }
}

void intake_resume(conn_room *room, conn *con) {
    static const uint8_t nothing[1] = {0};
    size_t done = intake_consume(room, con, con->in.len > 0 ? con->in.octets : nothing, con->in.len);
    buffer_take(&con->in, done);
    if (con->in.len == 0) {
        buffer_deinit(&con->in); /* an idle connection owns no buffer */
    }
}

bool intake_kept(const conn *con) {
    return con->in.len > 0 || (con->request != NULL && con->request->complete);
}

bool intake_blocked(const conn *con) {
    /* With an answer outstanding, octets that were kept and are no mere beginning of a request wait for their turn. */
    return con->in_flight > 0 &&
           ((con->in.len > 0 && con->parsed == 0) ||
            (con->request != NULL && (con->request->complete || con->request->offered || con->request->held)));
}

void intake_on_eof(conn_room *room, conn *con) {
    /* What was kept because an earlier answer must come first is a whole request, and still gets its answer. */
    bool unfinished = (con->in.len > 0 && con->parsed > 0) || (con->request != NULL && !con->request->complete);
    if (con->request != NULL && (con->request->flowing || con->request->discard)) {
        intake_break_off(room, con, INFLOW_LEFT);
        buffer_deinit(&con->in);
    } else if (unfinished && con->refusal == 0 && !con->closing) {
        intake_refuse(room, con, 400, "the connection ended inside a request (RFC 9112 §8)");
        buffer_deinit(&con->in);
    }
}

void intake_on_timeout(conn_room *room, conn *con) {
    if (con->request != NULL && (con->request->flowing || con->request->discard)) {
        intake_break_off(room, con, 408);
        buffer_deinit(&con->in);
        return;
    }
    intake_refuse(room, con, 408, "the request took too long to arrive (RFC 9110 §15.5.9)");
    buffer_deinit(&con->in);
}

static void intake_pay_refusal(conn_room *room, conn *con) {
    char text[256];
#define INTAKE_TEXT "Content-Type: text/plain; charset=utf-8\r\n"
    static const char plain[] = INTAKE_TEXT;
    static const char later[] = INTAKE_TEXT "Retry-After: 1\r\n";
    static const char other[] = INTAKE_TEXT "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
    const char *fields = con->refusal == 503 ? later : con->refusal == 405 ? other : plain;
    size_t len = strlen(con->refusal_reason);
    len = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, con->refusal_reason, len);
    text[len++] = '\n';
    response res = {
        .status = con->refusal,
        .fields = (const uint8_t *)fields,
        .fields_len = strlen(fields),
        .body_len = len,
    };
    con->refusal = 0;
    exchange_write(room, con, (exchange_kind){.keep_alive = false}, res, (const uint8_t *)text);
    buffer_deinit(&con->in);
}

void intake_pay_dues(conn_room *room, conn *con) {
    const uint16_t own = con->continue_due && con->request != NULL && con->request->slot != HANDLE_NONE;
    if (con->in_flight > own || con->closing) {
        return;
    }
    if (con->refusal != 0) {
        intake_pay_refusal(room, con);
    } else if (con->continue_due) {
        con->continue_due = false;
        if (con->in.len == 0) { /* or else the body is on its way already */
            output_push(&room->out, &con->sink, intake_continue, sizeof intake_continue - 1);
        }
    }
}
