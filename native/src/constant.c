/* Constants; see constant.h.
 *
 * Owns:  a table with open addressing, at most half full.
 * Knows: hash.h, whose seed keeps a stranger from choosing paths that collide.
 * Never: frees an item before the table goes.
 */
#include "constant.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "tinybeam.h"

enum { CONSTANT_CAPACITY_FIRST = 16 };

void constant_init(constant_table *table, uint64_t seed) {
    *table = (constant_table){.seed = seed};
}

void constant_deinit(constant_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        free(table->items[i].octets);
    }
    free(table->items);
    free(table->buckets);
    *table = (constant_table){0};
}

static void constant_place(constant_table *table, uint32_t index) {
    uint32_t mask = table->capacity * 2 - 1;
    uint32_t at = (uint32_t)table->items[index].hash & mask;
    while (table->buckets[at] != 0) {
        at = (at + 1) & mask;
    }
    table->buckets[at] = index + 1;
}

static bool constant_grow(constant_table *table) {
    uint32_t capacity = table->capacity == 0 ? CONSTANT_CAPACITY_FIRST : table->capacity * 2;
    uint32_t *buckets = calloc((size_t)capacity * 2, sizeof *buckets);
    constant *items = buckets == NULL ? NULL : realloc(table->items, capacity * sizeof *items);
    if (items == NULL) {
        free(buckets);
        return false;
    }
    free(table->buckets);
    table->buckets = buckets;
    table->items = items;
    table->capacity = capacity;
    for (uint32_t i = 0; i < table->count; i++) {
        constant_place(table, i);
    }
    return true;
}

int32_t constant_push(constant_table *table, const constant *item, const void *path, const void *fields,
                      const void *body) {
    if (constant_find(table, path, item->path_len) != NULL) {
        return TB_EINVAL;
    }
    if (table->count >= CONSTANTS_MAX) {
        return TB_ELIMIT;
    }
    if (table->count == table->capacity && !constant_grow(table)) {
        return TB_ENOMEM;
    }
    constant *placed = &table->items[table->count];
    *placed = *item;
    placed->octets = malloc(item->path_len + item->fields_len + item->body_len + 1);
    if (placed->octets == NULL) {
        return TB_ENOMEM;
    }
    memcpy(placed->octets, path, item->path_len);
    if (item->fields_len > 0) {
        memcpy(placed->octets + item->path_len, fields, item->fields_len);
    }
    if (item->body_len > 0) {
        memcpy(placed->octets + item->path_len + item->fields_len, body, item->body_len);
    }
    placed->hash = hash_octets(table->seed, placed->octets, placed->path_len);
    constant_place(table, table->count++);
    return TB_OK;
}

const constant *constant_find(const constant_table *table, const uint8_t *path, size_t len) {
    if (table->count == 0) {
        return NULL;
    }
    uint64_t hash = hash_octets(table->seed, path, len);
    uint32_t mask = table->capacity * 2 - 1;
    for (uint32_t at = (uint32_t)hash & mask; table->buckets[at] != 0; at = (at + 1) & mask) {
        const constant *item = &table->items[table->buckets[at] - 1];
        if (item->hash == hash && item->path_len == len && memcmp(item->octets, path, len) == 0) {
            return item;
        }
    }
    return NULL;
}

const uint8_t *constant_fields(const constant *item) {
    return item->octets + item->path_len;
}

const uint8_t *constant_body(const constant *item) {
    return item->octets + item->path_len + item->fields_len;
}
