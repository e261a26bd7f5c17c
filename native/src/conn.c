/* One accepted connection; see conn.h.
 *
 * Owns:  opening, closing, and which epoll events a connection waits for.
 * Knows: that an event may come for a connection that was closed earlier in the same turn: it is marked dead, and its
 *        memory goes when the turn is over.
 * Never: parses (intake.c does) or composes answers (exchange.c does).
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exchange.h"
#include "intake.h"

/* What a refused client may still send before we stop listening to it (RFC 9112 §9.6). */
enum { CONN_LINGER_BYTES_MAX = 1024 * 1024 };

static void conn_mark(conn_room *room, int fd, uint8_t ours) {
    if (room->fds != NULL && fd >= 0 && (uint32_t)fd < room->fds_len) {
        atomic_store_explicit(&room->fds[fd], ours, memory_order_relaxed);
    }
}

bool conn_open(conn_room *room, int fd, const uint8_t *peer, uint8_t peer_len) {
    assert(peer_len <= CONN_PEER_MAX);
    conn *con = calloc(1, sizeof *con);
    if (con == NULL) {
        close(fd);
        return false;
    }
    con->sink.fd = fd;
    con->first = con->last = HANDLE_NONE;
    con->peer_len = peer_len;
    memcpy(con->peer, peer, peer_len);
    con->interest = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = con};
    if (epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        free(con);
        return false;
    }
    con->next = room->conns;
    if (room->conns != NULL) {
        room->conns->previous = con;
    }
    room->conns = con;
    room->open++;
    conn_mark(room, fd, 1);
    stats_add(&room->stats.connections_accepted, 1);
    atomic_store_explicit(&room->stats.connections_open, room->open, memory_order_relaxed);
    return true;
}

void conn_close(conn_room *room, conn *con) {
    if (con->dead) {
        return;
    }
    con->dead = true;
    exchange_on_disconnect(room, con);
    output_drop(&room->out, &con->sink);
    conn_mark(room, con->sink.fd, 0);
    close(con->sink.fd);
    con->sink.fd = -1;
    buffer_deinit(&con->sink.pending);
    buffer_deinit(&con->in);
    intake_close_request(con);
    if (con->previous != NULL) {
        con->previous->next = con->next;
    } else {
        room->conns = con->next;
    }
    if (con->next != NULL) {
        con->next->previous = con->previous;
    }
    con->previous = NULL;
    con->next = room->dead;
    room->dead = con;
    room->open--;
    atomic_store_explicit(&room->stats.connections_open, room->open, memory_order_relaxed);
}

void conn_bury(conn_room *room) {
    conn *con = room->dead;
    conn *kept = NULL;
    while (con != NULL) {
        conn *next = con->next;
        if (con->waiting || con->touched) { /* still on a list: its next visit takes it off */
            con->next = kept;
            kept = con;
        } else {
            free(con);
        }
        con = next;
    }
    room->dead = kept;
}

static void conn_set_interest(conn_room *room, conn *con, uint32_t interest) {
    if (interest == con->interest) {
        return;
    }
    struct epoll_event event = {.events = interest, .data.ptr = con};
    if (epoll_ctl(room->epoll_fd, EPOLL_CTL_MOD, con->sink.fd, &event) != 0) {
        con->sink.broken = true;
        return;
    }
    con->interest = interest;
}

/* Whether there is any use in reading now: not while answers cannot be written, nor while what was read has to wait. */
static bool conn_may_read(const conn *con) {
    if (con->lingering) {
        return true;
    }
    return !con->eof && !con->closing && !con->waiting && con->refusal == 0 && con->sink.pending.len == 0 &&
           !intake_blocked(con);
}

/* Shuts our side and listens until the client has read all: a close over unread octets would reset the connection and
 * take the answer from under the client (RFC 9112 §9.6). With nothing unread there is nothing to wait for. */
