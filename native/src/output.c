/* Writing to connections; see output.h.
 *
 * Owns:  one scratch per scheduler.
 * Knows: sendmsg with MSG_NOSIGNAL; a library must not change the host's SIGPIPE.
 * Never: reorders: while a sink has pending octets, new ones queue behind them.
 */
#include "output.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
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

/* Sends runs of octets in one call and keeps what the socket does not take. */
static void output_send(output_sink *sink, struct iovec *runs, size_t count) {
    size_t sent = 0;
    if (sink->broken) {
        return;
    }
    if (sink->pending.len == 0) {
        struct msghdr message = {.msg_iov = runs, .msg_iovlen = count};
        ssize_t n;
        do {
            /* One run of octets, the usual case, goes by the call that has less to copy from us. */
            n = count == 1 ? send(sink->fd, runs[0].iov_base, runs[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : sendmsg(sink->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
            sink->broken = true;
            return;
        }
        sent = n > 0 ? (size_t)n : 0;
    }
    for (size_t i = 0; i < count; i++) {
        const size_t gone = sent < runs[i].iov_len ? sent : runs[i].iov_len;
        if (gone < runs[i].iov_len) {
            output_keep(sink, (const uint8_t *)runs[i].iov_base + gone, runs[i].iov_len - gone);
        }
        sent -= gone;
    }
}

void output_flush(output *out) {
    if (out->len > 0) {
        output_send(out->sink, &(struct iovec){out->octets, out->len}, 1);
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

static void output_copy(output *out, output_sink *sink, const uint8_t *octets, size_t len) {
    if (len > 0) {
        memcpy(output_reserve(out, sink, len), octets, len);
        output_commit(out, len);
    }
}

void output_push_closed(output *out, output_sink *sink, const uint8_t *octets, size_t len, const uint8_t *end,
                        size_t end_len) {
    if (len <= OUTPUT_COPY_MAX) {
        output_copy(out, sink, octets, len);
        output_copy(out, sink, end, end_len);
        return;
    }
    if (out->sink != sink) {
        output_flush(out);
    }
    struct iovec runs[] = {
        {out->octets, out->len}, {(void *)(uintptr_t)octets, len}, {(void *)(uintptr_t)end, end_len}};
    output_send(sink, runs, 3);
    out->len = 0;
    out->sink = NULL;
}

void output_push(output *out, output_sink *sink, const uint8_t *octets, size_t len) {
    output_push_closed(out, sink, octets, len, NULL, 0);
}

#ifdef SO_MEMINFO /* since Linux 4.12 */
uint32_t output_room(const output_sink *sink) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t len = sizeof info;
    if (sink->broken || sink->pending.len > 0 || getsockopt(sink->fd, SOL_SOCKET, SO_MEMINFO, info, &len) != 0) {
        return 0;
    }
    /* TCP counts all that it holds as queued, others what they have allocated. */
    const uint32_t queued = info[SK_MEMINFO_WMEM_QUEUED];
    const uint32_t allocated = info[SK_MEMINFO_WMEM_ALLOC];
    const uint32_t held = queued > allocated ? queued : allocated;
    return held < info[SK_MEMINFO_SNDBUF] ? (info[SK_MEMINFO_SNDBUF] - held) / 2 : 0;
}
#else
uint32_t output_room(const output_sink *sink) {
    (void)sink;
    return 0;
}
#endif

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
