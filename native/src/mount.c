/* Mounts; see mount.h.
 *
 * Owns:  the order of things: cache, directory, coded forms, delivery.
 * Knows: that the entry of a file as it is tells which coded forms there are, and is asked first.
 * Never: keeps a descriptor that it does not hand over.
 */
#include "mount.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "tinybeam.h"

/* A request under way. */
typedef struct mount_request {
    mount_table *table;
    mount *place;
    const asked *want;
    filecache_key key;
    mount_clock clock;
    uint64_t boundary;
    coding_wish wish;
    mount_reply *reply;
} mount_request;

void mount_init(mount_table *table, size_t cache_bytes_max, uint64_t seed) {
    *table = (mount_table){0};
    filecache_init(&table->cache, cache_bytes_max, seed);
}

void mount_deinit(mount_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        locate_root_close(&table->items[i].root);
        free(table->items[i].octets);
    }
    free(table->items);
    filecache_deinit(&table->cache);
    *table = (mount_table){0};
}

/* "", or components that begin with a slash each: with an empty one "//host" would become a Location elsewhere. */
static bool mount_is_prefix(const uint8_t *prefix, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (prefix[i] == '/' ? i + 1 == len || prefix[i + 1] == '/' : i == 0) {
            return false;
        }
    }
    return true;
}

static bool mount_is_taken(const mount_table *table, const uint8_t *prefix, size_t len) {
    const mount *same = mount_find(table, prefix, len);
    return same != NULL && same->prefix_len == len;
}

static bool mount_init_octets(mount *place, const void *prefix, const mount_options *options) {
    const size_t index_len = options->index == NULL ? 0 : strlen(options->index) + 1;
    place->octets = malloc(place->prefix_len + options->fields_len + index_len + 1);
    if (place->octets == NULL) {
        return false;
    }
    uint8_t *at = place->octets;
    if (place->prefix_len > 0) {
        memcpy(at, prefix, place->prefix_len);
    }
    at += place->prefix_len;
    if (options->fields_len > 0) {
        memcpy(at, options->fields, options->fields_len);
    }
    at += options->fields_len;
    if (index_len > 0) {
        place->rules.index = memcpy(at, options->index, index_len);
    }
    return true;
}

int32_t mount_push(mount_table *table, const void *prefix, size_t prefix_len, const char *directory,
                   const mount_options *options) {
    mount place = {.rules = {.hidden = options->hidden},
                   .prefix_len = prefix_len,
                   .fields_len = options->fields_len,
                   .precompressed = options->precompressed,
                   .passes = options->passes};
    if (!mount_is_prefix(prefix, prefix_len) || mount_is_taken(table, prefix, prefix_len) ||
        options->fields_len > ASSET_OPTION_FIELDS_MAX || !answer_fields_valid(options->fields, options->fields_len) ||
        (options->index != NULL && !locate_is_plain(options->index))) {
        return TB_EINVAL;
    }
    if (table->count == MOUNTS_MAX) {
        return TB_ELIMIT;
    }
    if (!locate_root_open(&place.root, directory)) {
        return TB_ESYSTEM - errno;
    }
    mount *items = realloc(table->items, (table->count + 1) * sizeof *items);
    table->items = items == NULL ? table->items : items;
    if (items == NULL || !mount_init_octets(&place, prefix, options)) {
        locate_root_close(&place.root);
        return TB_ENOMEM;
    }
    table->items[table->count++] = place;
    return TB_OK;
}

mount *mount_find(const mount_table *table, const uint8_t *path, size_t len) {
    mount *best = NULL;
    for (uint32_t i = 0; i < table->count; i++) {
        mount *place = &table->items[i];
        const size_t prefix_len = place->prefix_len;
        if (prefix_len <= len && (prefix_len == len || path[prefix_len] == '/') &&
            (best == NULL || prefix_len > best->prefix_len) && memcmp(place->octets, path, prefix_len) == 0) {
            best = place;
        }
    }
    return best;
}

/* The coded forms that there are of a file, a bit for each. */
static uint8_t mount_siblings(const mount *place, const char *name, const struct stat *base) {
    char sibling[LOCATE_NAME_MAX + 1];
    uint8_t siblings = 0;
    struct stat coded;
    const size_t len = strlen(name);
    for (unsigned i = 0; i < CODING_IDENTITY; i++) {
        const char *suffix = coding_suffix((coding)i);
        if (len + strlen(suffix) > LOCATE_NAME_MAX) {
            continue;
        }
        memcpy(sibling, name, len);
        memcpy(sibling + len, suffix, strlen(suffix) + 1);
        if (locate_stat(&place->root, sibling, &coded) && S_ISREG(coded.st_mode) && locate_is_current(&coded, base)) {
            siblings |= (uint8_t)(1u << i);
        }
    }
    return siblings;
}

/* The entry of a coding, if its file is still the same, or was so a moment ago. */
static filecache_entry *mount_find_entry(mount_request *req, coding which) {
    filecache *cache = &req->table->cache;
    req->key.coding = which;
    filecache_entry *entry = filecache_find(cache, &req->key);
    if (entry == NULL || !filecache_is_due(entry, req->clock.ms)) {
        return entry;
    }
    struct stat now;
    if (!locate_stat(&req->place->root, entry->name, &now) || !filecache_confirm(entry, &now, req->clock.ms)) {
        filecache_drop(cache, entry);
        return NULL;
    }
    if (req->place->precompressed && which == CODING_IDENTITY) {
        entry->siblings = mount_siblings(req->place, entry->name, &now);
    }
    return entry;
}

