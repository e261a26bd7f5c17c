/* A file on its way to a client; see shipment.h.
 *
 * Owns:  one descriptor for each.
 * Knows: that sendfile moves no offset of ours when it is given one, and gives 0 where the file has ended.
 * Never: raises SIGPIPE, or blocks on the socket; a disk that is slow does hold up the scheduler.
 */
#include "shipment.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "locate.h"
#include "room.h"

enum { SHIPMENT_TURN_BYTES = 1024 * 1024 };

struct shipment {
    conn_room *room;
    int fd;
    struct stat stat; /* when it was opened */
    uint32_t segment; /* that is being sent */
    uint32_t segment_count;
    uint64_t done; /* octets of it */
    delivery_segment segments[DELIVERY_SEGMENTS_MAX];
    uint8_t frames[];
};

shipment *shipment_open(conn_room *room, int fd, const struct stat *stat, const delivery *plan) {
    shipment *cargo = malloc(sizeof *cargo + plan->frames_len);
    if (cargo == NULL) {
        close(fd);
        return NULL;
    }
    cargo->room = room;
    cargo->fd = fd;
    room_mark(room, fd, 1);
    cargo->stat = *stat;
    cargo->segment = 0;
    cargo->segment_count = plan->segment_count;
    cargo->done = 0;
    memcpy(cargo->segments, plan->segments, plan->segment_count * sizeof *plan->segments);
    memcpy(cargo->frames, plan->frames, plan->frames_len);
    return cargo;
}

void shipment_close(shipment *cargo) {
    if (cargo != NULL) {
        pthread_mutex_lock(&cargo->room->fds_lock);
        room_mark(cargo->room, cargo->fd, 0);
        close(cargo->fd);
        pthread_mutex_unlock(&cargo->room->fds_lock);
        free(cargo);
    }
}

/* Whether the file is what it was when its first octets, and its length, were told. */
static bool shipment_is_same(const shipment *cargo) {
    struct stat now;
    return fstat(cargo->fd, &now) == 0 && locate_is_whole(&now, &cargo->stat);
}

static ssize_t shipment_push(const shipment *cargo, int socket, size_t most) {
    const delivery_segment *part = &cargo->segments[cargo->segment];
    const uint64_t left = part->len - cargo->done;
    const size_t len = left < most ? (size_t)left : most;
    if (part->framing) {
        const uint8_t *at = cargo->frames + part->offset + cargo->done;
        return send(socket, at, len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
    }
    off_t offset = (off_t)(part->offset + cargo->done);
    return sendfile(socket, cargo->fd, &offset, len);
}

/* Keeps SIGPIPE from this thread: sendfile has no flag against it, and the host's way of taking it is not ours to
 * change. */
static void shipment_mask(sigset_t *before) {
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, before);
}

/* Lets it come again, but for the one that was ours, if there was one. */
static void shipment_unmask(const sigset_t *before, bool raised) {
    if (raised && !sigismember(before, SIGPIPE)) {
        static const struct timespec now = {0};
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        while (sigtimedwait(&broken_pipe, NULL, &now) < 0 && errno == EINTR) {
        }
    }
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

static shipment_step shipment_go_on(shipment *cargo, int socket, size_t *sent) {
    size_t left = SHIPMENT_TURN_BYTES;
    while (cargo->segment < cargo->segment_count) {
        const delivery_segment *part = &cargo->segments[cargo->segment];
        if (cargo->done == part->len) {
            cargo->segment++;
            cargo->done = 0;
            continue;
        }
        if (left == 0) {
            return SHIPMENT_TURN;
        }
        const bool last = cargo->segment + 1 == cargo->segment_count && part->len - cargo->done <= left;
        if (last && !shipment_is_same(cargo)) {
            return SHIPMENT_LOST;
        }
        const ssize_t n = shipment_push(cargo, socket, left);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
            return SHIPMENT_FULL;
        }
        if (n <= 0) { /* the client has left, or the file has shrunk */
            return SHIPMENT_LOST;
        }
        cargo->done += (uint64_t)n;
        *sent += (size_t)n;
        left -= (size_t)n < left ? (size_t)n : left;
    }
    return SHIPMENT_DONE;
}

shipment_step shipment_send(shipment *cargo, int socket, size_t *sent) {
    sigset_t before;
    shipment_mask(&before);
    errno = 0;
    const shipment_step step = shipment_go_on(cargo, socket, sent);
    shipment_unmask(&before, step == SHIPMENT_LOST && errno == EPIPE);
    return step;
}
