/* A file as its clients see it; see asset.h.
 *
 * Owns:  the writing of the fields.
 * Knows: that fields which only some answers have stand last, so that each answer has the first so many.
 * Never: writes what is not known: a file has one type, one length and one date.
 */
#include "asset.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "date.h"
#include "mime.h"

static uint8_t *asset_push(uint8_t *at, const char *text) {
    const size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

static size_t asset_write_etag(char *etag, const asset_source *source) {
    const struct timespec when = source->stat->st_mtim;
    const uint64_t nanoseconds = (uint64_t)when.tv_sec * 1000000000u + (uint64_t)when.tv_nsec;
    const char *token = coding_token(source->coding);
    const int len = snprintf(etag, ASSET_ETAG_MAX, "\"%" PRIx64 "-%" PRIx64 "%s%s\"", nanoseconds,
                             (uint64_t)source->stat->st_size, token == NULL ? "" : "-", token == NULL ? "" : token);
    assert(len > 0 && len < ASSET_ETAG_MAX);
    return (size_t)len;
}

/* Last-Modified and the fields before it: what a 304 has too. */
static uint8_t *asset_write_lasting(asset *file, uint8_t *octets, const asset_source *source) {
    uint8_t *at = octets;
    char etag[ASSET_ETAG_MAX], date[DATE_LEN];
    if (source->fields_len > 0) {
        memcpy(at, source->fields, source->fields_len);
        at += source->fields_len;
    }
    if (source->negotiated) {
        at = asset_push(at, "Vary: Accept-Encoding\r\n");
    }
    at = asset_push(at, "ETag: ");
    file->etag_at = (uint16_t)(at - octets);
    file->etag_len = (uint16_t)asset_write_etag(etag, source);
    memcpy(at, etag, file->etag_len);
    at = asset_push(at + file->etag_len, "\r\nLast-Modified: ");
    date_write(date, file->modified);
    memcpy(at, date, DATE_LEN);
    return asset_push(at + DATE_LEN, "\r\n");
}

void asset_init(asset *file, uint8_t *octets, const asset_source *source, int64_t now) {
    assert(source->fields_len <= ASSET_OPTION_FIELDS_MAX);
    assert(source->type == NULL || strlen(source->type) <= ASSET_TYPE_MAX);
    const int64_t modified = source->stat->st_mtim.tv_sec;
    *file = (asset){
        .length = (uint64_t)source->stat->st_size,
        .modified = modified < now ? modified : now,
        .type = source->type != NULL ? source->type : mime_type(source->name, source->name_len),
        .fields = octets,
    };
    uint8_t *at = asset_write_lasting(file, octets, source);
    file->lasting_len = (uint16_t)(at - octets);
    at = asset_push(at, "Accept-Ranges: bytes\r\n");
    if (coding_token(source->coding) != NULL) {
        at = asset_push(at, "Content-Encoding: ");
        at = asset_push(at, coding_token(source->coding));
        at = asset_push(at, "\r\n");
    }
    file->multipart_len = (uint16_t)(at - octets);
    at = asset_push(at, "Content-Type: ");
    at = asset_push(at, file->type);
    at = asset_push(at, "\r\n");
    file->fields_len = (uint16_t)(at - octets);
    assert(file->fields_len <= ASSET_FIELDS_MAX);
}
