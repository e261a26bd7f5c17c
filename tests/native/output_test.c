/* Writing to connections: together what belongs together, in order, and never a SIGPIPE. */
#include "output.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { LARGE = 200000 };

typedef struct pipe_pair {
    output_sink sink;
    int peer;
} pipe_pair;

static pipe_pair pair_open(int sndbuf) {
    int fds[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    if (sndbuf > 0) {
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof sndbuf);
    }
    return (pipe_pair){.sink = {.fd = fds[0]}, .peer = fds[1]};
}

static void pair_close(pipe_pair *pair) {
    buffer_deinit(&pair->sink.pending);
    close(pair->sink.fd);
    close(pair->peer);
}

/* What the peer can read now, at most this much. */
static size_t pair_read(const pipe_pair *pair, void *octets, size_t most) {
    size_t len = 0;
    while (len < most) {
        ssize_t n = recv(pair->peer, (char *)octets + len, most - len, MSG_DONTWAIT);
        if (n <= 0) {
            break;
        }
        len += (size_t)n;
    }
    return len;
}

static void push_text(output *out, pipe_pair *pair, const char *text) {
    output_push(out, &pair->sink, (const uint8_t *)text, strlen(text));
}

static uint8_t *large_octets(void) {
    uint8_t *octets = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        octets[i] = (uint8_t)(i * 7 + i / 251);
    }
    return octets;
}

static void nothing_is_sent_before_the_flush_and_then_all_at_once(void) {
    output out;
    char got[64];
    CHECK(output_init(&out));
    pipe_pair pair = pair_open(0);
    push_text(&out, &pair, "one ");
    push_text(&out, &pair, "two ");
    uint8_t *at = output_reserve(&out, &pair.sink, 5);
    memcpy(at, "three", 5);
    output_commit(&out, 5);
    CHECK_INT(pair_read(&pair, got, sizeof got), 0);
    output_flush(&out);
    CHECK_TEXT(got, pair_read(&pair, got, sizeof got), "one two three");
    output_flush(&out);
    CHECK_INT(pair_read(&pair, got, sizeof got), 0);
    pair_close(&pair);
    output_deinit(&out);
}

static void another_connection_flushes_the_first(void) {
    output out;
    char got[64];
    output_init(&out);
    pipe_pair first = pair_open(0);
    pipe_pair second = pair_open(0);
    push_text(&out, &first, "first");
    push_text(&out, &second, "second");
    CHECK_TEXT(got, pair_read(&first, got, sizeof got), "first");
    CHECK_INT(pair_read(&second, got, sizeof got), 0);
    output_flush(&out);
    CHECK_TEXT(got, pair_read(&second, got, sizeof got), "second");
    pair_close(&first);
    pair_close(&second);
    output_deinit(&out);
}

static void large_octets_follow_what_was_gathered_before_them(void) {
    output out;
    uint8_t *octets = large_octets();
    uint8_t *got = malloc(LARGE + 64);
    output_init(&out);
    pipe_pair pair = pair_open(1024 * 1024);
    push_text(&out, &pair, "head:");
    output_push(&out, &pair.sink, octets, LARGE);
    push_text(&out, &pair, ":tail");
    output_flush(&out);
    size_t len = 0;
    for (unsigned i = 0; i < 1000 && len < LARGE + 10; i++) {
        len += pair_read(&pair, got + len, LARGE + 64 - len);
        output_on_writable(&pair.sink);
    }
    CHECK_INT(len, LARGE + 10);
    CHECK(memcmp(got, "head:", 5) == 0 && memcmp(got + 5, octets, LARGE) == 0 &&
          memcmp(got + 5 + LARGE, ":tail", 5) == 0);
    free(got);
    free(octets);
    pair_close(&pair);
    output_deinit(&out);
}

