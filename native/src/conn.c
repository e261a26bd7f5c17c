/* One accepted connection; see conn.h.
 *
 * Owns:  opening, reading, ending and closing; what epoll has said of a connection.
 * Knows: that an event may come for a connection that was closed earlier in the same turn: it is marked dead, and its
 *        memory goes when the turn is over.
 * Never: parses (intake.c does) or composes answers (exchange.c does).
 */
#include "conn.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deadline.h"
#include "exchange.h"
#include "files.h"
#include "intake.h"
#include "stream.h"

/* What a refused client may still send before we stop listening to it (RFC 9112 §9.6). */
enum { CONN_LINGER_BYTES_MAX = 1024 * 1024 };
/* Scratches full that one connection may be read before the others. */
enum { CONN_READS_MAX = 4 };

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
    /* Edge-triggered, and asked for once: what an event said is remembered until it can be acted on. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = con};
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
    room_mark(room, fd, 1);
    stats_add(&room->stats.connections_accepted, 1);
    atomic_store_explicit(&room->stats.connections_open, room->open, memory_order_relaxed);
    deadline_settle(room, con);
    return true;
}

/* Gives the descriptor back. A forked child may have a copy of it for a moment, or for long when it is held up before
 * it can let go: then close alone would neither end the connection, nor take it off the poll set, where a pointer to
 * memory that is freed soon would stay. */
static void conn_close_socket(conn_room *room, conn *con) {
    epoll_ctl(room->epoll_fd, EPOLL_CTL_DEL, con->sink.fd, NULL);
    pthread_mutex_lock(&room->fds_lock);
    room_mark(room, con->sink.fd, 0);
    if (room->forked) {
        shutdown(con->sink.fd, SHUT_RDWR);
    }
    close(con->sink.fd);
    pthread_mutex_unlock(&room->fds_lock);
    con->sink.fd = -1;
}

