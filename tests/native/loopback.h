/* A client on the loopback, for the tests that listen. */
#ifndef TINYBEAM_TESTS_LOOPBACK_H
#define TINYBEAM_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"

static inline int connect_to(int32_t port) {
    const struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

#endif
