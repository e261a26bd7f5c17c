/* A file as the answer to one request: from where it lies to what goes on the wire.
 *
 * Owns:  the answer's fields, and its octets where they are few.
 * Knows: locate, asset, delivery, shipment; that opening and reading may take their time.
 * Never: touches a connection: any thread may make one.
 */
#ifndef TINYBEAM_PARCEL_H
#define TINYBEAM_PARCEL_H

#include "answer.h"
#include "room.h"
#include "tinybeam.h"

enum { PARCEL_CONTENT_MAX = 64 * 1024 };

typedef struct parcel {
    answer ans;      /* its pointers lead into octets; its cargo is whoever's who takes the answer */
    uint8_t *octets; /* fields, content */
} parcel;

/* Opens the file and decides on the answer. TB_OK, TB_ENOMEM, TB_EINVAL, or TB_ESYSTEM - errno. */
int32_t parcel_open(parcel *made, conn_room *room, const tb_file *file);
/* All but the cargo. */
void parcel_close(parcel *made);

#endif
