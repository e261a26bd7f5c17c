/* The head of a response; see response.h.
 *
 * Owns:  the reason phrases of RFC 9110 §15 and the IANA registry.
 * Knows: that Date is the only part that changes with time.
 * Never: reads the clock; it is told.
 */
#include "response.h"

#include <assert.h>
#include <string.h>

#include "date.h"
#include "tinybeam.h"

enum { RESPONSE_FRAME_MAX = 256 }; /* status line, Server, Date, Connection, Content-Length and the empty line */

/* The phrase is optional (RFC 9112 §4), the space before it is not: an unknown status has none. */
static const char *const response_phrases[600] = {
    [100] = "Continue",
    [101] = "Switching Protocols",
    [103] = "Early Hints",
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [418] = "I'm a Teapot",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
    [511] = "Network Authentication Required",
};

static const char *response_reason(uint32_t status) {
    const char *phrase = status < 600 ? response_phrases[status] : NULL;
    return phrase == NULL ? "" : phrase;
}

static const char *response_content_type(unsigned kind) {
    switch (kind) {
    case TB_KIND_TEXT:
        return "text/plain; charset=utf-8";
    case TB_KIND_JSON:
        return "application/json";
    case TB_KIND_BYTES:
        return "application/octet-stream";
    case TB_KIND_HTML:
        return "text/html; charset=utf-8";
    default:
        return "";
    }
}

static uint8_t *response_push(uint8_t *at, const void *octets, size_t len) {
    memcpy(at, octets, len);
    return at + len;
}

static uint8_t *response_push_text(uint8_t *at, const char *text) {
    return response_push(at, text, strlen(text));
}

static uint8_t *response_push_number(uint8_t *at, uint64_t value) {
    uint8_t digits[20];
    size_t len = 0;
    do {
        digits[sizeof digits - ++len] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return response_push(at, digits + sizeof digits - len, len);
}

static uint8_t *response_push_status(uint8_t *at, const response_clock *clock, uint32_t status) {
    at = response_push_text(at, "HTTP/1.1 ");
    at = response_push_number(at, status);
    *at++ = ' ';
    at = response_push_text(at, response_reason(status));
    at = response_push_text(at, "\r\nServer: tinybeam\r\nDate: ");
    at = response_push(at, clock->date, RESPONSE_DATE_LEN);
    return response_push_text(at, "\r\n");
}

void response_tick(response_clock *clock, int64_t second) {
    if (clock->second == second && clock->ready_len[0] > 0) {
        return;
    }
    clock->second = second;
    date_write(clock->date, second);
    for (unsigned kind = 0; kind < RESPONSE_KINDS; kind++) {
        uint8_t *at = response_push_status(clock->ready[kind], clock, 200);
        if (kind > 0) {
            at = response_push_text(at, "Content-Type: ");
            at = response_push_text(at, response_content_type(kind));
            at = response_push_text(at, "\r\n");
        }
        at = response_push_text(at, "Content-Length: ");
        clock->ready_len[kind] = (size_t)(at - clock->ready[kind]);
        assert(clock->ready_len[kind] <= RESPONSE_READY_MAX);
    }
}

bool response_has_body(uint32_t status) {
    return status >= 200 && status != 204 && status != 205 && status != 304;
}

size_t response_head_max(const response *res) {
    return RESPONSE_FRAME_MAX + res->fields_len;
}

uint8_t *response_write_head(uint8_t *at, const response_clock *clock, const response *res) {
    if (res->kind > 0) {
        assert(res->kind < RESPONSE_KINDS);
        at = response_push(at, clock->ready[res->kind], clock->ready_len[res->kind]);
        at = response_push_number(at, res->body_len);
        at = response_push_text(at, "\r\n");
    } else {
        at = response_push_status(at, clock, res->status);
        if (res->fields_len > 0) {
            at = response_push(at, res->fields, res->fields_len);
        }
        /* RFC 9110 §8.6: no Content-Length in 1xx and 204. A 205 says 0 and a 304 need not repeat the length. */
        if (res->framing == RESPONSE_CHUNKED) {
            at = response_push_text(at, "Transfer-Encoding: chunked\r\n");
        } else if (res->framing == RESPONSE_LENGTH && (response_has_body(res->status) || res->status == 205)) {
            at = response_push_text(at, "Content-Length: ");
            at = response_push_number(at, res->status == 205 ? 0 : res->body_len);
            at = response_push_text(at, "\r\n");
        }
    }
    if (res->upgrade != NULL) {
        at = response_push_text(at, "Connection: upgrade\r\nUpgrade: ");
        at = response_push_text(at, res->upgrade);
        at = response_push_text(at, "\r\n");
    } else if (res->connection == RESPONSE_CLOSE) {
        at = response_push_text(at, "Connection: close\r\n");
    } else if (res->connection == RESPONSE_KEEP_ALIVE) {
        at = response_push_text(at, "Connection: keep-alive\r\n");
    }
    return response_push_text(at, "\r\n");
}
