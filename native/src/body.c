/* The body of a message: one octet at a time through the framing, one run at a time through the content.
 *
 * Owns:  the steps of a body, and the grammar of chunk-size lines, chunk extensions and trailer lines.
 * Knows: RFC 9112 sections 6.3 and 7.1; the classes in span.h.
 * Never: guesses where a chunk ends: what the grammar does not allow is refused, because two readings are two requests.
 */
#include "body.h"

#include "span.h"

/* A chunk of any size excuses this much of its own line, so that plain small chunks never count as overhead. */
#define BODY_LINE_BYTES_FREE 16

enum body_step {
    BODY_STEP_LENGTH,
    BODY_STEP_SIZE_FIRST, /* the first hex digit of a chunk-size */
    BODY_STEP_SIZE,
    BODY_STEP_EXT_SPACE, /* bad whitespace where only ";" may follow */
    BODY_STEP_EXT_NAME_FIRST,
    BODY_STEP_EXT_NAME,
    BODY_STEP_EXT_NAME_SPACE,
    BODY_STEP_EXT_VALUE_FIRST,
    BODY_STEP_EXT_VALUE,
    BODY_STEP_EXT_QUOTED,
    BODY_STEP_EXT_QUOTED_PAIR,
    BODY_STEP_EXT_QUOTED_END,
    BODY_STEP_SIZE_LF,
    BODY_STEP_DATA,
    BODY_STEP_DATA_CR,
    BODY_STEP_DATA_LF,
    BODY_STEP_TRAILER_FIRST, /* the first octet of a trailer line, or the CR of the empty line */
    BODY_STEP_TRAILER_NAME,
    BODY_STEP_TRAILER_VALUE,
    BODY_STEP_TRAILER_LF,
    BODY_STEP_END_LF,
    BODY_STEP_END,
    BODY_STEP_ERROR,
};

_Static_assert(sizeof(body_state) <= 48, "a connection keeps one of these");

uint64_t body_announced(const body_state *state) {
    return state->total;
}

uint64_t body_left(const body_state *state) {
    return state->step == BODY_STEP_LENGTH ? state->remaining : state->step == BODY_STEP_END ? 0 : UINT64_MAX;
}

void body_init(body_state *state, parser_framing framing, uint64_t content_length) {
    *state = (body_state){0};
    if (framing == PARSER_BODY_CHUNKED) {
        state->step = BODY_STEP_SIZE_FIRST;
    } else if (framing == PARSER_BODY_LENGTH && content_length > 0) {
        state->step = BODY_STEP_LENGTH;
        state->remaining = content_length;
        state->total = content_length;
    } else {
        state->step = BODY_STEP_END;
    }
}

static void body_refuse(body_state *state, uint16_t status, const char *reason) {
    state->step = BODY_STEP_ERROR;
    state->status = status;
    state->reason = reason;
}

static bool body_is_space(uint8_t octet) {
    return octet == ' ' || octet == '\t';
}

/* One digit more of the chunk-size. Refuses as soon as the digits so far are too many octets. */
static void body_on_digit(body_state *state, uint8_t octet, const body_limits *limits) {
    const unsigned digit = octet <= '9' ? (unsigned)(octet - '0') : (unsigned)((octet | 0x20) - 'a' + 10);
    const bool overflows = state->remaining > (UINT64_MAX >> 4);
    state->remaining = (state->remaining << 4) | digit;
    state->step = BODY_STEP_SIZE;
    if (overflows || state->remaining > limits->bytes_max || state->total > limits->bytes_max - state->remaining) {
        body_refuse(state, 413, "the chunks are larger than the body may be (RFC 9110 §15.5.14)");
    }
}

/* What may follow a whole chunk extension, or the chunk-size. */
static uint8_t body_on_extension_end(uint8_t octet) {
    if (octet == ';') {
        return BODY_STEP_EXT_NAME_FIRST;
    }
    if (octet == '\r') {
        return BODY_STEP_SIZE_LF;
    }
    return body_is_space(octet) ? BODY_STEP_EXT_SPACE : BODY_STEP_ERROR;
}

