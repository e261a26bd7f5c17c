/* MessagePack, as much of it as crosses the border; see term.h.
 *
 * Owns:  the format bytes.
 * Knows: that the writer's choices need not be the shortest, while the reader takes every legal width.
 * Never: trusts a length before it has been held against the input's end.
 */
#include "term.h"

#include <assert.h>
#include <string.h>

enum {
    TERM_NIL = 0xc0,
    TERM_TRUE = 0xc3,
    TERM_BIN8 = 0xc4,
    TERM_BIN16 = 0xc5,
    TERM_BIN32 = 0xc6,
    TERM_UINT8 = 0xcc,
    TERM_UINT16 = 0xcd,
    TERM_UINT32 = 0xce,
    TERM_UINT64 = 0xcf,
    TERM_STR8 = 0xd9,
    TERM_STR16 = 0xda,
    TERM_STR32 = 0xdb,
    TERM_ARRAY16 = 0xdc,
    TERM_ARRAY32 = 0xdd,
    TERM_FIXARRAY = 0x90,
    TERM_FIXSTR = 0xa0,
};

static uint8_t *term_write_be(uint8_t *at, uint64_t value, unsigned width) {
    for (unsigned i = 0; i < width; i++) {
        at[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    }
    return at + width;
}

uint8_t *term_write_array32(uint8_t *at, uint32_t count) {
    *at = TERM_ARRAY32;
    return term_write_be(at + 1, count, 4);
}

uint8_t *term_write_array(uint8_t *at, uint8_t count) {
    assert(count <= 15);
    *at = (uint8_t)(TERM_FIXARRAY | count);
    return at + 1;
}

uint8_t *term_write_uint64(uint8_t *at, uint64_t value) {
    uint64_t swapped = __builtin_bswap64(value);
    *at = TERM_UINT64;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    swapped = value;
#endif
    memcpy(at + 1, &swapped, sizeof swapped);
    return at + 9;
}

uint8_t *term_write_nil(uint8_t *at) {
    *at = TERM_NIL;
    return at + 1;
}

uint8_t *term_write_true(uint8_t *at) {
    *at = TERM_TRUE;
    return at + 1;
}

uint8_t *term_write_str(uint8_t *at, const void *octets, size_t len) {
    assert(len <= UINT32_MAX);
    if (len < 32) {
        *at++ = (uint8_t)(TERM_FIXSTR | len);
    } else if (len <= UINT8_MAX) {
        *at++ = TERM_STR8;
        *at++ = (uint8_t)len;
    } else {
        *at++ = TERM_STR32;
        at = term_write_be(at, len, 4);
    }
    if (len > 0) {
        memcpy(at, octets, len);
    }
    return at + len;
}

uint8_t *term_write_bin_head(uint8_t *at, size_t len) {
    assert(len <= UINT32_MAX);
    if (len <= UINT8_MAX) {
        *at++ = TERM_BIN8;
        *at++ = (uint8_t)len;
        return at;
    }
    *at++ = TERM_BIN32;
    return term_write_be(at, len, 4);
}

uint8_t *term_write_bin(uint8_t *at, const void *octets, size_t len) {
    at = term_write_bin_head(at, len);
    if (len > 0) {
        memcpy(at, octets, len);
    }
    return at + len;
}

static bool term_next_be(term_reader *reader, unsigned width, uint64_t *value) {
    if ((size_t)(reader->end - reader->at) < width) {
        return false;
    }
    uint64_t sum = 0;
    for (unsigned i = 0; i < width; i++) {
        sum = sum << 8 | reader->at[i];
    }
    reader->at += width;
    *value = sum;
    return true;
}

static bool term_next_head(term_reader *reader, uint8_t *head) {
    if (reader->at >= reader->end) {
        return false;
    }
    *head = *reader->at++;
    return true;
}

bool term_next_array(term_reader *reader, uint32_t *count) {
    uint8_t head;
    uint64_t value;
    if (!term_next_head(reader, &head)) {
        return false;
    }
    if ((head & 0xf0) == TERM_FIXARRAY) {
        *count = head & 0x0f;
        return true;
    }
    if (head != TERM_ARRAY16 && head != TERM_ARRAY32) {
        return false;
    }
    if (!term_next_be(reader, head == TERM_ARRAY16 ? 2 : 4, &value)) {
        return false;
    }
    *count = (uint32_t)value;
    return true;
}

bool term_next_uint(term_reader *reader, uint64_t *value) {
    uint8_t head;
    if (!term_next_head(reader, &head)) {
        return false;
    }
    if (head < 0x80) {
        *value = head;
        return true;
    }
    if (head < TERM_UINT8 || head > TERM_UINT64) {
        return false;
    }
    return term_next_be(reader, 1u << (head - TERM_UINT8), value);
}

bool term_next_octets(term_reader *reader, const uint8_t **octets, size_t *len) {
    uint8_t head;
    uint64_t value;
    if (!term_next_head(reader, &head)) {
        return false;
    }
    if (head == TERM_NIL) {
        *octets = NULL;
        *len = 0;
        return true;
    }
    if ((head & 0xe0) == TERM_FIXSTR) {
        value = head & 0x1f;
    } else if (head >= TERM_BIN8 && head <= TERM_BIN32) {
        if (!term_next_be(reader, 1u << (head - TERM_BIN8), &value)) {
            return false;
        }
    } else if (head >= TERM_STR8 && head <= TERM_STR32) {
        if (!term_next_be(reader, 1u << (head - TERM_STR8), &value)) {
            return false;
        }
    } else {
        return false;
    }
    if (value > (uint64_t)(reader->end - reader->at)) {
        return false;
    }
    *octets = reader->at;
    *len = (size_t)value;
    reader->at += value;
    return true;
}
