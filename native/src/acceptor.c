/* Listening sockets; see acceptor.h.
 *
 * Owns:  the bind and listen sequence, and the accept loop.
 * Knows: getaddrinfo; that TCP_NODELAY is inherited from the listener on Linux.
 * Never: removes a file that is not a dead socket.
 */
#include "acceptor.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tinybeam.h"

static int32_t acceptor_errno(void) {
    return TB_ESYSTEM - errno;
}

/* Puts a bound socket to work. On failure it is closed and the code returned. */
static int32_t acceptor_push(acceptor *acc, int epoll_fd, int fd, uint32_t backlog, const char *path) {
    acceptor_listener *listener = &acc->listeners[acc->count];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = listener};
    int depth = backlog > INT32_MAX ? INT32_MAX : (int)backlog;
    if (listen(fd, depth) != 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        int32_t code = acceptor_errno();
        close(fd);
        return code;
    }
    listener->fd = fd;
    snprintf(listener->path, sizeof listener->path, "%s", path);
    acc->count++;
    return TB_OK;
}

static int32_t acceptor_port(int fd) {
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &len) != 0) {
        return acceptor_errno();
    }
    if (name.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)(void *)&name)->sin6_port);
    }
    return ntohs(((struct sockaddr_in *)(void *)&name)->sin_port);
}

/* What every connection inherits. A client that vanished without a word, while a handler of its own is running, is
 * found out by the probes, and so are octets that nobody acknowledges. */
static void acceptor_set_options(int fd, uint32_t write_timeout_ms) {
    const int on = 1, idle_s = 60, interval_s = 10, probes = 6;
    const unsigned user_timeout_ms = write_timeout_ms;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

static int32_t acceptor_bind(const acceptor *acc, const struct addrinfo *info, uint16_t port) {
    const int on = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return acceptor_errno();
    }
    struct sockaddr_storage name;
    memcpy(&name, info->ai_addr, info->ai_addrlen);
    if (info->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)(void *)&name)->sin6_port = htons(port);
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    } else {
        ((struct sockaddr_in *)(void *)&name)->sin_port = htons(port);
    }
    acceptor_set_options(fd, acc->write_timeout_ms);
    if (bind(fd, (struct sockaddr *)&name, info->ai_addrlen) != 0) {
        int32_t code = acceptor_errno();
        close(fd);
        return code;
    }
    return fd;
}

int32_t acceptor_listen(acceptor *acc, int epoll_fd, const char *host, uint16_t port, uint32_t backlog) {
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(host, "0", &hints, &found) != 0) {
        return TB_ESYSTEM - EADDRNOTAVAIL;
    }
    int32_t result = TB_ESYSTEM - EADDRNOTAVAIL;
    uint32_t first = acc->count;
    uint16_t chosen = port; /* with port 0 every address gets the port that the first one was given */
    for (const struct addrinfo *info = found; info != NULL; info = info->ai_next) {
        if (info->ai_family != AF_INET && info->ai_family != AF_INET6) {
            continue;
        }
        if (acc->count >= ACCEPTOR_LISTENERS_MAX) {
            result = TB_ELIMIT;
            break;
        }
        int32_t fd = acceptor_bind(acc, info, chosen);
        if (fd < 0 && (fd == TB_ESYSTEM - EAFNOSUPPORT || fd == TB_ESYSTEM - EADDRNOTAVAIL)) {
            result = acc->count > first ? result : fd; /* "localhost" on a machine without IPv6 */
            continue;
        }
        result = fd < 0 ? fd : acceptor_push(acc, epoll_fd, fd, backlog, "");
        if (result < 0) {
            break;
        }
        result = acceptor_port(fd);
        chosen = (uint16_t)result;
    }
    freeaddrinfo(found);
    return result;
}

