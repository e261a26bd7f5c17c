/* From a connection's octets to requests in the batch; see intake.h.
 *
 * Owns:  the loop over heads and bodies.
 * Knows: that a request is handed over only when a slot is free, the batch has room and its turn has come.
 * Never: loses an octet: what is not consumed stays in the connection.
 */
#include "intake.h"

#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "tinybeam.h"

typedef enum intake_step {
    INTAKE_NEXT, /* go on with the octets that are left */
    INTAKE_MORE, /* more octets are needed */
    INTAKE_TURN, /* an earlier answer has to come first */
    INTAKE_ROOM, /* the batch or the handle table is full */
} intake_step;

static const uint8_t intake_continue[] = "HTTP/1.1 100 Continue\r\n\r\n";

void intake_close_request(conn *con) {
    if (con->request != NULL) {
        buffer_deinit(&con->request->head);
        buffer_deinit(&con->request->body);
        free(con->request);
        con->request = NULL;
    }
}

static void intake_refuse(conn_room *room, conn *con, uint32_t status, const char *reason) {
    con->refusal = (uint16_t)status;
    con->refusal_reason = reason;
    con->continue_due = false;
    con->lingered++; /* the rest of it may be on its way: see conn_end */
    intake_close_request(con);
    stats_add(&room->stats.requests_refused, 1);
}

static bool intake_safe(const parser_request *request) {
    return request->method_id == PARSER_METHOD_GET || request->method_id == PARSER_METHOD_HEAD ||
           request->method_id == PARSER_METHOD_OPTIONS || request->method_id == PARSER_METHOD_TRACE;
}

static bool intake_turn(const conn_room *room, const conn *con, bool safe) {
    if (con->in_flight == 0) {
        return true;
    }
    return safe && con->unsafe_in_flight == 0 && con->in_flight < room->pipeline_max;
}

static void intake_begin(conn_room *room, conn *con, exchange_kind kind) {
    con->closing = con->closing || !kind.keep_alive;
    stats_add(&room->stats.requests, 1);
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
    stats_add(&room->stats.constants, 1);
    return true;
}

static intake_step intake_begin_body(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                     size_t head_len) {
    if (parsed->framing == PARSER_BODY_LENGTH && parsed->content_length > room->body_limits.bytes_max) {
        intake_refuse(room, con, 413, "the body is larger than this server takes (RFC 9110 §15.5.14)");
        return INTAKE_NEXT;
    }
    conn_request *request = calloc(1, sizeof *request);
    con->request = request;
    if (request == NULL || !buffer_reserve(&request->head, batch_head_max(head_len, parsed))) {
        con->sink.broken = true;
        return INTAKE_MORE;
    }
    uint8_t *end = batch_write_head(request->head.octets, parsed, con->peer, con->peer_len);
    request->head.len = (size_t)(end - request->head.octets);
    request->head_method = kind.head;
    request->safe = kind.safe;
    request->http10 = kind.http10;
    request->keep_alive = kind.keep_alive;
    body_init(&request->state, parsed->framing, parsed->content_length);
    con->continue_due = parsed->expect_continue;
    return INTAKE_NEXT;
}

static intake_step intake_next_bare(conn_room *room, conn *con, const parser_request *parsed, exchange_kind kind,
                                    size_t head_len) {
    if (parsed->method_id == PARSER_METHOD_GET || parsed->method_id == PARSER_METHOD_HEAD) {
        const constant *item = constant_find(&room->constants, parsed->path, parsed->path_len);
        if (item != NULL) {
            return intake_answer_constant(room, con, item, kind) ? INTAKE_NEXT : INTAKE_ROOM;
        }
    }
    uint64_t handle;
    if (!batch_fits(&room->batch, batch_head_max(head_len, parsed)) || !exchange_open(room, con, kind, &handle)) {
        return INTAKE_ROOM;
    }
    uint8_t *start = batch_at(&room->batch);
    uint8_t *end = batch_write_head(start, parsed, con->peer, con->peer_len);
    batch_push_head(&room->batch, handle, (size_t)(end - start));
    intake_begin(room, con, kind);
    return INTAKE_NEXT;
}

/* Whether the parser can say more than the last time it was asked. A head that drips in is looked at again when a line
 * has ended or it has grown by a quarter, so that the whole costs linear time. */