static void conn_end(conn_room *room, conn *con) {
    uint8_t probe;
    ssize_t n = con->eof ? 0 : recv(con->sink.fd, &probe, sizeof probe, MSG_PEEK | MSG_DONTWAIT);
    bool unread = n > 0 || con->lingered > 0;
    if (!unread || shutdown(con->sink.fd, SHUT_WR) != 0) {
        conn_close(room, con);
        return;
    }
    con->lingering = true;
    buffer_deinit(&con->in);
    conn_set_interest(room, con, EPOLLIN);
}

static void conn_settle(conn_room *room, conn *con) {
    if (con->dead) {
        return;
    }
    if (!con->closing && !con->waiting && con->refusal == 0 && intake_kept(con)) {
        intake_resume(room, con);
    }
    intake_pay_dues(room, con);
    if (room->out.sink == &con->sink) {
        output_flush(&room->out);
    }
    if (con->sink.broken) {
        conn_close(room, con);
        return;
    }
    bool idle = con->in_flight == 0 && con->sink.pending.len == 0;
    bool finished = con->closing || (con->eof && !con->waiting) ||
                    (room->draining && con->in.len == 0 && con->request == NULL && !con->waiting);
    if (idle && finished && !con->lingering) {
        conn_end(room, con);
        return;
    }
    uint32_t interest = con->sink.pending.len > 0 ? EPOLLOUT : 0;
    /* Reading is switched off only when an event shows that there is something to read: most waits are too short. */
    interest |= conn_may_read(con) || (con->interest & EPOLLIN) ? EPOLLIN : 0;
    conn_set_interest(room, con, interest);
    if (con->sink.broken) {
        conn_close(room, con);
    }
}

/* Reads once. Level-triggered epoll brings us back if there is more. */
static void conn_on_readable(conn_room *room, conn *con) {
    ssize_t n;
    do {
        n = recv(con->sink.fd, room->scratch, room->scratch_len, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        con->sink.broken = con->sink.broken || (errno != EAGAIN && errno != EWOULDBLOCK);
        return;
    }
    if (con->lingering) {
        con->lingered += (uint32_t)n;
        con->sink.broken = n == 0 || con->lingered > CONN_LINGER_BYTES_MAX;
        return;
    }
    if (n == 0) {
        con->eof = true;
        intake_on_eof(con);
        return;
    }
    intake_push(room, con, room->scratch, (size_t)n);
}

void conn_on_event(conn_room *room, conn *con, uint32_t events) {
    if (con->dead) {
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP)) {
        conn_close(room, con);
        return;
    }
    if (events & EPOLLOUT) {
        output_on_writable(&con->sink);
    }
    if (events & EPOLLIN) {
        if (conn_may_read(con)) {
            conn_on_readable(room, con);
        } else {
            conn_set_interest(room, con, con->interest & ~(uint32_t)EPOLLIN);
        }
    }
    conn_settle(room, con);
}

void conn_answer(conn_room *room, uint32_t slot, const answer *ans) {
    exchange_answer(room, slot, ans);
}

void conn_settle_touched(conn_room *room) {
    output_flush(&room->out);
    while (room->touched != NULL) {
        conn *con = room->touched;
        room->touched = con->touched_next;
        con->touched = false;
        conn_settle(room, con);
    }
}

void conn_resume_waiting(conn_room *room) {
    conn *con = room->waiting;
    room->waiting = room->waiting_last = NULL;
    while (con != NULL) {
        conn *next = con->waiting_next;
        con->waiting = false;
        con->waiting_next = NULL;
        conn_settle(room, con);
        con = next;
    }
}

void conn_drain(conn_room *room) {
    room->draining = true;
    conn *con = room->conns;
    while (con != NULL) {
        conn *next = con->next;
        if (con->lingering) {
            conn_close(room, con);
        } else {
            conn_on_event(room, con, EPOLLIN); /* a request may have come just now */
        }
        con = next;
    }
}