/* A socket file that nobody answers at is left over from a server that died. */
static int32_t acceptor_clear_dead(const char *path, const struct sockaddr_un *name) {
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? TB_OK : acceptor_errno();
    }
    if (!S_ISSOCK(info.st_mode)) {
        return TB_ESYSTEM - EADDRINUSE;
    }
    /* Non-blocking: a live listener whose backlog is full would keep us waiting, and is an answer as good as any. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return acceptor_errno();
    }
    int refused = connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        return TB_ESYSTEM - EADDRINUSE;
    }
    return unlink(path) == 0 || errno == ENOENT ? TB_OK : acceptor_errno();
}

int32_t acceptor_listen_unix(acceptor *acc, int epoll_fd, const char *path, uint32_t backlog) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(path) == 0 || strlen(path) >= sizeof name.sun_path) {
        return TB_ESYSTEM - ENAMETOOLONG;
    }
    if (acc->count >= ACCEPTOR_LISTENERS_MAX) {
        return TB_ELIMIT;
    }
    memcpy(name.sun_path, path, strlen(path) + 1);
    int32_t code = acceptor_clear_dead(path, &name);
    if (code != TB_OK) {
        return code;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return acceptor_errno();
    }
    if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0) {
        code = acceptor_errno();
        close(fd);
        return code;
    }
    return acceptor_push(acc, epoll_fd, fd, backlog, path);
}

static void acceptor_pause(acceptor *acc, conn_room *room) {
    for (uint32_t i = 0; i < acc->count && !acc->paused; i++) {
        epoll_ctl(room->epoll_fd, EPOLL_CTL_DEL, acc->listeners[i].fd, NULL);
    }
    acc->paused = true;
}

void acceptor_resume(acceptor *acc, conn_room *room) {
    if (!acc->paused || room->open >= acc->connections_max) {
        return;
    }
    acc->paused = false;
    for (uint32_t i = 0; i < acc->count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &acc->listeners[i]};
        epoll_ctl(room->epoll_fd, EPOLL_CTL_ADD, acc->listeners[i].fd, &event);
    }
}

static uint8_t acceptor_peer(const struct sockaddr_storage *name, uint8_t *peer) {
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)name;
        memcpy(peer, &in->sin_port, 2);
        memcpy(peer + 2, &in->sin_addr, 4);
        return 6;
    }
    if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)name;
        memcpy(peer, &in6->sin6_port, 2);
        memcpy(peer + 2, &in6->sin6_addr, 16);
        return 18;
    }
    return 0;
}

/* Accepts one connection. False, with errno, when there was none. */
static bool acceptor_accept(conn_room *room, const acceptor_listener *listener) {
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;
    pthread_mutex_lock(&room->fds_lock);
    int fd = accept4(listener->fd, (struct sockaddr *)&name, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int reason = errno;
    if (fd >= 0) {
        uint8_t peer[CONN_PEER_MAX];
        conn_open(room, fd, peer, acceptor_peer(&name, peer));
    }
    pthread_mutex_unlock(&room->fds_lock);
    errno = reason;
    return fd >= 0;
}

void acceptor_on_event(acceptor *acc, conn_room *room, acceptor_listener *listener) {
    for (;;) {
        if (room->open >= acc->connections_max) {
            acceptor_pause(acc, room);
            return;
        }
        if (acceptor_accept(room, listener)) {
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == EPERM) {
            continue; /* this one peer has left, or a firewall said no: the next may do better */
        }
        stats_add(&room->stats.accept_errors, 1);
        acceptor_pause(acc, room); /* EMFILE, ENFILE, ENOBUFS, ENOMEM: trying again at once would only spin */
        return;
    }
}

bool acceptor_owns(const acceptor *acc, const void *pointer) {
    uintptr_t at = (uintptr_t)pointer;
    return at >= (uintptr_t)acc->listeners && at < (uintptr_t)(acc->listeners + ACCEPTOR_LISTENERS_MAX);
}

void acceptor_close(acceptor *acc, int epoll_fd) {
    for (uint32_t i = 0; i < acc->count; i++) {
        if (epoll_fd >= 0) {
            /* While a forked child has a copy, close alone would leave the socket on the poll set, and listening. */
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, acc->listeners[i].fd, NULL);
            /* The file first: once nobody listens, the next server may have put its own there. */
            if (acc->listeners[i].path[0] != '\0') {
                unlink(acc->listeners[i].path);
            }
            shutdown(acc->listeners[i].fd, SHUT_RDWR);
        }
        close(acc->listeners[i].fd);
    }
    acc->count = 0;
    acc->paused = false;
}