static bool intake_worth_parsing(const conn *con, const uint8_t *octets, size_t len) {
    size_t seen = con->parsed;
    return seen == 0 || len < seen || len - seen >= seen / 4 || memchr(octets + seen, '\n', len - seen) != NULL;
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
    exchange_kind kind = {
        .head = parsed.method_id == PARSER_METHOD_HEAD,
        .safe = intake_safe(&parsed),
        .http10 = parsed.minor_version == 0,
        .keep_alive = parsed.keep_alive,
    };
    if (!intake_turn(room, con, kind.safe)) {
        return INTAKE_TURN;
    }
    intake_step step = parsed.framing == PARSER_BODY_NONE ? intake_next_bare(room, con, &parsed, kind, (size_t)n)
                                                          : intake_begin_body(room, con, &parsed, kind, (size_t)n);
    *used = step == INTAKE_NEXT ? (size_t)n : 0;
    return step;
}

/* The body is whole: hands the request over. */
static intake_step intake_end_body(conn_room *room, conn *con) {
    conn_request *request = con->request;
    exchange_kind kind = {
        .head = request->head_method,
        .safe = request->safe,
        .http10 = request->http10,
        .keep_alive = request->keep_alive,
    };
    uint64_t handle;
    if (!intake_turn(room, con, kind.safe)) {
        return INTAKE_TURN;
    }
    if (!batch_fits(&room->batch, request->head.len + request->body.len + TERM_HEAD_MAX) ||
        !exchange_open(room, con, kind, &handle)) {
        return INTAKE_ROOM;
    }
    batch_push(&room->batch, handle, request->head.octets, request->head.len, request->body.octets, request->body.len);
    intake_close_request(con);
    intake_begin(room, con, kind);
    return INTAKE_NEXT;
}

static intake_step intake_next_body(conn_room *room, conn *con, const uint8_t *octets, size_t len, size_t *used) {
    conn_request *request = con->request;
    while (!request->complete) {
        size_t consumed = 0;
        const uint8_t *data = NULL;
        size_t data_len = 0;
        parser_error error;
        body_event event = body_next(&request->state, octets + *used, len - *used, &room->body_limits, &consumed, &data,
                                     &data_len, &error);
        *used += consumed;
        if (consumed > 0) {
            con->continue_due = false; /* it came without being asked for */
        }
        if (event == BODY_ERROR) {
            intake_refuse(room, con, error.status, error.reason);
            return INTAKE_NEXT;
        }
        if (event == BODY_DATA && !buffer_push(&request->body, data, data_len)) {
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

/* Parses on until more octets, room or a turn is needed, or the client has to read first what it was answered.
 * Returns how many octets are done with. */
static size_t intake_consume(conn_room *room, conn *con, const uint8_t *octets, size_t len) {
    size_t at = 0;
    intake_step step = INTAKE_NEXT;
    bool open = batch_open(&room->batch);
    while (step == INTAKE_NEXT && !con->closing && con->refusal == 0 && !con->sink.broken &&
           con->sink.pending.len == 0) {
        size_t used = 0;
        step = con->request != NULL ? intake_next_body(room, con, octets + at, len - at, &used)
                                    : intake_next_head(room, con, octets + at, len - at, &used);
        at += used;
    }
    if (step == INTAKE_ROOM) {
        /* The one that needs a larger batch is the first to get it. */
        room_wait(room, con, open && room->batch.needed > 0);
    }
    if (con->closing || con->refusal != 0) {
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
           ((con->in.len > 0 && con->parsed == 0) || (con->request != NULL && con->request->complete));
}

void intake_on_eof(conn *con) {
    /* What was kept because an earlier answer must come first is a whole request, and still gets its answer. */
    bool unfinished = (con->in.len > 0 && con->parsed > 0) || (con->request != NULL && !con->request->complete);
    if (unfinished && con->refusal == 0 && !con->closing) {
        con->refusal = 400;
        con->refusal_reason = "the connection ended inside a request (RFC 9112 §8)";
        intake_close_request(con);
        buffer_deinit(&con->in);
    }
}

static void intake_pay_refusal(conn_room *room, conn *con) {
    char text[256];
    static const uint8_t fields[] = "Content-Type: text/plain; charset=utf-8\r\n";
    size_t len = strlen(con->refusal_reason);
    len = len < sizeof text - 1 ? len : sizeof text - 1;
    memcpy(text, con->refusal_reason, len);
    text[len++] = '\n';
    response res = {
        .status = con->refusal,
        .fields = fields,
        .fields_len = sizeof fields - 1,
        .body_len = len,
    };
    con->refusal = 0;
    exchange_write(room, con, (exchange_kind){.keep_alive = false}, res, (const uint8_t *)text);
    buffer_deinit(&con->in);
}

void intake_pay_dues(conn_room *room, conn *con) {
    if (con->in_flight > 0 || con->closing) {
        return;
    }
    if (con->refusal != 0) {
        intake_pay_refusal(room, con);
    } else if (con->continue_due) {
        con->continue_due = false;
        output_push(&room->out, &con->sink, intake_continue, sizeof intake_continue - 1);
    }
}
