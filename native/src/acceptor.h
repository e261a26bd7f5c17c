/* Listening sockets, and the connections that come in by them.
 *
 * Owns:  the listeners; the unix socket file that it made.
 * Knows: TCP over IPv4 and IPv6, and unix sockets; which accept errors are the peer's, ours, or the machine's.
 * Never: spins on an exhausted machine: it pauses, and goes on when a connection has closed.
 */
#ifndef TINYBEAM_ACCEPTOR_H
#define TINYBEAM_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "conn.h"

enum { ACCEPTOR_LISTENERS_MAX = 16 };

typedef struct acceptor_listener {
    int fd;
    char path[sizeof((struct sockaddr_un){0}.sun_path)]; /* of a unix socket, otherwise "" */
} acceptor_listener;

typedef struct acceptor {
    acceptor_listener listeners[ACCEPTOR_LISTENERS_MAX];
    uint32_t count;
    uint32_t connections_max;
    uint32_t write_timeout_ms; /* how long the kernel tries to reach a client that has gone without a word */
    bool paused;               /* taken off the poll set until there is room */
} acceptor;

/* Both return the port (0 for a unix socket) or a code, and add the listener to the poll set. */
int32_t acceptor_listen(acceptor *acc, int epoll_fd, const char *host, uint16_t port, uint32_t backlog);
int32_t acceptor_listen_unix(acceptor *acc, int epoll_fd, const char *path, uint32_t backlog);
/* Accepts until there is nothing more to accept, or no room. */
void acceptor_on_event(acceptor *acc, conn_room *room, acceptor_listener *listener);
/* Goes on after a pause, if there is room again. */
void acceptor_resume(acceptor *acc, conn_room *room);
/* Whether this pointer of an epoll event is one of the listeners. */
bool acceptor_owns(const acceptor *acc, const void *pointer);
/* Stops listening; the unix socket's file goes too. A forked child, whose copies these are, gives -1 for the poll set:
 * then that and the file are left alone. */
void acceptor_close(acceptor *acc, int epoll_fd);

#endif
