/* A scripted socket: how much is read and written at once, EAGAIN, EINTR, the end, a reset, the window, and the clock.
 *
 * Owns:  `net`, which the calls of the scheduler reach in place of the kernel.
 * Knows: the calls that are renamed for a fuzzer of connections.
 * Never: does anything that a kernel would not.
 */
#ifndef NET_H
#define NET_H

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "tinybeam.h"

enum { FD = 700, WIRE_MAX = 1 << 20 };

static struct {
    const uint8_t *stream;
    size_t stream_len;
    size_t arrived; /* what the client has sent so far */
    size_t taken;
    bool fin, reset, open, shut;
    unsigned interrupted; /* so many calls fail with EINTR first */
    size_t window;        /* what the client still takes */
    bool full;
    uint32_t events; /* that epoll will tell */
    void *pointer;
    uint8_t wire[WIRE_MAX];
    size_t wire_len;
    int64_t now_ms;
    _Atomic uint32_t *flags; /* of the scheduler */
} net;

ssize_t fuzz_recv(int fd, void *into, size_t len, int flags);
ssize_t fuzz_send(int fd, const void *from, size_t len, int flags);
ssize_t fuzz_sendmsg(int fd, const struct msghdr *message, int flags);
int fuzz_shutdown(int fd, int how);
int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int fuzz_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int fuzz_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms);
int fuzz_close(int fd);
int fuzz_clock_gettime(clockid_t id, struct timespec *now);

static bool interrupted(void) {
    if (net.interrupted == 0) {
        return false;
    }
    net.interrupted--;
    errno = EINTR;
    return true;
}

ssize_t fuzz_recv(int fd, void *into, size_t len, int flags) {
    FUZZ_CHECK(fd == FD && net.open);
    if (interrupted()) {
        return -1;
    }
    const size_t waiting = net.arrived - net.taken;
    if (net.reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (waiting == 0) {
        errno = EAGAIN;
        return net.fin ? 0 : -1;
    }
    const size_t taken = waiting < len ? waiting : len;
    memcpy(into, net.stream + net.taken, taken);
    net.taken += flags & MSG_PEEK ? 0 : taken;
    return (ssize_t)taken;
}

ssize_t fuzz_send(int fd, const void *from, size_t len, int flags) {
    FUZZ_CHECK(fd == FD && net.open && !net.shut && (flags & MSG_NOSIGNAL) != 0 && len > 0);
    if (interrupted()) {
        return -1;
    }
    if (net.reset || net.window == 0) {
        net.full = !net.reset;
        errno = net.reset ? EPIPE : EAGAIN;
        return -1;
    }
    const size_t taken = len < net.window ? len : net.window;
    FUZZ_CHECK(net.wire_len + taken < WIRE_MAX);
    memcpy(net.wire + net.wire_len, from, taken);
    net.wire_len += taken;
    net.window -= taken;
    net.full = taken < len;
    return (ssize_t)taken;
}

ssize_t fuzz_sendmsg(int fd, const struct msghdr *message, int flags) {
    ssize_t sum = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        if (message->msg_iov[i].iov_len == 0) {
            continue;
        }
        const ssize_t n = fuzz_send(fd, message->msg_iov[i].iov_base, message->msg_iov[i].iov_len, flags);
        if (n < 0) {
            return sum > 0 ? sum : n;
        }
        sum += n;
        if ((size_t)n < message->msg_iov[i].iov_len) {
            break;
        }
    }
    return sum;
}

int fuzz_shutdown(int fd, int how) {
    FUZZ_CHECK(fd == FD && net.open && how == SHUT_WR);
    net.shut = true;
    return 0;
}

int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t len) {
    (void)level, (void)name, (void)value, (void)len;
    FUZZ_CHECK(fd == FD && net.open);
    return 0;
}

int fuzz_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event) {
    (void)epoll_fd;
    if (fd == FD) {
        net.pointer = op == EPOLL_CTL_ADD ? event->data.ptr : NULL;
    }
    return 0;
}

int fuzz_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms) {
    (void)epoll_fd, (void)most;
    FUZZ_CHECK(timeout_ms >= -1);
    atomic_fetch_or(net.flags, TB_POLL_WAKE); /* nothing else ends the poll that would sleep now */
    if (net.pointer == NULL || net.events == 0) {
        return 0;
    }
    events[0] = (struct epoll_event){.events = net.events, .data.ptr = net.pointer};
    net.events = 0;
    return 1;
}

int fuzz_close(int fd) {
    if (fd == FD) {
        FUZZ_CHECK(net.open);
        net.open = false;
        return 0;
    }
    return (int)syscall(SYS_close, fd);
}

int fuzz_clock_gettime(clockid_t id, struct timespec *now) {
    (void)id;
    *now = (struct timespec){.tv_sec = net.now_ms / 1000, .tv_nsec = net.now_ms % 1000 * 1000000};
    return 0;
}

static void deliver(size_t len) {
    const size_t left = net.stream_len - net.arrived;
    if (len > 0 && left > 0 && !net.fin && !net.reset) {
        net.arrived += len < left ? len : left;
        net.events |= EPOLLIN;
    }
}

static void end_stream(bool reset) {
    net.reset = net.reset || reset;
    net.fin = true;
    net.events |= EPOLLIN | EPOLLRDHUP | (reset ? EPOLLERR | EPOLLHUP : 0);
}

static void widen(size_t octets) {
    net.window += octets;
    if (net.full && octets > 0) {
        net.full = false;
        net.events |= EPOLLOUT;
    }
}

#endif
