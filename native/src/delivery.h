/* What a request for a file gets: the status, the fields and the segments of the body.
 *
 * Owns:  the choice between 200, 206, 304, 412 and 416, Content-Range, and the frame of multipart/byteranges.
 * Knows: RFC 9110 §13 to §15; Content-Length, Date and Connection are the response's head's.
 * Never: reads the file or sends anything; whoever does sends the segments in their order.
 */
#ifndef TINYBEAM_DELIVERY_H
#define TINYBEAM_DELIVERY_H

#include "asked.h"
#include "asset.h"
#include "range.h"

enum {
    DELIVERY_FIELDS_MAX = ASSET_FIELDS_MAX + 128,
    DELIVERY_FRAME_MAX = 256, /* what stands before a part */
    DELIVERY_SEGMENTS_MAX = 2 * RANGE_PARTS_MAX + 1,
};

/* A run of the body's octets. */
typedef struct delivery_segment {
    uint64_t offset; /* in the file, or in `frames` */
    uint64_t len;
    bool framing; /* of the frames */
} delivery_segment;

/* Plain data without pointers into itself; fields and frames count no further than their lengths. */
typedef struct delivery {
    uint32_t status;
    uint32_t segment_count;
    uint64_t body_len; /* of all segments; of a HEAD as of the GET, though nothing of it is sent */
    size_t fields_len;
    size_t frames_len;
    uint8_t fields[DELIVERY_FIELDS_MAX]; /* "Name: value\r\n" for each */
    delivery_segment segments[DELIVERY_SEGMENTS_MAX];
    uint8_t frames[(RANGE_PARTS_MAX + 1) * DELIVERY_FRAME_MAX];
} delivery;

/* The answer to a GET or HEAD. The boundary of the parts is made of a number that nobody who writes files can foresee.
 */
void delivery_init(delivery *out, const asked *want, const asset *file, int64_t now, uint64_t boundary);
/* Such a number, where the request may need one. */
uint64_t delivery_boundary(const asked *want);

#endif
