/* A file on its way to a client.
 *
 * Owns:  the open file, and how far its segments have gone.
 * Knows: sendfile, and that a file may change or shrink while it is sent.
 * Never: sends the end of a file that is not the one whose beginning was sent.
 */
#ifndef TINYBEAM_SHIPMENT_H
#define TINYBEAM_SHIPMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "delivery.h"

struct conn_room;
typedef struct shipment shipment;

typedef enum shipment_step {
    SHIPMENT_DONE,
    SHIPMENT_FULL, /* the socket takes no more for now */
    SHIPMENT_TURN, /* enough for once: others have their turn */
    SHIPMENT_LOST, /* the client has left, or the file is not what it was */
} shipment_step;

/* Takes over the descriptor, and marks it in the room as ours. NULL when memory is out; it is closed then. Any thread,
 * like shipment_close. */
shipment *shipment_open(struct conn_room *room, int fd, const struct stat *stat, const delivery *plan);
void shipment_close(shipment *cargo);
/* Sends as much as goes, and adds how many octets that were to *sent. */
shipment_step shipment_send(shipment *cargo, int socket, size_t *sent);

#endif