static void a_few_octets_after_large_ones_go_out_with_them(void) {
    static const size_t lens[] = {3, 16 * 1024, 16 * 1024 + 1, LARGE};
    uint8_t *octets = large_octets();
    uint8_t *got = malloc(LARGE + 64);
    for (unsigned i = 0; i < 4; i++) {
        output out;
        output_init(&out);
        pipe_pair pair = pair_open(1 << 20);
        push_text(&out, &pair, "head ");
        output_push_closed(&out, &pair.sink, octets, lens[i], (const uint8_t *)" end", 4);
        if (lens[i] > 16 * 1024) {
            CHECK_INT(out.len, 0); /* nothing is left to be sent by itself */
        }
        output_flush(&out);
        CHECK_INT(pair_read(&pair, got, LARGE + 64), lens[i] + 9);
        CHECK(memcmp(got, "head ", 5) == 0 && memcmp(got + 5, octets, lens[i]) == 0);
        CHECK(memcmp(got + 5 + lens[i], " end", 4) == 0);
        pair_close(&pair);
        output_deinit(&out);
    }
    free(octets);
    free(got);
}

static void what_is_not_taken_of_three_runs_is_kept_in_order(void) {
    uint8_t *octets = large_octets();
    uint8_t *got = malloc(LARGE + 64);
    output out;
    output_init(&out);
    pipe_pair pair = pair_open(4096);
    push_text(&out, &pair, "head ");
    output_push_closed(&out, &pair.sink, octets, LARGE, (const uint8_t *)" end", 4);
    push_text(&out, &pair, "and more");
    output_flush(&out);
    CHECK(pair.sink.pending.len > 0);
    size_t len = 0;
    for (unsigned i = 0; i < 10000 && len < LARGE + 17; i++) {
        len += pair_read(&pair, got + len, LARGE + 64 - len);
        output_on_writable(&pair.sink);
    }
    CHECK_INT(len, LARGE + 17);
    CHECK(memcmp(got, "head ", 5) == 0 && memcmp(got + 5, octets, LARGE) == 0);
    CHECK(memcmp(got + 5 + LARGE, " endand more", 12) == 0);
    pair_close(&pair);
    output_deinit(&out);
    free(octets);
    free(got);
}

static void a_socket_has_room_until_it_takes_no_more(void) {
    uint8_t *octets = large_octets();
    output out;
    output_init(&out);
    pipe_pair pair = pair_open(100000);
    const uint32_t empty = output_room(&pair.sink);
    CHECK(empty >= 50000);
    output_push(&out, &pair.sink, octets, empty);
    CHECK_INT(pair.sink.pending.len, 0); /* it was no promise too many */
    CHECK(output_room(&pair.sink) < empty);
    output_push(&out, &pair.sink, octets, LARGE);
    output_push(&out, &pair.sink, octets, LARGE);
    CHECK(pair.sink.pending.len > 0);
    CHECK_INT(output_room(&pair.sink), 0);
    buffer_deinit(&pair.sink.pending);
    pair.sink.sent = 0;
    CHECK_INT(output_room(&(output_sink){.fd = -1}), 0);
    pair.sink.broken = true;
    CHECK_INT(output_room(&pair.sink), 0);
    pair_close(&pair);
    output_deinit(&out);
    free(octets);
}

static void what_a_full_socket_does_not_take_is_kept_in_order_and_given_back(void) {
    output out;
    uint8_t *octets = large_octets();
    uint8_t *got = malloc(LARGE * 2 + 64);
    output_init(&out);
    pipe_pair pair = pair_open(4096);
    size_t len = 0;
    for (size_t at = 0; at < LARGE; at += 1000) { /* in pieces small and large, flushed and not */
        output_push(&out, &pair.sink, octets + at, 1000);
        if (at % 3000 == 0) {
            output_flush(&out);
        }
        if (at % 7000 == 0) { /* the socket has room again, whether or not we have been told */
            len += pair_read(&pair, got + len, 8000);
        }
        if (at % 14000 == 0) {
            output_on_writable(&pair.sink);
        }
    }
    output_flush(&out);
    output_push(&out, &pair.sink, octets, LARGE);
    CHECK(pair.sink.pending.len > 0);
    for (unsigned i = 0; i < 100000 && len < 2 * LARGE; i++) {
        len += pair_read(&pair, got + len, 1500);
        output_on_writable(&pair.sink);
    }
    CHECK_INT(len, 2 * LARGE);
    CHECK(memcmp(got, octets, LARGE) == 0 && memcmp(got + LARGE, octets, LARGE) == 0);
    CHECK(pair.sink.pending.octets == NULL && pair.sink.sent == 0);
    CHECK(!pair.sink.broken);
    free(got);
    free(octets);
    pair_close(&pair);
    output_deinit(&out);
}

