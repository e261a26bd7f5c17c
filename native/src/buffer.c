/* A growable run of octets; see buffer.h.
 *
 * Owns:  the growth policy: at least double, never less than 512 octets.
 * Knows: realloc.
 * Never: reads what was not pushed.
 */
#include "buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_CAPACITY_MIN = 512 };

void buffer_deinit(buffer *buf) {
    free(buf->octets);
    *buf = (buffer){0};
}

bool buffer_reserve(buffer *buf, size_t extra) {
    if (buf->capacity - buf->len >= extra) {
        return true;
    }
    if (extra > SIZE_MAX / 2 || buf->len > SIZE_MAX / 2 - extra) {
        return false;
    }
    size_t capacity = buf->capacity < BUFFER_CAPACITY_MIN ? BUFFER_CAPACITY_MIN : buf->capacity * 2;
    if (capacity < buf->len + extra) {
        capacity = buf->len + extra;
    }
    uint8_t *octets = realloc(buf->octets, capacity);
    if (octets == NULL) {
        return false;
    }
    buf->octets = octets;
    buf->capacity = capacity;
    return true;
}

bool buffer_push(buffer *buf, const void *octets, size_t len) {
    if (len == 0) {
        return true;
    }
    if (!buffer_reserve(buf, len)) {
        return false;
    }
    memcpy(buf->octets + buf->len, octets, len);
    buf->len += len;
    return true;
}

void buffer_take(buffer *buf, size_t len) {
    assert(len <= buf->len);
    if (len == 0) {
        return;
    }
    memmove(buf->octets, buf->octets + len, buf->len - len);
    buf->len -= len;
}
