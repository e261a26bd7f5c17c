/* Runs of octets of one kind, and where they stop.
 *
 * Owns:  the class of every octet (RFC 9110 and RFC 3986), and the loops over a run, plain and vector.
 * Knows: which vector instructions every machine of the target has; -DSPAN_SCALAR leaves them out.
 * Never: reads at or after stop, or decides what a run means.
 */
#ifndef TINYBEAM_SPAN_H
#define TINYBEAM_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(SPAN_SCALAR)
#elif defined(__SSE2__)
#include <emmintrin.h>
#define SPAN_VECTOR "sse2"
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#define SPAN_VECTOR "neon"
#endif

enum {
    SPAN_TOKEN = 1,      /* tchar (RFC 9110 §5.6.2) */
    SPAN_PATH = 2,       /* "/" and pchar, without "%" (RFC 3986 §3.3) */
    SPAN_QUERY = 4,      /* "?" and SPAN_PATH, and those that browsers leave bare in a query: [ ] { } | ^ ` */
    SPAN_REG_NAME = 8,   /* reg-name without "%" and "," (RFC 3986 §3.2.2) */
    SPAN_AUTHORITY = 16, /* what may stand in an authority: SPAN_REG_NAME : [ ] % */
    SPAN_HEX = 32,
    SPAN_DIGIT = 64,
    SPAN_VALUE = 128, /* field-value: HTAB, SP, VCHAR, obs-text (RFC 9110 §5.5) */
};

/* clang-format off */
static const uint8_t span_classes[256] = {
    /*0     1     2     3     4     5     6     7     8     9     A     B     C     D     E     F */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 0 */
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, /* 1 */
    0x80, 0x9f, 0x80, 0x81, 0x9f, 0x91, 0x9f, 0x9f, 0x9e, 0x9e, 0x9f, 0x9f, 0x86, 0x9f, 0x9f, 0x86, /* 2 */
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x96, 0x9e, 0x80, 0x9e, 0x80, 0x84, /* 3 */
    0x86, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, /* 4 */
    0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x94, 0x80, 0x94, 0x85, 0x9f, /* 5 */
    0x85, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, /* 6 */
    0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x9f, 0x84, 0x85, 0x84, 0x9f, 0x00, /* 7 */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* 8 */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* 9 */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* A */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* B */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* C */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* D */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* E */
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, /* F */
};
/* clang-format on */

static inline bool span_is(uint8_t octet, unsigned classes) {
    return (span_classes[octet] & classes) != 0;
}

/* The first octet from at that is in none of the classes, or stop. */
static inline const uint8_t *span_run(const uint8_t *at, const uint8_t *stop, unsigned classes) {
    while (at < stop && span_is(*at, classes)) {
        at++;
    }
    return at;
}

/* The first octet that may not stand in a field value, or stop. */
static inline const uint8_t *span_value_scalar(const uint8_t *at, const uint8_t *stop) {
    return span_run(at, stop, SPAN_VALUE);
}

#if defined(SPAN_VECTOR) && defined(__SSE2__)
static inline const uint8_t *span_value(const uint8_t *at, const uint8_t *stop) {
    const __m128i controls_max = _mm_set1_epi8(0x1f);
    const __m128i tab = _mm_set1_epi8('\t');
    const __m128i delete = _mm_set1_epi8(0x7f);
    while (stop - at >= 16) {
        const __m128i octets = _mm_loadu_si128((const __m128i *)(const void *)at);
        const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(octets, controls_max), octets);
        const __m128i wrong =
            _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(octets, tab), control), _mm_cmpeq_epi8(octets, delete));
        const unsigned mask = (unsigned)_mm_movemask_epi8(wrong);
        if (mask != 0) {
            return at + __builtin_ctz(mask);
        }
        at += 16;
    }
    return span_value_scalar(at, stop);
}
#elif defined(SPAN_VECTOR)
static inline const uint8_t *span_value(const uint8_t *at, const uint8_t *stop) {
    while (stop - at >= 16) {
        const uint8x16_t octets = vld1q_u8(at);
        const uint8x16_t control = vcltq_u8(octets, vdupq_n_u8(0x20));
        const uint8x16_t wrong =
            vorrq_u8(vbicq_u8(control, vceqq_u8(octets, vdupq_n_u8('\t'))), vceqq_u8(octets, vdupq_n_u8(0x7f)));
        if (vmaxvq_u8(wrong) != 0) {
            break;
        }
        at += 16;
    }
    return span_value_scalar(at, stop);
}
#else
#define SPAN_VECTOR "none"
static inline const uint8_t *span_value(const uint8_t *at, const uint8_t *stop) {
    return span_value_scalar(at, stop);
}
#endif

/* Whether the octets are this text in any letter case. The text is given in lower case; only letters may differ. */
static inline bool span_equals(const uint8_t *octets, size_t len, const char *text, size_t text_len) {
    if (len != text_len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const uint8_t octet = octets[i];
        const uint8_t lower = octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet | 0x20) : octet;
        if (lower != (uint8_t)text[i]) {
            return false;
        }
    }
    return true;
}

#endif
