/* The body of an HTTP/1.1 message: from framed octets to content, piece by piece.
 *
 * Owns:  the state of one body between two pieces of input, and the verdict on chunks and trailers.
 * Knows: RFC 9112 sections 6 and 7, read strictly; the framing that the parser found.
 * Never: does I/O, allocates, copies content, or reads past the octets it was given.
 */
#ifndef TINYBEAM_BODY_H
#define TINYBEAM_BODY_H

#include "parser.h"

typedef struct body_limits {
    uint64_t bytes_max;            /* decoded content of the whole body; more is a 413 */
    uint32_t chunk_line_bytes_max; /* one chunk-size line with its extensions, without its CRLF */
    uint32_t trailer_bytes_max;    /* all trailer lines with their CRLFs */
    uint32_t trailer_fields_max;
} body_limits;

/* Plain data: may be copied, needs no release. Only body.c looks inside. */
typedef struct body_state {
    uint64_t remaining;   /* of the length or of the chunk: octets still to come */
    uint64_t total;       /* octets of content announced so far */
    const char *reason;   /* of the refusal, once there is one */
    uint32_t line_bytes;  /* of the chunk-size line, or of the whole trailer section */
    uint32_t overhead;    /* octets of chunk-size lines that the chunks' own size does not excuse */
    uint32_t field_count; /* of the trailer section */
    uint16_t status;      /* of the refusal */
    uint8_t step;
} body_state;

typedef enum body_event {
    BODY_MORE,    /* all input is used up and the body goes on */
    BODY_DATA,    /* *data names content; there may be more in the rest of the input */
    BODY_TRAILER, /* *data names octets of trailer lines, which are well-formed, each with its CRLF in the end */
    BODY_END,     /* the message is complete; what follows *consumed belongs to the next one */
    BODY_ERROR    /* refused: *error says why; the connection cannot be used again */
} body_event;

void body_init(body_state *state, parser_framing framing, uint64_t content_length);

/* The octets of content that are announced so far: all of them for a length. */
uint64_t body_announced(const body_state *state);

/* The octets of content that are still to come; UINT64_MAX where that is not known, or the body is refused. */
uint64_t body_left(const body_state *state);

/* Consumes from octets and says in *consumed how far it went. On BODY_DATA and BODY_TRAILER *data and *data_len
 * name octets inside the input (never none of it). Call it again with what is left until it returns BODY_MORE, BODY_END
 * or BODY_ERROR; the last two are repeated from then on. The content is the same however the input is cut. A length
 * over bytes_max is refused by the first call, also by one with no octets: ask before sending 100 (Continue).
 */
body_event body_next(body_state *state, const uint8_t *octets, size_t len, const body_limits *limits, size_t *consumed,
                     const uint8_t **data, size_t *data_len, parser_error *error);

#endif
