/* What a request for a file gets; see delivery.h.
 *
 * Owns:  the writing of Content-Range and of the frames.
 * Knows: that one range is never sent as multipart (RFC 9110 §15.3.7.2).
 * Never: clears the arrays: most answers use a little of them.
 */
#include "delivery.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "condition.h"

static void delivery_print(uint8_t *octets, size_t *len, size_t most, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends what printf would print. All that is printed is ours, and was measured. */
static void delivery_print(uint8_t *octets, size_t *len, size_t most, const char *format, ...) {
    va_list values;
    va_start(values, format);
    const int printed = vsnprintf((char *)octets + *len, most - *len, format, values);
    va_end(values);
    assert(printed >= 0 && (size_t)printed < most - *len);
    *len += (size_t)printed;
}

static void delivery_push_fields(delivery *out, const asset *file, size_t len) {
    memcpy(out->fields, file->fields, len);
    out->fields_len = len;
}

static void delivery_push_segment(delivery *out, bool framing, uint64_t offset, uint64_t len) {
    if (len > 0) {
        assert(out->segment_count < DELIVERY_SEGMENTS_MAX);
        out->segments[out->segment_count++] = (delivery_segment){.offset = offset, .len = len, .framing = framing};
        out->body_len += len;
    }
}

static void delivery_on_part(delivery *out, const asset *file, const range_part *part) {
    out->status = 206;
    delivery_push_fields(out, file, file->fields_len);
    delivery_print(out->fields, &out->fields_len, sizeof out->fields,
                   "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", part->first,
                   part->first + part->len - 1, file->length);
    delivery_push_segment(out, false, part->first, part->len);
}

static void delivery_on_parts(delivery *out, const asset *file, const range_set *set, uint64_t boundary) {
    out->status = 206;
    delivery_push_fields(out, file, file->multipart_len);
    delivery_print(out->fields, &out->fields_len, sizeof out->fields,
                   "Content-Type: multipart/byteranges; boundary=%016" PRIx64 "\r\n", boundary);
    for (uint32_t i = 0; i < set->count; i++) {
        const range_part *part = &set->parts[i];
        const size_t start = out->frames_len;
        delivery_print(out->frames, &out->frames_len, sizeof out->frames,
                       "%s--%016" PRIx64 "\r\nContent-Type: %s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64
                       "\r\n\r\n",
                       i == 0 ? "" : "\r\n", boundary, file->type, part->first, part->first + part->len - 1,
                       file->length);
        delivery_push_segment(out, true, start, out->frames_len - start);
        delivery_push_segment(out, false, part->first, part->len);
    }
    const size_t start = out->frames_len;
    delivery_print(out->frames, &out->frames_len, sizeof out->frames, "\r\n--%016" PRIx64 "--\r\n", boundary);
    delivery_push_segment(out, true, start, out->frames_len - start);
}

static void delivery_on_unsatisfiable(delivery *out, const asset *file) {
    out->status = 416;
    delivery_push_fields(out, file, 0);
    delivery_print(out->fields, &out->fields_len, sizeof out->fields,
                   "Accept-Ranges: bytes\r\nContent-Range: bytes */%" PRIu64 "\r\n", file->length);
}

static void delivery_on_whole(delivery *out, const asset *file) {
    out->status = 200;
    delivery_push_fields(out, file, file->fields_len);
    delivery_push_segment(out, false, 0, file->length);
}

void delivery_init(delivery *out, const asked *want, const asset *file, int64_t now, uint64_t boundary) {
    const condition_validators have = {
        .etag = file->fields + file->etag_at, .etag_len = file->etag_len, .modified = file->modified, .now = now};
    bool ranged;
    out->segment_count = 0;
    out->body_len = 0;
    out->frames_len = 0;
    out->status = condition_status(want, &have, &ranged);
    if (out->status != 200) {
        /* What the mount says of caching is about the file, and must not make a cache keep a 412. */
        delivery_push_fields(out, file, out->status == 304 ? file->lasting_len : 0);
        return;
    }
    range_set set;
    const parser_field *field = ranged ? asked_single(want, ASKED_RANGE) : NULL;
    const range_verdict verdict =
        field == NULL ? RANGE_IGNORED : range_read(field->value, field->value_len, file->length, &set);
    if (verdict == RANGE_UNSATISFIABLE) {
        delivery_on_unsatisfiable(out, file);
    } else if (verdict == RANGE_IGNORED) {
        delivery_on_whole(out, file);
    } else if (set.count == 1) {
        delivery_on_part(out, file, &set.parts[0]);
    } else {
        delivery_on_parts(out, file, &set, boundary);
    }
}

uint64_t delivery_boundary(const asked *want) {
    uint64_t number = 0;
    if (want->count[ASKED_RANGE] > 0 && getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) {
        number = (uint64_t)clock() * 0x9e3779b97f4a7c15u;
    }
    return number;
}
