/* Content codings; see coding.h.
 *
 * Owns:  the grammar of Accept-Encoding.
 * Knows: that x-gzip is gzip (RFC 9110 §8.4.1.3); of a coding that comes twice the lower weight counts, which may be
 *        a refusal.
 * Never: guesses at a malformed element: it is as if it were not there.
 */
#include "coding.h"

#include <stddef.h>

#include "span.h"

enum { CODING_ANY = CODINGS, CODING_WORDS, CODING_SILENT = -2, CODING_WEIGHT_MAX = 1000 };

static const char *const coding_tokens[CODINGS] = {"br", "zstd", "gzip", NULL};
static const char *const coding_suffixes[CODINGS] = {".br", ".zst", ".gz", ""};

const char *coding_token(coding which) {
    return coding_tokens[which];
}

const char *coding_suffix(coding which) {
    return coding_suffixes[which];
}

static const uint8_t *coding_skip_spaces(const uint8_t *at, const uint8_t *stop) {
    while (at < stop && (*at == ' ' || *at == '\t')) {
        at++;
    }
    return at;
}

/* The place of a word among the weights; CODING_WORDS for one that is unknown. */
static unsigned coding_of(const uint8_t *word, size_t len) {
    static const struct {
        char text[9];
        uint8_t len;
        uint8_t id;
    } words[] = {
        {"gzip", 4, CODING_GZIP},         {"br", 2, CODING_BR},       {"zstd", 4, CODING_ZSTD},
        {"identity", 8, CODING_IDENTITY}, {"x-gzip", 6, CODING_GZIP}, {"*", 1, CODING_ANY},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (span_equals(word, len, words[i].text, words[i].len)) {
            return words[i].id;
        }
    }
    return CODING_WORDS;
}

/* qvalue = "0" [ "." *3DIGIT ] / "1" [ "." *3"0" ], in thousandths. NULL when it is none. */
static const uint8_t *coding_on_qvalue(const uint8_t *at, const uint8_t *stop, int16_t *weight) {
    if (at == stop || (*at != '0' && *at != '1')) {
        return NULL;
    }
    int value = (*at++ - '0') * CODING_WEIGHT_MAX;
    if (at < stop && *at == '.') {
        at++;
        for (int place = 100; place > 0 && at < stop && span_is(*at, SPAN_DIGIT); place /= 10) {
            value += (*at++ - '0') * place;
        }
    }
    *weight = (int16_t)value;
    return value <= CODING_WEIGHT_MAX ? at : NULL;
}

/* [ OWS ";" OWS "q=" qvalue ] and the spaces after it. NULL when there is anything else before the next comma. */
static const uint8_t *coding_on_weight(const uint8_t *at, const uint8_t *stop, int16_t *weight) {
    *weight = CODING_WEIGHT_MAX;
    at = coding_skip_spaces(at, stop);
    if (at < stop && *at == ';') {
        at = coding_skip_spaces(at + 1, stop);
        if (stop - at < 2 || !span_equals(at, 2, "q=", 2)) {
            return NULL;
        }
        at = coding_on_qvalue(at + 2, stop, weight);
        if (at == NULL) {
            return NULL;
        }
        at = coding_skip_spaces(at, stop);
    }
    return at == stop || *at == ',' ? at : NULL;
}

static void coding_on_line(const parser_field *line, int16_t *weights) {
    const uint8_t *at = line->value, *stop = at + line->value_len;
    while ((at = coding_skip_spaces(at, stop)) < stop) {
        const uint8_t *word = at;
        at = span_run(at, stop, SPAN_TOKEN);
        const unsigned id = coding_of(word, (size_t)(at - word));
        int16_t weight;
        const uint8_t *end = coding_on_weight(at, stop, &weight);
        if (end != NULL && id < CODING_WORDS && (weights[id] == CODING_SILENT || weight < weights[id])) {
            weights[id] = weight;
        }
        for (at = end == NULL ? at : end; at < stop && *at != ',';) {
            at++;
        }
        at += at < stop;
    }
}

void coding_read(coding_wish *wish, const asked *want) {
    int16_t weights[CODING_WORDS];
    for (unsigned i = 0; i < CODING_WORDS; i++) {
        weights[i] = CODING_SILENT;
    }
    for (const parser_field *line = NULL; (line = asked_next(want, ASKED_ACCEPT_ENCODING, line)) != NULL;) {
        coding_on_line(line, weights);
    }
    for (unsigned i = 0; i < CODINGS; i++) {
        const int16_t otherwise = weights[CODING_ANY] != CODING_SILENT ? weights[CODING_ANY]
                                  : i == CODING_IDENTITY               ? CODING_UNNAMED
                                                                       : 0;
        wish->weights[i] = weights[i] != CODING_SILENT ? weights[i] : otherwise;
    }
}

coding coding_choose(const coding_wish *wish, unsigned available) {
    coding best = CODING_IDENTITY;
    /* An identity of which nothing was said is acceptable, but less than whatever was asked for by name. */
    int16_t most = wish->weights[CODING_IDENTITY] == CODING_UNNAMED ? 0 : wish->weights[CODING_IDENTITY];
    for (int i = CODING_IDENTITY - 1; i >= 0; i--) {
        const int16_t weight = wish->weights[i];
        if ((available >> i & 1) != 0 && weight > 0 && weight >= most) {
            best = (coding)i;
            most = weight;
        }
    }
    return best;
}
