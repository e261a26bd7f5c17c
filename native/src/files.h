/* Requests for files: from a path beneath a mount to what goes on the wire.
 *
 * Owns:  the way of a file through its connection's chain of answers.
 * Knows: mounts, exchanges, shipments.
 * Never: asks Python.
 */
#ifndef TINYBEAM_FILES_H
#define TINYBEAM_FILES_H

#include "exchange.h"
#include "room.h"

typedef enum files_step {
    FILES_SERVED,
    FILES_PASSED, /* there is no such file, and the mount leaves that to the router */
    FILES_ROOM,   /* no handle is free */
} files_step;

/* Serves a GET or HEAD beneath a mount. */
files_step files_serve(conn_room *room, conn *con, mount *place, const parser_request *parsed, exchange_kind kind);
/* Goes on with the file that is the connection's turn, if there is one and nothing else waits to be sent. */
void files_settle(conn_room *room, conn *con);

#endif
