/* What the connections of a scheduler share; see room.h.
 *
 * Owns:  the two lists: those that wait for room or for their turn, and those that were answered; the marks.
 * Knows: nothing of octets.
 * Never: frees a connection: one that is closed while it is on a list stays until the list lets it go.
 */
#include "room.h"

#include <stddef.h>
#include <stdlib.h>

void room_mark(conn_room *room, int fd, uint8_t ours) {
    if (room->fds != NULL && fd >= 0 && (uint32_t)fd < room->fds_len) {
        atomic_store_explicit(&room->fds[fd], ours, memory_order_relaxed);
    }
}

void room_wait(conn_room *room, conn *con, bool next) {
    if (con->waiting) {
        return;
    }
    con->waiting = true;
    con->waiting_next = next ? room->waiting : NULL;
    if (next || room->waiting == NULL) {
        room->waiting = con;
    } else {
        room->waiting_last->waiting_next = con;
    }
    if (con->waiting_next == NULL) {
        room->waiting_last = con;
    }
}

conn *room_take_waiting(conn_room *room) {
    conn *con = room->waiting;
    room->waiting = con->waiting_next;
    room->waiting_last = room->waiting == NULL ? NULL : room->waiting_last;
    con->waiting = false;
    con->waiting_next = NULL;
    return con;
}

void room_touch(conn_room *room, conn *con) {
    if (!con->touched) {
        con->touched = true;
        con->touched_next = room->touched;
        room->touched = con;
    }
}

void room_drop_request(conn *con) {
    if (con->request != NULL) {
        buffer_deinit(&con->request->head);
        buffer_deinit(&con->request->body);
        buffer_deinit(&con->request->trailers);
        free(con->request);
        con->request = NULL;
    }
}
