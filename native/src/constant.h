/* Constants: answers that are known before the first request comes.
 *
 * Owns:  their paths, fields and bodies, and the hash table that finds them.
 * Knows: that a constant is matched by its exact path, as sent.
 * Never: changes after the first poll, so reading needs no lock.
 */
#ifndef TINYBEAM_CONSTANT_H
#define TINYBEAM_CONSTANT_H

#include <stddef.h>
#include <stdint.h>

enum { CONSTANTS_MAX = 65536 };

typedef struct constant {
    uint8_t *octets; /* path, fields and body, one after the other */
    size_t path_len;
    size_t fields_len;
    size_t body_len;
    uint64_t hash;
    uint32_t status;
} constant;

typedef struct constant_table {
    constant *items;
    uint32_t *buckets; /* item + 1, or 0; open addressing */
    uint32_t count;
    uint32_t capacity; /* of items; buckets are twice as many, a power of two */
    uint64_t seed;
} constant_table;

void constant_init(constant_table *table, uint64_t seed);
void constant_deinit(constant_table *table);
/* TB_OK, TB_ENOMEM, TB_ELIMIT, or TB_EINVAL for a path that is there already. */
int32_t constant_push(constant_table *table, const constant *item, const void *path, const void *fields,
                      const void *body);
const constant *constant_find(const constant_table *table, const uint8_t *path, size_t len);
const uint8_t *constant_fields(const constant *item);
const uint8_t *constant_body(const constant *item);

#endif
