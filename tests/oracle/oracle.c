/* What the engine's parser and body make of all the octets of a connection, told in one piece.
 *
 * Owns:  the form of that: one record for each request, and one for how it ended.
 * Knows: parser.h and body.h; tests/oracle/ours.py reads the records.
 * Never: in the engine; it is compiled by the tests.
 *
 *   'R' version:u8 keep_alive:u8 fields:u16 trailers_len:u32 body_len:u32 method:str target:str
 *       (name:str value:str) for each field, then the trailer lines, then the body; str = len:u32 octets
 *   'E' status:u16 reason:str | 'M' (more octets are needed) | 'C' (the connection ends here)
 */
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "parser.h"

static const parser_limits oracle_limits = {
    .request_line_bytes_max = 8192, .header_bytes_max = 65536, .fields_max = 100};
static const body_limits oracle_body_limits = {
    .bytes_max = 1 << 20, .chunk_line_bytes_max = 256, .trailer_bytes_max = 65536, .trailer_fields_max = 100};

typedef struct sink {
    uint8_t *at;
} sink;

static void put(sink *out, const void *octets, size_t len) {
    if (len > 0) {
        memcpy(out->at, octets, len);
    }
    out->at += len;
}

static void put_number(sink *out, uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        *out->at++ = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
}

static void put_text(sink *out, const void *octets, size_t len) {
    put_number(out, len, 4);
    put(out, octets, len);
}

static void put_error(sink *out, const parser_error *error) {
    put_number(out, 'E', 1);
    put_number(out, error->status, 2);
    put_text(out, error->reason, strlen(error->reason));
}

static void put_request(sink *out, const parser_request *request, const uint8_t *trailers, size_t trailers_len,
                        const uint8_t *body, size_t body_len) {
    put_number(out, 'R', 1);
    put_number(out, request->minor_version, 1);
    put_number(out, request->keep_alive, 1);
    put_number(out, request->field_count, 2);
    put_number(out, trailers_len, 4);
    put_number(out, body_len, 4);
    put_text(out, request->method, request->method_len);
    put_text(out, request->target, request->target_len);
    for (uint32_t i = 0; i < request->field_count; i++) {
        put_text(out, request->fields[i].name, request->fields[i].name_len);
        put_text(out, request->fields[i].value, request->fields[i].value_len);
    }
    put(out, trailers, trailers_len);
    put(out, body, body_len);
}

/* Reads a body. Returns the octets it took, or -1; then *end is what to say: 'E' or 'M'. */
static ptrdiff_t read_body(const parser_request *request, const uint8_t *octets, size_t len, uint8_t *body,
                           size_t *body_len, uint8_t *trailers, size_t *trailers_len, parser_error *error, char *end) {
    body_state state;
    size_t at = 0;
    *body_len = *trailers_len = 0;
    body_init(&state, request->framing, request->content_length);
    for (;;) {
        const uint8_t *data = NULL;
        size_t data_len = 0, consumed = 0;
        const body_event event =
            body_next(&state, octets + at, len - at, &oracle_body_limits, &consumed, &data, &data_len, error);
        at += consumed;
        if (event == BODY_DATA) {
            memcpy(body + *body_len, data, data_len);
            *body_len += data_len;
        } else if (event == BODY_TRAILER) {
            memcpy(trailers + *trailers_len, data, data_len);
            *trailers_len += data_len;
        } else if (event == BODY_END) {
            return (ptrdiff_t)at;
        } else {
            *end = event == BODY_ERROR ? 'E' : 'M';
            return -1;
        }
    }
}

/* Writes the records for these octets; `out` has room for sixteen times as many and some more. Returns their length. */
size_t oracle_run(const uint8_t *octets, size_t len, uint8_t *into);

size_t oracle_run(const uint8_t *octets, size_t len, uint8_t *into) {
    static parser_request request;
    sink out = {.at = into};
    uint8_t *body = malloc(len + 1), *trailers = malloc(len + 1);
    size_t at = 0;
    for (;;) {
        parser_error error = {0};
        char end = 'M';
        const ptrdiff_t n = at == len ? 0 : parser_next(octets + at, len - at, &oracle_limits, &request, &error);
        size_t body_len, trailers_len;
        if (n <= 0) {
            end = n < 0 ? 'E' : 'M';
        } else {
            at += (size_t)n;
            const ptrdiff_t used =
                read_body(&request, octets + at, len - at, body, &body_len, trailers, &trailers_len, &error, &end);
            if (used >= 0) {
                at += (size_t)used;
                put_request(&out, &request, trailers, trailers_len, body, body_len);
                if (request.keep_alive) {
                    continue;
                }
                end = 'C';
            }
        }
        if (end == 'E') {
            put_error(&out, &error);
        } else {
            put_number(&out, (uint8_t)end, 1);
        }
        break;
    }
    free(body);
    free(trailers);
    return (size_t)(out.at - into);
}
