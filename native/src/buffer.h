/* A growable run of octets.
 *
 * Owns:  its memory, from the first append until buffer_deinit.
 * Knows: how to grow without overflow; an empty buffer owns nothing.
 * Never: shrinks behind its user's back, or keeps memory after deinit.
 */
#ifndef TINYBEAM_BUFFER_H
#define TINYBEAM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct buffer {
    uint8_t *octets;
    size_t len;
    size_t capacity;
} buffer;

void buffer_deinit(buffer *buf);
/* Makes room for `extra` more octets. False when memory is out; the buffer is then unchanged. */
bool buffer_reserve(buffer *buf, size_t extra);
bool buffer_push(buffer *buf, const void *octets, size_t len);
/* Drops the first `len` octets. */
void buffer_take(buffer *buf, size_t len);

#endif
