/* The deadlines of a connection; see deadline.h.
 *
 * Owns:  the decision which deadline a connection has, from the state that it is in.
 * Knows: that a timer which fires too early looks again, so a later deadline never has to move it.
 * Never: lets single octets put a deadline off for ever: what has moved must have moved fast enough on the whole.
 */
#include "deadline.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

enum { DEADLINE_AGAIN_MS = 100 };

static deadline_phase deadline_phase_of(const conn *con) {
    if (con->lingering) {
        return DEADLINE_LINGER;
    }
    if (con->sink.pending.len > 0 || con->shipping) {
        return DEADLINE_WRITE;
    }
    if (con->protocol != NULL) {
        return DEADLINE_NONE;
    }
    if (con->request != NULL && !con->request->complete && !con->request->offered && !con->request->held) {
        return DEADLINE_BODY;
    }
    if (con->in_flight > 0) {
        return DEADLINE_NONE;
    }
    return con->in.len > 0 || con->served == 0 ? DEADLINE_HEADER : DEADLINE_KEEPALIVE;
}

/* No octet for this long, or fewer in all than the least rate asks for after a start of this long. */
static uint64_t deadline_of_transfer(const conn_room *room, const conn *con, uint64_t ms) {
    const uint64_t stalled = con->moved_ms + ms;
    const uint64_t slow = con->since_ms + ms + con->moved_octets * 1000 / room->timeouts.bytes_per_s_min;
    return stalled < slow ? stalled : slow;
}

static uint64_t deadline_of(const conn_room *room, const conn *con) {
    switch ((deadline_phase)con->phase) {
    case DEADLINE_HEADER:
        return con->since_ms + room->timeouts.header_ms;
    case DEADLINE_BODY:
        return deadline_of_transfer(room, con, room->timeouts.body_ms);
    case DEADLINE_KEEPALIVE:
        return con->since_ms + room->timeouts.keepalive_ms;
    case DEADLINE_WRITE:
        return deadline_of_transfer(room, con, room->timeouts.write_ms);
    case DEADLINE_LINGER:
        return con->since_ms + room->timeouts.linger_ms;
    default:
        return WHEEL_NEVER;
    }
}

/* The octets of our answers that the kernel holds for the client. It tells that a socket is writable only when much of
 * them has gone, which at a modest speed is long after the client has begun to take them. */
static uint32_t deadline_unread(const conn *con) {
    int octets = 0;
    return ioctl(con->sink.fd, SIOCOUTQ, &octets) == 0 && octets > 0 ? (uint32_t)octets : 0;
}

/* What the client has taken since we looked last. */
static void deadline_look(conn_room *room, conn *con) {
    const uint32_t unread = deadline_unread(con);
    if (unread < con->unread) {
        con->moved_ms = room->now_ms;
        con->moved_octets += con->unread - unread;
    }
    con->unread = unread;
}

void deadline_settle(conn_room *room, conn *con) {
    const deadline_phase phase = deadline_phase_of(con);
    if (con->phase == phase || con->dead || con->waiting) {
        return;
    }
    con->phase = (uint8_t)phase;
    con->since_ms = con->moved_ms = room->now_ms;
    con->moved_octets = 0;
    con->unread = phase == DEADLINE_WRITE ? deadline_unread(con) : 0;
    const uint64_t at = deadline_of(room, con);
    if (at == WHEEL_NEVER) {
        return;
    }
    /* The timer is left where it is as long as that is no later than the wheel itself would make it. */
    if (!wheel_holds(&con->timer) || con->timer.at > at + (at - room->now_ms) / 8) {
        wheel_set(&room->conn_timers, &con->timer, at);
    }
}

void deadline_restart(conn *con) {
    con->phase = DEADLINE_NONE;
}

void deadline_on_moved(conn_room *room, conn *con, size_t octets) {
    con->moved_ms = room->now_ms;
    if (con->phase == DEADLINE_WRITE) {
        con->unread += (uint32_t)octets; /* the kernel has taken them; the client has not */
    } else {
        con->moved_octets += octets;
    }
}

bool deadline_met(conn_room *room, conn *con) {
    if (con->phase == DEADLINE_WRITE) {
        deadline_look(room, con);
    }
    uint64_t at = deadline_of(room, con);
    const bool reading =
        con->phase == DEADLINE_HEADER || con->phase == DEADLINE_BODY || con->phase == DEADLINE_KEEPALIVE;
    if (reading && (con->waiting || con->readable)) {
        /* What the client has sent in time is not read yet, because others have their turn: that is not its fault. */
        at = room->now_ms + DEADLINE_AGAIN_MS;
    }
    if (at <= room->now_ms) {
        return true;
    }
    if (at != WHEEL_NEVER) {
        wheel_set(&room->conn_timers, &con->timer, at);
    }
    return false;
}
