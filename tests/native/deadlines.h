/* What tests of deadlines share: a client that waits while the clock is put forward by hand. */
#ifndef TINYBEAM_TESTS_DEADLINES_H
#define TINYBEAM_TESTS_DEADLINES_H

#include "clock.h"
#include "exchange.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

/* Lets time pass in steps, polls after each, and answers nothing. True when the client sees the end. */
static inline bool pass(rig *bench, int client, int64_t ms, int64_t step) {
    for (int64_t at = 0; at < ms; at += step) {
        clock_advance(step);
        rig_poll(bench);
    }
    rig_receive(bench, client);
    return bench->eof;
}

#endif
