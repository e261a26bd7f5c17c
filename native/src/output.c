/* Writing to connections; see output.h.
 *
 * Owns:  one scratch per scheduler.
 * Knows: sendmsg with MSG_NOSIGNAL; a library must not change the host's SIGPIPE.
 * Never: reorders: while a sink has pending octets, new ones queue behind them.
 */
#include "output.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
    OUTPUT_SCRATCH = 128 * 1024,
    OUTPUT_COPY_MAX = 16 * 1024, /* above this a second iovec is cheaper than a copy */
};

bool output_init(output *out) {
    *out = (output){.octets = malloc(OUTPUT_SCRATCH)};
    return out->octets != NULL;
}

void output_deinit(output *out) {
    free(out->octets);
    *out = (output){0};
}

static void output_keep(output_sink *sink, const uint8_t *octets, size_t len) {
    if (sink->sent > sink->pending.len / 2) { /* a stream may never come to an end of what is pending */
        buffer_take(&sink->pending, sink->sent);
        sink->sent = 0;
    }
    if (!buffer_push(&sink->pending, octets, len)) {
        sink->broken = true;
    }
}

/* Sends two runs of octets in one call and keeps what the socket does not take. */
static void output_send(output_sink *sink, const uint8_t *first, size_t first_len, const uint8_t *second,
                        size_t second_len) {
    size_t sent = 0;
    if (sink->broken) {
        return;
    }
    if (sink->pending.len == 0) {
        struct iovec parts[2] = {{(void *)(uintptr_t)first, first_len}, {(void *)(uintptr_t)second, second_len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n;
        do {
            /* One run of octets, the usual case, goes by the call that has less to copy from us. */
            n = second_len == 0 ? send(sink->fd, first, first_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                                : sendmsg(sink->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            sink->broken = true;
            return;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    if (sent < first_len) {
        output_keep(sink, first + sent, first_len - sent);
        sent = first_len;
    }
    if (sent - first_len < second_len) {
        output_keep(sink, second + (sent - first_len), second_len - (sent - first_len));
    }
}

void output_flush(output *out) {
    if (out->len > 0) {
        output_send(out->sink, out->octets, out->len, NULL, 0);
    }
    out->len = 0;
    out->sink = NULL;
}

uint8_t *output_reserve(output *out, output_sink *sink, size_t len) {
    if (out->sink != sink || len > OUTPUT_SCRATCH - out->len) {
        output_flush(out);
        out->sink = sink;
    }
    return len > OUTPUT_SCRATCH ? NULL : out->octets + out->len;
}

void output_commit(output *out, size_t len) {
    assert(len <= OUTPUT_SCRATCH - out->len);
    out->len += len;
}

void output_push(output *out, output_sink *sink, const uint8_t *octets, size_t len) {
    if (len == 0) {
        return;
    }
    if (len <= OUTPUT_COPY_MAX) {
        memcpy(output_reserve(out, sink, len), octets, len);
        output_commit(out, len);
        return;
    }
    if (out->sink != sink) {
        output_flush(out);
    }
    output_send(sink, out->octets, out->len, octets, len);
    out->len = 0;
    out->sink = NULL;
}

void output_on_writable(output_sink *sink) {
    while (sink->sent < sink->pending.len && !sink->broken) {
        ssize_t n = send(sink->fd, sink->pending.octets + sink->sent, sink->pending.len - sink->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
            return;
        }
        if (n < 0) {
            sink->broken = true;
            return;
        }
        sink->sent += (size_t)n;
    }
    buffer_deinit(&sink->pending);
    sink->sent = 0;
}

void output_drop(output *out, const output_sink *sink) {
    if (out->sink == sink) {
        out->len = 0;
        out->sink = NULL;
    }
}
