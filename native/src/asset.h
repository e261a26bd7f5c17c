/* A file as its clients see it: its length, its validators, and the fields that every answer with it has.
 *
 * Owns:  what an ETag is made of, and the order of the fields.
 * Knows: RFC 9110 §8.8, and which fields a 304 and a 206 of many parts leave out (§15.4.5, §15.3.7.2).
 * Never: opens or reads anything; it is made from what stat said.
 */
#ifndef TINYBEAM_ASSET_H
#define TINYBEAM_ASSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "coding.h"

/* What the mount adds ("Name: value\r\n" for each), and room for all that is added to it here. */
enum {
    ASSET_OPTION_FIELDS_MAX = 1024,
    ASSET_FIELDS_MAX = ASSET_OPTION_FIELDS_MAX + 384,
    ASSET_ETAG_MAX = 48,
    ASSET_TYPE_MAX = 120,
};

typedef struct asset_source {
    const struct stat *stat;
    const char *name; /* of the file before it was coded: its end gives the type */
    size_t name_len;
    const char *type; /* at most ASSET_TYPE_MAX octets; NULL: by the name */
    coding coding;
    bool negotiated;       /* another client might get another coding */
    const uint8_t *fields; /* of the mount: at most ASSET_OPTION_FIELDS_MAX octets */
    size_t fields_len;
} asset_source;

typedef struct asset {
    uint64_t length;
    int64_t modified; /* seconds; a file from the future is of now (RFC 9110 §8.8.2.1) */
    const char *type;
    const uint8_t *fields;  /* all of them, without Content-Length, which is the framing's */
    uint16_t fields_len;    /* of a 200, and of a 206 of one part */
    uint16_t multipart_len; /* the first ones of them: of a 206 of many parts, whose type is another */
    uint16_t lasting_len;   /* the first ones: of a 304 */
    uint16_t etag_at;       /* in the fields */
    uint16_t etag_len;
} asset;

/* Writes the fields to octets, ASSET_FIELDS_MAX of them, which the asset then points to.
 *
 * The ETag is the time of the last modification in nanoseconds, the length, and the coding. The time alone would miss
 * a second change in the same tick of the kernel's clock; the octets' own hash would cost a read of all of them; the
 * inode would differ from machine to machine behind one name. */
void asset_init(asset *file, uint8_t *octets, const asset_source *source, int64_t now);

#endif