void conn_close(conn_room *room, conn *con) {
    if (con->dead) {
        return;
    }
    con->dead = true;
    exchange_on_disconnect(room, con);
    output_drop(&room->out, &con->sink);
    wheel_clear(&room->conn_timers, &con->timer);
    conn_close_socket(room, con);
    buffer_deinit(&con->sink.pending);
    buffer_deinit(&con->in);
    room_drop_request(con);
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

/* Whether there is any use in reading now: not while answers cannot be written, nor while what was read has to wait. */
static bool conn_may_read(const conn *con) {
    return !con->eof && intake_goes_on(con) && !con->waiting && con->refusal == 0 && con->sink.pending.len == 0 &&
           !con->shipping && !con->sink.broken && !intake_blocked(con);
}

/* Whether input was kept that may be parsed now. */
static bool conn_may_resume(const conn *con) {
    return intake_goes_on(con) && !con->waiting && con->refusal == 0 && intake_kept(con);
}

/* One read into the scratch. Less than a scratch full means that the socket is empty, and that epoll will tell when it
 * is not, unless the client has hung up: then the end is still to be read. Returns the octets, 0 at the end, or -1. */
static ssize_t conn_receive(conn_room *room, conn *con) {
    ssize_t n;
    do {
        n = recv(con->sink.fd, room->scratch, room->scratch_len, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    con->readable = n == (ssize_t)room->scratch_len || (n > 0 && con->hung_up);
    con->eof = con->eof || n == 0;
    con->sink.broken = con->sink.broken || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    if (n > 0) {
        deadline_on_moved(room, con, (size_t)n);
    }
    return n;
}

/* Octets for the protocol that the connection was switched to. */
static void conn_hand_on(conn_room *room, conn *con, const uint8_t *octets, ssize_t len) {
    if (len >= 0 && !con->protocol->on_octets(room, con, octets, (size_t)len)) {
        con->closing = true;
    }
}

/* Reads while there is something to read and a use for it; a few times only, so that the others get their turn. */
static void conn_read(conn_room *room, conn *con) {
    for (unsigned i = 0; con->readable && conn_may_read(con); i++) {
        bool full = !batch_open(&room->batch);
        if (full || i == CONN_READS_MAX) {
            room->eager = room->eager || !full;
            room_wait(room, con, false);
            return;
        }
        ssize_t n = conn_receive(room, con);
        if (con->protocol != NULL) {
            conn_hand_on(room, con, room->scratch, n);
        } else if (n > 0) {
            intake_push(room, con, room->scratch, (size_t)n);
        } else if (n == 0) {
            intake_on_eof(room, con);
        }
    }
}

/* Discards what the client still sends, until it has closed as well or has sent too much. */
static void conn_linger(conn_room *room, conn *con) {
    ssize_t n = 1;
    while (n > 0 && con->readable && con->lingered <= CONN_LINGER_BYTES_MAX) {
        n = conn_receive(room, con);
        con->lingered += n > 0 ? (uint32_t)n : 0;
    }
    if (con->eof || con->sink.broken || con->lingered > CONN_LINGER_BYTES_MAX) {
        conn_close(room, con);
    }
}

/* Shuts our side and listens until the client has read all: a close over unread octets would reset the connection and
 * take the answer from under the client (RFC 9112 §9.6). With nothing unread there is nothing to wait for. */
static void conn_end(conn_room *room, conn *con) {
    uint8_t probe;
    ssize_t n = con->eof ? 0 : recv(con->sink.fd, &probe, sizeof probe, MSG_PEEK | MSG_DONTWAIT);
    bool unread = !con->eof && (n > 0 || con->lingered > 0);
    if (!unread || shutdown(con->sink.fd, SHUT_WR) != 0) {
        conn_close(room, con);
        return;
    }
    con->lingering = true;
    con->readable = true;
    buffer_deinit(&con->in);
    conn_linger(room, con);
}

/* Closes at once and tells the client that what it has got is not all. */
static void conn_reset(conn_room *room, conn *con) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(con->sink.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    pthread_mutex_lock(&room->fds_lock);
    if (room->forked) {
        /* A close that is not the last one resets nothing; to dissolve the association does. */
        const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        connect(con->sink.fd, &nobody, sizeof nobody);
    }
    pthread_mutex_unlock(&room->fds_lock);
    conn_close(room, con);
}

static void conn_settle(conn_room *room, conn *con) {
    if (con->dead) {
        return;
    }
    if (con->lingering) {
        conn_linger(room, con);
        deadline_settle(room, con);
        return;
    }
    if (con->protocol != NULL && con->in.len > 0) {
        conn_hand_on(room, con, con->in.octets, (ssize_t)con->in.len); /* came with the request */
        buffer_deinit(&con->in);
    } else if (conn_may_resume(con)) {
        intake_resume(room, con);
    }
    conn_read(room, con);
    intake_pay_dues(room, con);
    if (room->out.sink == &con->sink) {
        output_flush(&room->out);
    }
    files_settle(room, con);
    if (con->sink.broken) {
        conn_close(room, con);
        return;
    }
    if (con->cut && con->sink.pending.len == 0) {
        con->reset ? conn_reset(room, con) : conn_end(room, con);
        if (!con->dead) {
            deadline_settle(room, con);
        }
        return;
    }
    bool idle = con->in_flight == 0 && con->sink.pending.len == 0;
    bool finished = con->closing || (con->eof && !con->waiting) ||
                    (room->draining && con->in.len == 0 && con->request == NULL && !con->waiting);
    if (idle && finished) {
        conn_end(room, con);
    }
    deadline_settle(room, con);
    stream_settle(room, con);
}

/* Whether the kernel itself has given up a client that takes nothing of its answer (TCP_USER_TIMEOUT, RFC 5482). Held
 * up for a while, we may hear of that before our own timer comes up. */
static bool conn_given_up(const conn *con) {
    int error = 0;
    socklen_t len = sizeof error;
    return con->phase == DEADLINE_WRITE && getsockopt(con->sink.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
           error == ETIMEDOUT;
}

void conn_on_event(conn_room *room, conn *con, uint32_t events) {
    if (con->dead) {
        return;
    }
    if (events & (EPOLLERR | EPOLLHUP)) {
        if (conn_given_up(con)) {
            stats_add(&room->stats.timeouts_write, 1);
        }
        conn_close(room, con);
        return;
    }
    con->readable = con->readable || (events & (EPOLLIN | EPOLLRDHUP)) != 0;
    if ((events & EPOLLRDHUP) && !con->hung_up) {
        con->hung_up = true;
        exchange_on_hang_up(room, con);
    }
    if ((events & EPOLLOUT) && con->sink.pending.len > 0) {
        const size_t sent = con->sink.sent;
        const size_t len = con->sink.pending.len;
        output_on_writable(&con->sink);
        const size_t taken = (con->sink.pending.len == 0 ? len : con->sink.sent) - sent;
        if (taken > 0) {
            deadline_on_moved(room, con, taken);
        }
    }
    conn_settle(room, con);
}

/* A client may have sent a request in this very moment: it is read, or else the client is told of the end and not
 * reset, so that it knows it may send it again. */
static void conn_end_idle(conn_room *room, conn *con) {
    con->readable = true;
    conn_settle(room, con);
    if (!con->dead && con->phase == DEADLINE_KEEPALIVE && deadline_met(room, con)) {
        stats_add(&room->stats.timeouts_keepalive, 1);
        con->closing = true;
        con->lingered++;
        conn_end(room, con);
        deadline_settle(room, con);
    }
}

void conn_on_timer(conn_room *room, wheel_timer *timer) {
    conn *con = (conn *)(void *)((uint8_t *)timer - offsetof(conn, timer));
    if (!deadline_met(room, con)) {
        return;
    }
    switch ((deadline_phase)con->phase) {
    case DEADLINE_KEEPALIVE:
        conn_end_idle(room, con);
        return;
    case DEADLINE_WRITE:
        stats_add(&room->stats.timeouts_write, 1);
        conn_reset(room, con);
        return;
    case DEADLINE_LINGER:
        conn_close(room, con);
        return;
    case DEADLINE_HEADER:
        stats_add(&room->stats.timeouts_header, 1);
        if (con->in.len == 0) {
            conn_close(room, con); /* it has asked for nothing, and is told nothing */
            return;
        }
        break;
    default:
        stats_add(&room->stats.timeouts_body, 1);
    }
    intake_on_timeout(room, con);
    conn_settle(room, con);
}

void conn_settle_touched(conn_room *room) {
    output_flush(&room->out);
    while (room->touched != NULL) {
        conn *con = room->touched;
        room->touched = con->touched_next;
        con->touched = false;
        if (!con->dead && (conn_may_resume(con) || (con->readable && conn_may_read(con)))) {
            room_wait(room, con, false); /* behind those that wait already: to pipeline is no way to be first */
        }
        conn_settle(room, con);
    }
}

void conn_resume_waiting(conn_room *room) {
    const conn *last = room->waiting_last;
    const conn *done = NULL;
    room->eager = false;
    while (done != last && batch_open(&room->batch)) {
        conn *con = room_take_waiting(room);
        conn_settle(room, con); /* which may put it back */
        done = con;
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
            con->readable = true; /* a request may have come just now */
            conn_settle(room, con);
        }
        con = next;
    }
}