/* Describes a file that was opened as it is, or coded; and puts it into the cache, if it may be kept and is not there.
 * Returns the entry, or NULL when the file has to be sent from its descriptor. */
static const filecache_entry *mount_keep(mount_request *req, const located *base, const located *opened, coding which,
                                         asset *file, uint8_t *fields) {
    const mount *place = req->place;
    const asset_source made_of = {.stat = &opened->stat,
                                  .name = base->name,
                                  .name_len = base->name_len,
                                  .coding = which,
                                  .negotiated = place->precompressed,
                                  .fields = place->octets + place->prefix_len,
                                  .fields_len = place->fields_len};
    asset_init(file, fields, &made_of, req->clock.second);
    const bool negotiated = place->precompressed && which == CODING_IDENTITY;
    const filecache_entry *entry = mount_find_entry(req, which);
    /* A large file is not kept, but the knowledge of its coded forms is. */
    if (entry == NULL && (negotiated || file->length <= FILECACHE_FILE_MAX)) {
        const filecache_source source = {
            .fd = opened->fd,
            .stat = &opened->stat,
            .name = opened->name,
            .name_len = opened->name_len,
            .file = file,
            .siblings = negotiated ? mount_siblings(place, base->name, &base->stat) : 0,
            .now = req->clock.second,
            .now_ms = req->clock.ms,
        };
        entry = filecache_push(&req->table->cache, &req->key, &source);
    }
    return entry == NULL || entry->content == NULL ? NULL : entry;
}

/* Opens the coded form that is wanted most of these; CODING_IDENTITY when there is none. */
static coding mount_open_coded(const mount_request *req, unsigned siblings, const located *base, located *coded) {
    coding best;
    while ((best = coding_choose(&req->wish, siblings)) != CODING_IDENTITY) {
        locate_open_sibling(&req->place->root, base, coding_suffix(best), coded);
        if (coded->status == 200 && locate_is_current(&coded->stat, &base->stat)) {
            return best;
        }
        if (coded->status == 200) {
            close(coded->fd);
        }
        siblings &= ~(1u << best);
    }
    return CODING_IDENTITY;
}

static void mount_deliver(const mount_request *req, const asset *file, const uint8_t *content) {
    delivery_init(&req->reply->delivery, req->want, file, req->clock.second, req->boundary);
    req->reply->content = content;
}

static void mount_refuse(const mount_request *req, uint32_t status) {
    delivery *out = &req->reply->delivery;
    out->status = status;
    out->segment_count = 0;
    out->body_len = 0;
    out->fields_len = 0;
    out->frames_len = 0;
}

/* Answers from the directory. The siblings are the coded forms that there may be. */
static void mount_answer_opened(mount_request *req, unsigned siblings) {
    located base, coded;
    uint8_t fields[ASSET_FIELDS_MAX];
    asset file;
    locate_open(&req->place->root, &req->place->rules, req->key.path, req->key.path_len, &base);
    if (base.status != 200) {
        mount_refuse(req, base.status);
        return;
    }
    const coding chosen = mount_open_coded(req, siblings, &base, &coded);
    const located *opened = &base;
    if (chosen != CODING_IDENTITY) {
        mount_keep(req, &base, &base, CODING_IDENTITY, &file, fields);
        close(base.fd);
        opened = &coded;
    }
    const filecache_entry *entry = mount_keep(req, &base, opened, chosen, &file, fields);
    mount_deliver(req, entry == NULL ? &file : &entry->file, entry == NULL ? NULL : entry->content);
    if (entry == NULL && !req->want->head && req->reply->delivery.segment_count > 0) {
        req->reply->fd = opened->fd;
        req->reply->stat = opened->stat;
    } else {
        close(opened->fd);
    }
}

void mount_answer(mount_table *table, mount *place, const asked *want, const uint8_t *path, size_t len,
                  mount_clock clock, uint64_t boundary, mount_reply *reply) {
    mount_request req = {
        .table = table,
        .place = place,
        .want = want,
        .key = {.path = path + place->prefix_len,
                .path_len = len - place->prefix_len,
                .mount = (uint32_t)(place - table->items)},
        .clock = clock,
        .boundary = boundary,
        .reply = reply,
    };
    unsigned siblings = 0;
    reply->content = NULL;
    reply->fd = -1;
    if (place->precompressed) {
        coding_read(&req.wish, want);
        siblings = (1u << CODING_IDENTITY) - 1;
    }
    const filecache_entry *entry = mount_find_entry(&req, CODING_IDENTITY);
    if (entry != NULL) {
        siblings = entry->siblings;
        const coding chosen = siblings == 0 ? CODING_IDENTITY : coding_choose(&req.wish, siblings);
        entry = chosen == CODING_IDENTITY ? entry : mount_find_entry(&req, chosen);
        if (entry != NULL && entry->content != NULL) {
            mount_deliver(&req, &entry->file, entry->content);
            return;
        }
    }
    mount_answer_opened(&req, siblings);
}

size_t mount_location_max(const parser_request *request) {
    return sizeof "Location: /?\r\n" + request->path_len + request->query_len;
}

static uint8_t *mount_push_octets(uint8_t *at, const void *octets, size_t len) {
    memcpy(at, octets, len);
    return at + len;
}

uint8_t *mount_write_location(uint8_t *at, const parser_request *request) {
    at = mount_push_octets(at, "Location: ", 10);
    at = mount_push_octets(at, request->path, request->path_len);
    *at++ = '/';
    if (request->query != NULL) {
        *at++ = '?';
        at = mount_push_octets(at, request->query, request->query_len);
    }
    return mount_push_octets(at, "\r\n", 2);
}