static void a_peer_that_has_left_breaks_the_sink_and_raises_no_signal(void) {
    signal(SIGPIPE, SIG_DFL); /* were it raised, it would end this program */
    output out;
    uint8_t *octets = large_octets();
    output_init(&out);
    for (unsigned large = 0; large < 2; large++) {
        pipe_pair pair = pair_open(0);
        close(pair.peer);
        output_push(&out, &pair.sink, octets, large == 1 ? LARGE : 10);
        output_flush(&out);
        CHECK(pair.sink.broken);
        output_push(&out, &pair.sink, octets, LARGE); /* and later ones are dropped */
        push_text(&out, &pair, "x");
        output_flush(&out);
        CHECK(pair.sink.pending.octets == NULL);
        close(pair.sink.fd);
    }
    pipe_pair pair = pair_open(4096);
    output_push(&out, &pair.sink, octets, LARGE);
    CHECK(pair.sink.pending.len > 0);
    close(pair.peer);
    output_on_writable(&pair.sink);
    CHECK(pair.sink.broken);
    buffer_deinit(&pair.sink.pending);
    close(pair.sink.fd);
    free(octets);
    output_deinit(&out);
}

static void what_was_gathered_for_a_closed_connection_can_be_dropped(void) {
    output out;
    char got[64];
    output_init(&out);
    pipe_pair first = pair_open(0);
    pipe_pair second = pair_open(0);
    push_text(&out, &first, "gathered");
    output_drop(&out, &second.sink);
    output_flush(&out);
    CHECK_TEXT(got, pair_read(&first, got, sizeof got), "gathered");
    push_text(&out, &first, "dropped");
    output_drop(&out, &first.sink);
    output_flush(&out);
    push_text(&out, &second, "other");
    output_flush(&out);
    CHECK_INT(pair_read(&first, got, sizeof got), 0);
    CHECK_TEXT(got, pair_read(&second, got, sizeof got), "other");
    pair_close(&first);
    pair_close(&second);
    output_deinit(&out);
}

static void more_than_the_scratch_holds_cannot_be_reserved(void) {
    output out;
    output_init(&out);
    pipe_pair pair = pair_open(0);
    CHECK(output_reserve(&out, &pair.sink, 128 * 1024) != NULL);
    CHECK(output_reserve(&out, &pair.sink, 128 * 1024 + 1) == NULL);
    CHECK(output_reserve(&out, &pair.sink, SIZE_MAX) == NULL);
    pair_close(&pair);
    output_deinit(&out);
}

static void a_full_scratch_is_flushed_by_what_does_not_fit_any_more(void) {
    output out;
    uint8_t *octets = large_octets();
    uint8_t *got = malloc(LARGE);
    output_init(&out);
    pipe_pair pair = pair_open(1024 * 1024);
    for (size_t at = 0; at < 160000; at += 16000) {
        output_push(&out, &pair.sink, octets + at, 16000);
    }
    size_t before = pair_read(&pair, got, LARGE);
    CHECK_INT(before, 128000);
    output_flush(&out);
    CHECK_INT(before + pair_read(&pair, got + before, LARGE - before), 160000);
    CHECK(memcmp(got, octets, 160000) == 0);
    free(got);
    free(octets);
    pair_close(&pair);
    output_deinit(&out);
}

int main(void) {
    RUN(nothing_is_sent_before_the_flush_and_then_all_at_once);
    RUN(another_connection_flushes_the_first);
    RUN(large_octets_follow_what_was_gathered_before_them);
    RUN(a_few_octets_after_large_ones_go_out_with_them);
    RUN(what_is_not_taken_of_three_runs_is_kept_in_order);
    RUN(a_socket_has_room_until_it_takes_no_more);
    RUN(what_a_full_socket_does_not_take_is_kept_in_order_and_given_back);
    RUN(a_peer_that_has_left_breaks_the_sink_and_raises_no_signal);
    RUN(what_was_gathered_for_a_closed_connection_can_be_dropped);
    RUN(more_than_the_scratch_holds_cannot_be_reserved);
    RUN(a_full_scratch_is_flushed_by_what_does_not_fit_any_more);
    return check_end();
}
