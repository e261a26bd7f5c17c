/* Invariant: a body's content, trailers, verdict and end are the same however the octets are cut, within the limits.
 *
 * Owns:  the comparison of a body that comes whole with the same body in pieces.
 * Knows: body.h. The first octets of the input choose framing, length and cuts.
 * Never: a judgement of its own about chunks.
 */
#include "body.h"

#include "fuzz.h"

enum { CONTENT_MAX = 4096 };

static const body_limits limits = {
    .bytes_max = 1000, .chunk_line_bytes_max = 40, .trailer_bytes_max = 100, .trailer_fields_max = 4};

typedef struct outcome {
    body_event event;
    uint32_t status;
    size_t used;
    size_t content_len;
    size_t trailers_len;
    uint8_t content[CONTENT_MAX];
    uint8_t trailers[CONTENT_MAX];
} outcome;

static void feed(body_state *state, const uint8_t *octets, size_t len, outcome *result) {
    uint8_t *piece = fuzz_copy(octets, len);
    size_t at = 0;
    do {
        const uint8_t *data = NULL;
        size_t data_len = 0, consumed = SIZE_MAX;
        parser_error error = {0};
        result->event = body_next(state, piece + at, len - at, &limits, &consumed, &data, &data_len, &error);
        FUZZ_CHECK(consumed <= len - at);
        const bool has_data = result->event == BODY_DATA || result->event == BODY_TRAILER;
        if (has_data) {
            const bool trailer = result->event == BODY_TRAILER;
            uint8_t *into = trailer ? result->trailers : result->content;
            size_t *into_len = trailer ? &result->trailers_len : &result->content_len;
            FUZZ_CHECK(data_len > 0 && data >= piece + at && data + data_len == piece + at + consumed);
            FUZZ_CHECK(*into_len + data_len <= CONTENT_MAX);
            memcpy(into + *into_len, data, data_len);
            *into_len += data_len;
        }
        at += consumed;
        FUZZ_CHECK(result->event != BODY_MORE || at == len);
        result->status = result->event == BODY_ERROR ? error.status : 0;
        if (!has_data) {
            break;
        }
    } while (true);
    result->used += at;
    free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    static outcome whole, cut;
    if (len < 4 || len > 3000) {
        return 0;
    }
    const parser_framing framing = octets[0] & 1 ? PARSER_BODY_CHUNKED : PARSER_BODY_LENGTH;
    const uint64_t length = (uint64_t)octets[1] * (octets[0] & 2 ? 8 : 1) + 1;
    const size_t first = octets[2], step = octets[3] % 16 + 1u;
    octets += 4;
    len -= 4;
    memset(&whole, 0, sizeof whole);
    memset(&cut, 0, sizeof cut);
    body_state state;
    body_init(&state, framing, length);
    feed(&state, octets, len, &whole);
    body_init(&state, framing, length);
    size_t at = 0;
    do {
        const size_t piece = at == 0 && first > 0 ? first : step;
        const size_t taken = piece < len - at ? piece : len - at;
        feed(&state, octets + at, taken, &cut);
        at += taken;
    } while (at < len && cut.event == BODY_MORE);
    FUZZ_CHECK(whole.event == cut.event && whole.status == cut.status && whole.used == cut.used);
    FUZZ_CHECK(whole.content_len == cut.content_len);
    FUZZ_CHECK(memcmp(whole.content, cut.content, whole.content_len) == 0);
    /* Of a trailer section that is refused in the end, nothing is used. */
    FUZZ_CHECK(whole.event == BODY_ERROR || whole.trailers_len == cut.trailers_len);
    FUZZ_CHECK(whole.event == BODY_ERROR || memcmp(whole.trailers, cut.trailers, whole.trailers_len) == 0);
    FUZZ_CHECK(whole.content_len <= limits.bytes_max && whole.trailers_len <= limits.trailer_bytes_max);
    FUZZ_CHECK(framing == PARSER_BODY_CHUNKED || whole.event != BODY_END || whole.content_len == length);
    FUZZ_CHECK(whole.event != BODY_END || whole.trailers_len == 0 ||
               (whole.trailers_len > 2 && memcmp(whole.trailers + whole.trailers_len - 2, "\r\n", 2) == 0));
    return 0;
}
