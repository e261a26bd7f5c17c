/* Memory that ends where no one may read.
 *
 * Owns:  a mapping whose last page has no permissions.
 * Knows: that a read of one octet too many must kill the test, with or without a sanitizer.
 * Never: leaves octets between the end of what was put and the guard page, unless an alignment was asked for.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guard {
    uint8_t *memory;
    uint8_t *end; /* the first octet of the guard page */
    size_t mapped;
} guard;

static inline guard guard_open(size_t len_max) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t usable = (len_max + page - 1) / page * page;
    guard buffer = {.mapped = usable + page};
    void *memory = mmap(NULL, buffer.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect((uint8_t *)memory + usable, page, PROT_NONE) != 0) {
        perror("guard_open");
        exit(2);
    }
    buffer.memory = memory;
    buffer.end = buffer.memory + usable;
    return buffer;
}

static inline void guard_close(guard *buffer) {
    munmap(buffer->memory, buffer->mapped);
}

/* A copy of the octets whose last one is the last that may be read. */
static inline const uint8_t *guard_put(guard *buffer, const void *octets, size_t len) {
    if (len > (size_t)(buffer->end - buffer->memory)) {
        fprintf(stderr, "guard_put: %zu octets are more than the guard was opened for\n", len);
        exit(2);
    }
    uint8_t *begin = buffer->end - len;
    if (len > 0) {
        memcpy(begin, octets, len);
    }
    return begin;
}

/* A copy that begins at this offset from a multiple of 64, as near to the guard page as that allows. */
static inline const uint8_t *guard_put_aligned(guard *buffer, const void *octets, size_t len, size_t offset) {
    const size_t room = (size_t)(buffer->end - buffer->memory); /* a multiple of 64, as is memory itself */
    if (len + 64 > room) {
        fprintf(stderr, "guard_put_aligned: %zu octets are more than the guard was opened for\n", len);
        exit(2);
    }
    uint8_t *begin = buffer->memory + (room - len - offset) / 64 * 64 + offset;
    memcpy(begin, octets, len);
    return begin;
}

#endif
