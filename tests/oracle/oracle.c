/* What the engine's parser and body make of the octets of a connection, however they are cut.
 *
 * Owns:  the form of that: a record for each thing that is read, and one for how it ended.
 * Knows: parser.h and body.h; tests/oracle/readings.py reads the records.
 * Never: in the engine; it is compiled by the tests.
 *
 *   'R' minor_version:u8 keep_alive:u8 expect_continue:u8 fields:u16 method:str target:str,
 *       and for each field name:str value:str; str = len:u32 octets
 *   'D' str          content
 *   'T' str          octets of trailer lines
 *   'N' at:u32       the message ended at this octet of the connection
 *   'E' status:u16 reason:str | 'M' (more octets are needed) | 'C' (the connection ends here); one of these is the last
 */
#include <string.h>

#include "body.h"
#include "parser.h"

static const parser_limits oracle_limits = {
    .request_line_bytes_max = 8192, .header_bytes_max = 65536, .fields_max = 100};
static const body_limits oracle_body_limits = {
    .bytes_max = 1 << 20, .chunk_line_bytes_max = 256, .trailer_bytes_max = 65536, .trailer_fields_max = 100};

/* A connection that is being read. */
typedef struct oracle_conn {
    const uint8_t *octets;
    size_t at;    /* what was consumed */
    uint8_t *out; /* where the next record goes */
    bool in_body;
    bool keep_alive;
    body_state body;
} oracle_conn;

size_t oracle_run(const uint8_t *octets, const uint32_t *stops, size_t stops_len, uint8_t *into);

static void oracle_put_number(oracle_conn *conn, uint64_t value, unsigned width) {
    while (width > 0) {
        width--;
        *conn->out++ = (uint8_t)(value >> (8 * width));
    }
}

static void oracle_put_text(oracle_conn *conn, const void *octets, size_t len) {
    oracle_put_number(conn, len, 4);
    memcpy(conn->out, octets, len);
    conn->out += len;
}

static void oracle_put_request(oracle_conn *conn, const parser_request *request) {
    *conn->out++ = 'R';
    oracle_put_number(conn, request->minor_version, 1);
    oracle_put_number(conn, request->keep_alive, 1);
    oracle_put_number(conn, request->expect_continue, 1);
    oracle_put_number(conn, request->field_count, 2);
    oracle_put_text(conn, request->method, request->method_len);
    oracle_put_text(conn, request->target, request->target_len);
    for (uint32_t i = 0; i < request->field_count; i++) {
        oracle_put_text(conn, request->fields[i].name, request->fields[i].name_len);
        oracle_put_text(conn, request->fields[i].value, request->fields[i].value_len);
    }
}

/* Says that the octets were refused. Always true: the connection is over. */
static bool oracle_refuse(oracle_conn *conn, const parser_error *error) {
    *conn->out++ = 'E';
    oracle_put_number(conn, error->status, 2);
    oracle_put_text(conn, error->reason, strlen(error->reason));
    return true;
}

/* Reads a head from what there is. Returns whether the connection is over. */
static bool oracle_on_head(oracle_conn *conn, size_t stop) {
    parser_request request;
    parser_error error = {0};
    const ptrdiff_t used = parser_next(conn->octets + conn->at, stop - conn->at, &oracle_limits, &request, &error);
    if (used < 0) {
        return oracle_refuse(conn, &error);
    }
    if (used > 0) {
        oracle_put_request(conn, &request);
        body_init(&conn->body, request.framing, request.content_length);
        conn->at += (size_t)used;
        conn->keep_alive = request.keep_alive;
        conn->in_body = true;
    }
    return false;
}

/* Reads of a body what there is. Returns whether the connection is over. */
static bool oracle_on_body(oracle_conn *conn, size_t stop) {
    for (;;) {
        const uint8_t *data = NULL;
        size_t data_len = 0, consumed = 0;
        parser_error error = {0};
        const body_event event = body_next(&conn->body, conn->octets + conn->at, stop - conn->at, &oracle_body_limits,
                                           &consumed, &data, &data_len, &error);
        conn->at += consumed;
        switch (event) {
        case BODY_DATA:
        case BODY_TRAILER:
            *conn->out++ = event == BODY_DATA ? 'D' : 'T';
            oracle_put_text(conn, data, data_len);
            break;
        case BODY_MORE:
            return false;
        case BODY_ERROR:
            return oracle_refuse(conn, &error);
        case BODY_END:
            *conn->out++ = 'N';
            oracle_put_number(conn, conn->at, 4);
            conn->in_body = false;
            if (!conn->keep_alive) {
                *conn->out++ = 'C';
            }
            return !conn->keep_alive;
        }
    }
}

/* Reads the octets in pieces, each up to the next of the stops, the last of which is their length. Writes the records;
 * `into` has room for sixteen times as many octets and some more. Returns the length of the records. */
size_t oracle_run(const uint8_t *octets, const uint32_t *stops, size_t stops_len, uint8_t *into) {
    oracle_conn conn = {.octets = octets, .out = into};
    for (size_t i = 0; i < stops_len; i++) {
        /* A body may end without another octet, a head may not. */
        for (bool went_on = true; went_on && (conn.in_body || conn.at < stops[i]);) {
            const size_t before = conn.at;
            const bool head = !conn.in_body;
            if (head ? oracle_on_head(&conn, stops[i]) : oracle_on_body(&conn, stops[i])) {
                return (size_t)(conn.out - into);
            }
            went_on = conn.at > before || head != !conn.in_body;
        }
    }
    *conn.out++ = 'M';
    return (size_t)(conn.out - into);
}
