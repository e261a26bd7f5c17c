/* Faults on demand: system calls that fail or do less than they were asked to, and an allocator that runs out.
 *
 * Owns:  what goes wrong next, and how often what was called.
 * Knows: that the linker was told to send these calls here first (tests/native/conftest.py).
 * Never: a fault that nobody asked for.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { FAULTS_FREED = 0xdb, FAULTS_FRESH = 0xdc };

static struct {
    unsigned storm;      /* every call is interrupted so often before it works */
    unsigned storm_left; /* of the call that is under way */
    size_t send_max;     /* octets that one call sends at most, or 0 */
    unsigned send_again; /* so many calls find the socket full, though it is not */
    int send_errno;      /* instead of sending */
    int recv_errno;      /* instead of reading */
    int accept_errno;    /* instead of accepting */
    unsigned accept_failures;
    int pread_errno;        /* instead of reading a file */
    void (*on_pread)(void); /* before a file is read */
    size_t pread_max;       /* octets that one call reads at most, or 0 */
    int sendfile_errno;     /* instead of sending one, after so many calls: */
    unsigned sendfiles_left;
    size_t sendfile_max; /* octets that one call sends at most, or 0 */
    unsigned recvs, sends, accepts, waits;
    _Atomic uint64_t allocations;
    uint64_t fails_at; /* this allocation fails, and no other; 0 for none */
    bool dry;          /* every allocation fails */
    bool poison;       /* freed and fresh memory is filled */
} faults;

ssize_t __real_recv(int fd, void *into, size_t len, int flags);
ssize_t __real_send(int fd, const void *from, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
int __real_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags);
int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms);
ssize_t __real_pread(int fd, void *into, size_t len, off_t at);
ssize_t __real_sendfile(int socket, int fd, off_t *at, size_t len);
void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void __real_free(void *old);

ssize_t __wrap_recv(int fd, void *into, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *from, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags);
int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms);
ssize_t __wrap_pread(int fd, void *into, size_t len, off_t at);
ssize_t __wrap_sendfile(int socket, int fd, off_t *at, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);
void __wrap_free(void *old);

/* Whether this call is one that a signal interrupts. */
static inline bool faults_interrupt(void) {
    if (faults.storm_left > 0) {
        faults.storm_left--;
        errno = EINTR;
        return true;
    }
    faults.storm_left = faults.storm;
    return false;
}

ssize_t __wrap_recv(int fd, void *into, size_t len, int flags) {
    faults.recvs++;
    if (flags & MSG_PEEK || (flags & MSG_DONTWAIT) == 0) {
        return __real_recv(fd, into, len, flags);
    }
    if (faults_interrupt()) {
        return -1;
    }
    if (faults.recv_errno != 0) {
        errno = faults.recv_errno;
        return -1;
    }
    return __real_recv(fd, into, len, flags);
}

/* Whether this call fails instead of sending. Those of the tests themselves block, and never do. */
static inline bool faults_on_send(int flags) {
    faults.sends++;
    if ((flags & MSG_DONTWAIT) == 0) {
        return false;
    }
    if (faults_interrupt()) {
        return true;
    }
    errno = faults.send_errno;
    if (faults.send_errno == 0 && faults.send_again > 0) {
        faults.send_again--;
        errno = EAGAIN;
    }
    return errno != 0;
}

ssize_t __wrap_send(int fd, const void *from, size_t len, int flags) {
    if (faults_on_send(flags)) {
        return -1;
    }
    const bool cut = (flags & MSG_DONTWAIT) != 0 && faults.send_max > 0 && len > faults.send_max;
    return __real_send(fd, from, cut ? faults.send_max : len, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags) {
    if (faults_on_send(flags)) {
        return -1;
    }
    if (faults.send_max == 0) {
        return __real_sendmsg(fd, message, flags);
    }
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        if (part->iov_len > 0) {
            return __real_send(fd, part->iov_base, part->iov_len < faults.send_max ? part->iov_len : faults.send_max,
                               flags);
        }
    }
    return 0;
}

int __wrap_accept4(int fd, struct sockaddr *name, socklen_t *len, int flags) {
    faults.accepts++;
    if (faults_interrupt()) {
        return -1;
    }
    if (faults.accept_failures > 0) {
        faults.accept_failures--;
        errno = faults.accept_errno;
        return -1;
    }
    return __real_accept4(fd, name, len, flags);
}

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms) {
    faults.waits++;
    return faults_interrupt() ? -1 : __real_epoll_wait(epoll_fd, events, most, timeout_ms);
}

ssize_t __wrap_pread(int fd, void *into, size_t len, off_t at) {
    if (faults_interrupt()) {
        return -1;
    }
    if (faults.on_pread != NULL) {
        faults.on_pread();
    }
    if (faults.pread_errno != 0) {
        errno = faults.pread_errno;
        return -1;
    }
    return __real_pread(fd, into, faults.pread_max > 0 && len > faults.pread_max ? faults.pread_max : len, at);
}

ssize_t __wrap_sendfile(int socket, int fd, off_t *at, size_t len) {
    if (faults_interrupt()) {
        return -1;
    }
    if (faults.sendfile_errno != 0 && faults.sendfiles_left-- == 0) {
        errno = faults.sendfile_errno;
        return -1;
    }
    return __real_sendfile(socket, fd, at,
                           faults.sendfile_max > 0 && len > faults.sendfile_max ? faults.sendfile_max : len);
}

static inline bool faults_on_allocation(void) {
    const uint64_t number = atomic_fetch_add(&faults.allocations, 1) + 1;
    return faults.dry || number == faults.fails_at;
}

static inline void *faults_fill(void *fresh, size_t len) {
    if (faults.poison && fresh != NULL) {
        memset(fresh, FAULTS_FRESH, len);
    }
    return fresh;
}

void *__wrap_malloc(size_t len) {
    return faults_on_allocation() ? NULL : faults_fill(__real_malloc(len), len);
}

void *__wrap_calloc(size_t count, size_t len) {
    return faults_on_allocation() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len) {
    if (faults_on_allocation()) {
        return NULL;
    }
    if (!faults.poison) {
        return __real_realloc(old, len);
    }
    /* Always elsewhere, so that what was left behind is seen. */
    const size_t kept = old == NULL ? 0 : malloc_usable_size(old);
    void *fresh = faults_fill(__real_malloc(len), len);
    if (fresh != NULL && old != NULL) {
        memcpy(fresh, old, kept < len ? kept : len);
        __wrap_free(old);
    }
    return fresh;
}

void __wrap_free(void *old) {
    if (faults.poison && old != NULL) {
        memset(old, FAULTS_FREED, malloc_usable_size(old));
    }
    __real_free(old);
}

#endif
