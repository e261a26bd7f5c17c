/* Bodies that are read by other threads than the one that brings them: nothing is lost, doubled or read after its end,
 * whoever ends it. */
#include "inflow.h"

#include <pthread.h>
#include <sched.h>

#include "news.h"
#include "rig.h"

enum { BODY = 3 * 1024 * 1024, PIECE = 8192, ROUNDS = 12 };

typedef struct reader {
    rig *bench;
    uint64_t handle;
    size_t got;
    uint64_t sum;
    int64_t last;
    _Atomic bool done;
    bool answers; /* before it has read all */
} reader;

static void *read_on(void *context) {
    reader *self = context;
    static _Thread_local uint8_t octets[20000];
    for (;;) {
        bool wanted;
        const int64_t n = inflow_take(&self->bench->sched.room, self->handle, octets, sizeof octets, &wanted);
        if (wanted) {
            scheduler_kick(&self->bench->sched);
        }
        for (int64_t i = 0; i < n; i++) {
            self->sum = self->sum * 31 + octets[i];
        }
        self->got += n > 0 ? (size_t)n : 0;
        self->last = n;
        if (n == TB_EWAIT) {
            sched_yield();
        } else if (n <= 0 || (self->answers && self->got > BODY / 4)) {
            break;
        }
    }
    if (self->answers) {
        CHECK_INT(rig_post(self->bench, self->handle, "enough"), TB_OK);
    }
    atomic_store(&self->done, true);
    return NULL;
}

static void poll_once(rig *bench) {
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    rig_poll(bench);
    news_take(&bench->sched.room, news, TB_NEWS_MAX);
}

static uint64_t begin(rig *bench, int client) {
    rig_send(client, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3145728\r\n\r\n");
    CHECK_INT(rig_poll(bench), TB_POLL_OFFER);
    const uint64_t handle = rig_record_at(bench, 0).handle;
    CHECK_INT(inflow_open(&bench->sched.room, handle, UINT64_MAX), TB_OK);
    return handle;
}

/* Two clients send while two threads read. In every third round a client leaves, in every other a reader answers. */
static void readers_in_other_threads_get_all_that_is_sent_to_them(void) {
    tb_config config = rig_config;
    config.body_offer_bytes = 2;
    rig *bench = rig_open_with(&config);
    for (unsigned round = 0; round < ROUNDS; round++) {
        reader readers[2] = {0};
        pthread_t threads[2];
        int clients[2];
        size_t sent[2] = {0};
        uint64_t sums[2] = {0};
        const bool leaves = round % 3 == 2;
        for (unsigned i = 0; i < 2; i++) {
            clients[i] = rig_connect(bench);
            readers[i].bench = bench;
            readers[i].handle = begin(bench, clients[i]);
            readers[i].answers = round % 3 == 1;
            pthread_create(&threads[i], NULL, read_on, &readers[i]);
        }
        while (!atomic_load(&readers[0].done) || !atomic_load(&readers[1].done)) {
            for (unsigned i = 0; i < 2; i++) {
                uint8_t piece[PIECE];
                memset(piece, (int)(sent[i] / PIECE + i) % 251, sizeof piece);
                if (clients[i] >= 0 && leaves && sent[i] > BODY / 2) {
                    close(clients[i]);
                    clients[i] = -1;
                } else if (clients[i] >= 0 && sent[i] < BODY &&
                           send(clients[i], piece, sizeof piece, MSG_NOSIGNAL | MSG_DONTWAIT) > 0) {
                    sent[i] += sizeof piece;
                    for (unsigned k = 0; k < sizeof piece; k++) {
                        sums[i] = sums[i] * 31 + piece[k];
                    }
                }
            }
            poll_once(bench);
        }
        for (unsigned i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
            if (leaves) {
                CHECK_INT(readers[i].last, TB_EDISCONNECTED);
                CHECK_INT(rig_post(bench, readers[i].handle, "late"), TB_EDISCONNECTED);
            } else if (readers[i].answers) {
                CHECK(readers[i].got > BODY / 4);
            } else {
                CHECK_INT(readers[i].got, BODY);
                CHECK(readers[i].sum == sums[i]);
                CHECK_INT(readers[i].last, 0);
                CHECK_INT(rig_post(bench, readers[i].handle, "thanks"), TB_OK);
            }
            poll_once(bench);
            if (clients[i] >= 0) {
                close(clients[i]);
            }
        }
        poll_once(bench);
        poll_once(bench);
        CHECK_INT(bench->sched.room.handles.open, 0);
    }
    rig_close(bench);
}

int main(void) {
    RUN(readers_in_other_threads_get_all_that_is_sent_to_them);
    return check_end();
}