/* chunk-ext = *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 §7.1.1. */
static uint8_t body_on_extension(uint8_t step, uint8_t octet) {
    const bool token = span_is(octet, SPAN_TOKEN);
    const bool space = body_is_space(octet);
    switch (step) {
    case BODY_STEP_EXT_SPACE:
        return space ? step : octet == ';' ? BODY_STEP_EXT_NAME_FIRST : BODY_STEP_ERROR;
    case BODY_STEP_EXT_NAME_FIRST:
        return token ? BODY_STEP_EXT_NAME : space ? step : BODY_STEP_ERROR;
    case BODY_STEP_EXT_NAME:
        if (token || octet == '=') {
            return token ? step : BODY_STEP_EXT_VALUE_FIRST;
        }
        return space ? BODY_STEP_EXT_NAME_SPACE : body_on_extension_end(octet);
    case BODY_STEP_EXT_NAME_SPACE:
        if (octet == '=' || octet == ';') {
            return octet == '=' ? BODY_STEP_EXT_VALUE_FIRST : BODY_STEP_EXT_NAME_FIRST;
        }
        return space ? step : BODY_STEP_ERROR;
    case BODY_STEP_EXT_VALUE_FIRST:
        if (octet == '"') {
            return BODY_STEP_EXT_QUOTED;
        }
        return token ? BODY_STEP_EXT_VALUE : space ? step : BODY_STEP_ERROR;
    case BODY_STEP_EXT_VALUE:
        return token ? step : body_on_extension_end(octet);
    case BODY_STEP_EXT_QUOTED:
        if (octet == '"' || octet == '\\') {
            return octet == '"' ? BODY_STEP_EXT_QUOTED_END : BODY_STEP_EXT_QUOTED_PAIR;
        }
        return span_is(octet, SPAN_VALUE) ? step : BODY_STEP_ERROR;
    case BODY_STEP_EXT_QUOTED_PAIR:
        return span_is(octet, SPAN_VALUE) ? BODY_STEP_EXT_QUOTED : BODY_STEP_ERROR;
    default: /* BODY_STEP_EXT_QUOTED_END, and after the chunk-size itself */
        return body_on_extension_end(octet);
    }
}

/* The end of a chunk-size line. Long lines before small chunks cost us and carry nothing, so their excess over what
 * the chunks carry is summed up and bounded, however many lines it is spread over. */
static void body_on_size_end(body_state *state, const body_limits *limits) {
    const uint64_t spent = (uint64_t)state->overhead + state->line_bytes;
    const uint64_t excused = state->remaining > spent ? spent : state->remaining + BODY_LINE_BYTES_FREE;
    const uint64_t overhead = spent > excused ? spent - excused : 0;
    if (overhead > limits->chunk_line_bytes_max) {
        body_refuse(state, 413, "more chunk extensions than content (RFC 9112 §7.1.1)");
        return;
    }
    state->overhead = (uint32_t)overhead;
    state->line_bytes = 0;
    state->total += state->remaining;
    state->step = state->remaining == 0 ? BODY_STEP_TRAILER_FIRST : BODY_STEP_DATA;
}

/* One octet of a chunk-size line, its LF included. */
static void body_on_size(body_state *state, uint8_t octet, const body_limits *limits) {
    if (state->step == BODY_STEP_SIZE_LF) {
        if (octet == '\n') {
            body_on_size_end(state, limits);
        } else {
            body_refuse(state, 400, "bare CR in a chunk-size line (RFC 9112 §7.1)");
        }
        return;
    }
    if (octet != '\r' && ++state->line_bytes > limits->chunk_line_bytes_max) {
        body_refuse(state, 413, "a chunk-size line is too long (RFC 9112 §7.1.1)");
    } else if (state->step <= BODY_STEP_SIZE && span_is(octet, SPAN_HEX)) {
        body_on_digit(state, octet, limits);
    } else if (state->step == BODY_STEP_SIZE_FIRST) {
        body_refuse(state, 400, "a chunk does not begin with its size (RFC 9112 §7.1)");
    } else {
        state->step = body_on_extension(state->step, octet);
        if (state->step == BODY_STEP_ERROR) {
            body_refuse(state, 400, "a chunk-size line is malformed (RFC 9112 §7.1)");
        }
    }
}

/* The CRLF after the content of a chunk. */
static void body_on_data_end(body_state *state, uint8_t octet) {
    if (octet != (state->step == BODY_STEP_DATA_CR ? '\r' : '\n')) {
        body_refuse(state, 400, "no CRLF after the content of a chunk (RFC 9112 §7.1)");
        return;
    }
    state->step = state->step == BODY_STEP_DATA_CR ? BODY_STEP_DATA_LF : BODY_STEP_SIZE_FIRST;
}

