/* Hot small files; see filecache.h.
 *
 * Owns:  a table with chains, and the hand of a clock: an entry that was used gets a second round.
 * Knows: that a new entry has not been used again yet, so that a scan of many files does not drive out the hot ones.
 * Never: more octets than it was given.
 */
#include "filecache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hash.h"
#include "locate.h"

enum {
    FILECACHE_BUCKET_BYTES = 4096, /* a bucket for so many octets: hot files are small */
    FILECACHE_SETTLED_SECONDS = 2, /* the coarsest time of a file system; within it a change may not show */
};

void filecache_init(filecache *cache, size_t bytes_max, uint64_t seed) {
    *cache = (filecache){.bytes_max = bytes_max, .seed = seed};
}

void filecache_deinit(filecache *cache) {
    while (cache->hand != NULL) {
        filecache_drop(cache, cache->hand);
    }
    free(cache->buckets);
    cache->buckets = NULL;
}

static uint64_t filecache_hash(const filecache *cache, const filecache_key *key) {
    return hash_octets(cache->seed ^ ((uint64_t)key->mount << 8 | (uint64_t)key->coding), key->path, key->path_len);
}

static filecache_entry **filecache_bucket(const filecache *cache, uint64_t hash) {
    return &cache->buckets[hash & (cache->bucket_count - 1)];
}

filecache_entry *filecache_find(filecache *cache, const filecache_key *key) {
    if (cache->count == 0) {
        return NULL;
    }
    const uint64_t hash = filecache_hash(cache, key);
    for (filecache_entry *entry = *filecache_bucket(cache, hash); entry != NULL; entry = entry->chain) {
        if (entry->hash == hash && entry->mount == key->mount && entry->coding == key->coding &&
            entry->path_len == key->path_len && memcmp(entry->octets, key->path, key->path_len) == 0) {
            entry->referenced = true;
            return entry;
        }
    }
    return NULL;
}

bool filecache_is_due(const filecache_entry *entry, uint64_t now_ms) {
    return now_ms - entry->checked_ms >= FILECACHE_FRESH_MS;
}

bool filecache_confirm(filecache_entry *entry, const struct stat *now, uint64_t now_ms) {
    entry->checked_ms = now_ms;
    return locate_is_same(&entry->stat, now);
}

void filecache_drop(filecache *cache, filecache_entry *entry) {
    filecache_entry **at = filecache_bucket(cache, entry->hash);
    while (*at != entry) {
        at = &(*at)->chain;
    }
    *at = entry->chain;
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    if (cache->hand == entry) {
        cache->hand = entry->next == entry ? NULL : entry->next;
    }
    cache->bytes -= entry->bytes;
    cache->count--;
    free(entry);
}

/* Drops entries until so many octets more may be kept. */
static void filecache_make_room(filecache *cache, size_t bytes) {
    while (cache->bytes + bytes > cache->bytes_max && cache->hand != NULL) {
        filecache_entry *entry = cache->hand;
        if (entry->referenced) {
            entry->referenced = false;
            cache->hand = entry->next;
        } else {
            filecache_drop(cache, entry);
        }
    }
}

/* Whether no change can hide any more behind the same times and length. */
static bool filecache_settled(const struct stat *stat, int64_t now) {
    const int64_t last = stat->st_mtim.tv_sec > stat->st_ctim.tv_sec ? stat->st_mtim.tv_sec : stat->st_ctim.tv_sec;
    return last < now - FILECACHE_SETTLED_SECONDS;
}

/* Reads the whole file. False when it was not, or is no longer, what stat said. */
static bool filecache_read(const filecache_source *source, uint8_t *octets, size_t len) {
    struct stat after;
    for (size_t at = 0; at < len;) {
        const ssize_t n = pread(source->fd, octets + at, len - at, (off_t)at);
        if (n == 0 || (n < 0 && errno != EINTR)) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fstat(source->fd, &after) == 0 && locate_is_same(source->stat, &after);
}

static bool filecache_allocate(filecache *cache) {
    uint32_t count = 64;
    while (count < cache->bytes_max / FILECACHE_BUCKET_BYTES && count < 1u << 20) {
        count *= 2;
    }
    cache->buckets = calloc(count, sizeof *cache->buckets);
    cache->bucket_count = count;
    return cache->buckets != NULL;
}

/* Copies all that the entry points to into its own octets, but for the content, which is there. */
static void filecache_fill(filecache_entry *entry, const filecache_key *key, const filecache_source *source,
                           size_t content_len) {
    uint8_t *fields = entry->octets + key->path_len;
    uint8_t *name = fields + source->file->fields_len + content_len;
    memcpy(entry->octets, key->path, key->path_len);
    memcpy(fields, source->file->fields, source->file->fields_len);
    memcpy(name, source->name, source->name_len);
    name[source->name_len] = '\0';
    entry->stat = *source->stat;
    entry->file = *source->file;
    entry->file.fields = fields;
    entry->content = content_len == source->file->length ? fields + source->file->fields_len : NULL;
    entry->name = (const char *)name;
    entry->mount = key->mount;
    entry->path_len = (uint32_t)key->path_len;
    entry->coding = key->coding;
    entry->siblings = source->siblings;
    entry->checked_ms = source->now_ms;
}

/* Into its bucket, and into the ring where the hand comes last. */
static void filecache_link(filecache *cache, filecache_entry *entry) {
    filecache_entry **bucket = filecache_bucket(cache, entry->hash);
    entry->chain = *bucket;
    *bucket = entry;
    if (cache->hand == NULL) {
        cache->hand = entry->next = entry->previous = entry;
    }
    entry->next = cache->hand;
    entry->previous = cache->hand->previous;
    entry->previous->next = entry;
    entry->next->previous = entry;
    cache->bytes += entry->bytes;
    cache->count++;
}

filecache_entry *filecache_push(filecache *cache, const filecache_key *key, const filecache_source *source) {
    const size_t content_len = source->file->length > FILECACHE_FILE_MAX ? 0 : (size_t)source->file->length;
    const size_t before = key->path_len + source->file->fields_len;
    const size_t bytes = sizeof(filecache_entry) + before + content_len + source->name_len + 1;
    if (bytes > cache->bytes_max || !filecache_settled(source->stat, source->now) ||
        (cache->buckets == NULL && !filecache_allocate(cache))) {
        return NULL;
    }
    filecache_entry *entry = malloc(bytes);
    if (entry == NULL) {
        return NULL;
    }
    if (!filecache_read(source, entry->octets + before, content_len)) {
        free(entry);
        return NULL;
    }
    entry->bytes = bytes;
    entry->hash = filecache_hash(cache, key);
    entry->referenced = false;
    filecache_fill(entry, key, source, content_len);
    filecache_make_room(cache, bytes);
    filecache_link(cache, entry);
    return entry;
}
