/* Hot small files, with the fields of their answers, in memory.
 *
 * Owns:  the entries, their octets, and which of them goes when there are too many.
 * Knows: by locate_is_same whether a file is still the one that was read.
 * Never: keeps a file that changed while it was read or may yet change unseen; locks: only the holder of the scheduler
 *        comes here.
 */
#ifndef TINYBEAM_FILECACHE_H
#define TINYBEAM_FILECACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "asset.h"

enum { FILECACHE_FILE_MAX = 64 * 1024, FILECACHE_FRESH_MS = 1000 };

/* What a request says, as far as the file depends on it. */
typedef struct filecache_key {
    const uint8_t *path; /* behind the mount's prefix, as sent */
    size_t path_len;
    uint32_t mount;
    coding coding;
} filecache_key;

typedef struct filecache_entry {
    struct filecache_entry *chain; /* of its bucket */
    struct filecache_entry *next;  /* of all, in a ring */
    struct filecache_entry *previous;
    uint64_t hash;
    uint64_t checked_ms; /* when the file was last seen to be the same */
    size_t bytes;        /* that it costs */
    struct stat stat;
    asset file;
    const uint8_t *content; /* file.length octets; NULL for a large file, of which only the rest is kept */
    const char *name;       /* beneath the mount's directory */
    uint32_t mount;
    uint32_t path_len;
    coding coding;
    uint8_t siblings; /* a bit for each coding in which the file was seen to exist: the owner's to use */
    bool referenced;  /* used since the hand last came by */
    uint8_t octets[]; /* path, fields, content, name */
} filecache_entry;

typedef struct filecache {
    filecache_entry **buckets;
    filecache_entry *hand; /* the next to be considered for eviction */
    uint32_t bucket_count; /* a power of two */
    uint32_t count;
    size_t bytes;
    size_t bytes_max;
    uint64_t seed;
} filecache;

/* For so many octets in all, the cost of the entries included. It allocates with the first entry. */
void filecache_init(filecache *cache, size_t bytes_max, uint64_t seed);
void filecache_deinit(filecache *cache);
/* NULL when there is none. An entry is valid until the next push or drop. */
filecache_entry *filecache_find(filecache *cache, const filecache_key *key);
/* Whether it is time to stat the file again, for filecache_confirm. */
bool filecache_is_due(const filecache_entry *entry, uint64_t now_ms);
/* Notes that the file is the same. False when it is not: drop the entry. */
bool filecache_confirm(filecache_entry *entry, const struct stat *now, uint64_t now_ms);
void filecache_drop(filecache *cache, filecache_entry *entry);

/* A file that was just opened. */
typedef struct filecache_source {
    int fd;
    const struct stat *stat;
    const char *name;
    size_t name_len;
    const asset *file;
    uint8_t siblings;
    int64_t now; /* seconds, of the real time */
    uint64_t now_ms;
} filecache_source;

/* Reads the file, unless it is larger than FILECACHE_FILE_MAX, and keeps it; there must be no entry with this key. NULL
 * when it is not to be kept: it changed too recently, or while it was read, or cannot be read, or memory is out. */
filecache_entry *filecache_push(filecache *cache, const filecache_key *key, const filecache_source *source);

#endif