/* One octet of the trailer section or of the empty line after it. The rules are those of the header section. */
static void body_on_trailer(body_state *state, uint8_t octet, const body_limits *limits) {
    const bool empty_line =
        state->step == BODY_STEP_END_LF || (state->step == BODY_STEP_TRAILER_FIRST && octet == '\r');
    if (!empty_line && ++state->line_bytes > limits->trailer_bytes_max) {
        body_refuse(state, 431, "the trailer section is too large (RFC 9110 §6.5)");
        return;
    }
    bool good = true;
    switch (state->step) {
    case BODY_STEP_TRAILER_FIRST:
        if (empty_line) {
            state->step = BODY_STEP_END_LF;
        } else if (++state->field_count > limits->trailer_fields_max) {
            body_refuse(state, 431, "too many trailer fields (RFC 9110 §6.5)");
        } else {
            good = span_is(octet, SPAN_TOKEN);
            state->step = BODY_STEP_TRAILER_NAME;
        }
        break;
    case BODY_STEP_TRAILER_NAME:
        good = octet == ':' || span_is(octet, SPAN_TOKEN);
        state->step = octet == ':' ? BODY_STEP_TRAILER_VALUE : BODY_STEP_TRAILER_NAME;
        break;
    case BODY_STEP_TRAILER_VALUE:
        good = octet == '\r' || span_is(octet, SPAN_VALUE);
        state->step = octet == '\r' ? BODY_STEP_TRAILER_LF : BODY_STEP_TRAILER_VALUE;
        break;
    default: /* BODY_STEP_TRAILER_LF and BODY_STEP_END_LF */
        good = octet == '\n';
        state->step = state->step == BODY_STEP_END_LF ? BODY_STEP_END : BODY_STEP_TRAILER_FIRST;
    }
    if (!good) {
        body_refuse(state, 400, "a trailer line is malformed (RFC 9112 §5, §7.1.2)");
    }
}

/* Takes what there is of trailer lines, and of the empty line's octets one. */
static size_t body_take_trailer(body_state *state, const uint8_t *octets, size_t len, const body_limits *limits) {
    size_t taken = 0;
    while (taken < len && state->step >= BODY_STEP_TRAILER_FIRST && state->step <= BODY_STEP_TRAILER_LF &&
           !(state->step == BODY_STEP_TRAILER_FIRST && octets[taken] == '\r')) {
        body_on_trailer(state, octets[taken++], limits);
    }
    return taken;
}

/* Takes what there is of the content. */
static size_t body_take_data(body_state *state, size_t len) {
    const size_t taken = state->remaining < len ? (size_t)state->remaining : len;
    state->remaining -= taken;
    if (state->remaining == 0) {
        state->step = state->step == BODY_STEP_LENGTH ? BODY_STEP_END : BODY_STEP_DATA_CR;
    }
    return taken;
}

body_event body_next(body_state *state, const uint8_t *octets, size_t len, const body_limits *limits, size_t *consumed,
                     const uint8_t **data, size_t *data_len, parser_error *error) {
    size_t at = 0;
    if (state->step == BODY_STEP_LENGTH && state->total > limits->bytes_max) {
        body_refuse(state, 413, "Content-Length is more than the body may be (RFC 9110 §15.5.14)");
    }
    while (state->step < BODY_STEP_END && at < len) {
        if (state->step == BODY_STEP_LENGTH || state->step == BODY_STEP_DATA) {
            *data = octets + at;
            *data_len = body_take_data(state, len - at);
            *consumed = at + *data_len;
            return BODY_DATA;
        }
        if (state->step <= BODY_STEP_SIZE_LF) {
            body_on_size(state, octets[at], limits);
        } else if (state->step <= BODY_STEP_DATA_LF) {
            body_on_data_end(state, octets[at]);
        } else {
            const size_t taken = body_take_trailer(state, octets + at, len - at, limits);
            if (taken == 0) {
                body_on_trailer(state, octets[at], limits);
            } else if (state->step != BODY_STEP_ERROR) {
                *data = octets + at;
                *data_len = taken;
                *consumed = at + taken;
                return BODY_TRAILER;
            } else {
                at += taken - 1;
            }
        }
        at++;
    }
    *consumed = at;
    if (state->step == BODY_STEP_ERROR) {
        *error = (parser_error){.status = state->status, .reason = state->reason};
        return BODY_ERROR;
    }
    return state->step == BODY_STEP_END ? BODY_END : BODY_MORE;
}
