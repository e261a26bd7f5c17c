/* MessagePack, as much of it as crosses the border: writer and reader.
 *
 * Owns:  the encoding; see https://github.com/msgpack/msgpack/blob/master/spec.md for the format bytes.
 * Knows: unsigned integers, strings, binaries, nil and array heads.
 * Never: allocates, or reads past the end of its input.
 */
#ifndef TINYBEAM_TERM_H
#define TINYBEAM_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest head that the writer puts before a string's or binary's octets. */
enum { TERM_HEAD_MAX = 9, TERM_ARRAY_HEAD_LEN = 5 };

/* Writers return the octet after what they wrote; the caller has made sure of the room. */
uint8_t *term_write_array32(uint8_t *at, uint32_t count); /* always TERM_ARRAY_HEAD_LEN octets, so it can be patched */
uint8_t *term_write_array(uint8_t *at, uint8_t count);    /* up to 15 */
uint8_t *term_write_uint64(uint8_t *at, uint64_t value);  /* always 9 octets */
uint8_t *term_write_nil(uint8_t *at);
uint8_t *term_write_true(uint8_t *at);
uint8_t *term_write_str(uint8_t *at, const void *octets, size_t len);
uint8_t *term_write_bin(uint8_t *at, const void *octets, size_t len);
uint8_t *term_write_bin_head(uint8_t *at, size_t len);

typedef struct term_reader {
    const uint8_t *at;
    const uint8_t *end;
} term_reader;

/* Readers return false on a term of another type, or one that the input cuts short; the reader is then spent. */
bool term_next_array(term_reader *reader, uint32_t *count);
bool term_next_uint(term_reader *reader, uint64_t *value);
/* A str, a bin, or nil (then NULL and 0). */
bool term_next_octets(term_reader *reader, const uint8_t **octets, size_t *len);

#endif
