/* A seeded hash of octets.
 *
 * Owns:  the mixing: multiply and xor, a word at a time.
 * Knows: nothing of what is hashed.
 * Never: leaves the seed out: it keeps a stranger from choosing keys that collide.
 */
#ifndef TINYBEAM_HASH_H
#define TINYBEAM_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t hash_octets(uint64_t seed, const uint8_t *octets, size_t len) {
    uint64_t hash = seed ^ len * 0x9e3779b97f4a7c15u;
    while (len > 0) {
        uint64_t word = 0;
        const size_t step = len < 8 ? len : 8;
        memcpy(&word, octets, step);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        octets += step;
        len -= step;
    }
    return hash;
}

#endif
