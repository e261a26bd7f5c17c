/* The head of a response.
 *
 * Owns:  the status lines, the Date (rendered once a second), and the heads of the common answers, ready made.
 * Knows: which statuses have no content (RFC 9110 §6.4.1) and that framing is the engine's alone.
 * Never: writes more than response_head_max octets.
 */
#ifndef TINYBEAM_RESPONSE_H
#define TINYBEAM_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_DATE_LEN = 29, RESPONSE_KINDS = 5, RESPONSE_READY_MAX = 192 };

/* What the clock says, and what was rendered from it. */
typedef struct response_clock {
    int64_t second;
    char date[RESPONSE_DATE_LEN];
    uint8_t ready[RESPONSE_KINDS][RESPONSE_READY_MAX]; /* "HTTP/1.1 200 OK ... Content-Length: " for each kind */
    size_t ready_len[RESPONSE_KINDS];
} response_clock;

typedef enum response_connection {
    RESPONSE_PERSIST,    /* says nothing: HTTP/1.1's default */
    RESPONSE_KEEP_ALIVE, /* says so: the client is HTTP/1.0 */
    RESPONSE_CLOSE,
} response_connection;

/* How the end of the body is told (RFC 9112 §6.3). */
typedef enum response_framing {
    RESPONSE_LENGTH,
    RESPONSE_CHUNKED,
    RESPONSE_UNTIL_CLOSE,
} response_framing;

typedef struct response {
    uint32_t status;
    uint32_t kind; /* a TB_KIND_... with status 200, or 0 for a status with fields of its own */
    const uint8_t *fields;
    size_t fields_len;
    size_t body_len;
    response_framing framing;
    response_connection connection;
    const char *upgrade; /* of a 101: the protocol */
} response;

/* Renders anew when the second has changed. */
void response_tick(response_clock *clock, int64_t second);
size_t response_head_max(const response *res);
uint8_t *response_write_head(uint8_t *at, const response_clock *clock, const response *res);
/* Whether this status may carry content at all. */
bool response_has_body(uint32_t status);

#endif
