/* Mounts: directories of which the files are served beneath a prefix.
 *
 * Owns:  the prefixes and the options of each, and the way from a request to what is sent for it.
 * Knows: locate, the cache, and which coded form of a file goes with which wish.
 * Never: sends; changes after the first poll.
 */
#ifndef TINYBEAM_MOUNT_H
#define TINYBEAM_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "delivery.h"
#include "filecache.h"
#include "locate.h"

enum { MOUNTS_MAX = 1024 };

typedef struct mount_options {
    const char *index;  /* NULL: directories are not found */
    const void *fields; /* "Name: value\r\n" for each, at most ASSET_OPTION_FIELDS_MAX octets: of 200, 206 and 304 */
    size_t fields_len;
    bool hidden;
    bool precompressed; /* name.br, name.zst and name.gz are sent in place of name, unless they are older than it */
    bool passes;        /* what is not found is the router's */
} mount_options;

typedef struct mount {
    locate_root root;
    locate_rules rules; /* index points into octets */
    uint8_t *octets;    /* prefix, fields, index with a NUL */
    size_t prefix_len;
    size_t fields_len;
    bool precompressed;
    bool passes;
} mount;

typedef struct mount_table {
    mount *items;
    uint32_t count;
    filecache cache;
} mount_table;

/* What a request comes to. A body that is to be sent has content or a fd to take the segments of the file from. */
typedef struct mount_reply {
    const uint8_t *content; /* the octets of the file, until the next call on the table; or NULL */
    int fd;                 /* the file, now the caller's to close; or -1 */
    struct stat stat;       /* of the fd: by locate_is_same the sender sees whether it changes under way */
    delivery delivery;      /* status 301: the caller adds Location, by mount_write_location */
} mount_reply;

/* The two times that there are. */
typedef struct mount_clock {
    int64_t second; /* real, for dates */
    uint64_t ms;    /* monotonic, for the cache */
} mount_clock;

void mount_init(mount_table *table, size_t cache_bytes_max, uint64_t seed);
void mount_deinit(mount_table *table);
/* TB_OK, TB_ENOMEM, TB_ELIMIT; TB_EINVAL for a prefix that is neither "" nor "/a/b", or is there already, and for
 * options that are not fit for the wire; TB_ESYSTEM - errno when the directory cannot be opened. */
int32_t mount_push(mount_table *table, const void *prefix, size_t prefix_len, const char *directory,
                   const mount_options *options);
/* The mount with the longest prefix of this path; NULL when there is none. The path is compared as sent. */
mount *mount_find(const mount_table *table, const uint8_t *path, size_t len);
/* Answers a GET or HEAD of this path, the whole of it, which this mount was found for. */
void mount_answer(mount_table *table, mount *place, const asked *want, const uint8_t *path, size_t len,
                  mount_clock clock, uint64_t boundary, mount_reply *reply);
/* Room for Location, and the field itself, for a 301: the path with a slash, and the query. */
size_t mount_location_max(const parser_request *request);
uint8_t *mount_write_location(uint8_t *at, const parser_request *request);

#endif
