/* Memory that runs out at every single place where it is asked for: the call says so or one connection ends, the
 * process lives, nothing is lost for good (AddressSanitizer looks for leaks at the end), and the next one is served. */
#include "faults.h"
#include "inflow.h"
#include "news.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: a\r\n"

enum { LARGE = 100000, SITES_MAX = 2000 };

static uint8_t large[LARGE];

/* Polls and answers what comes; more is asked of the answers than they need to be. */
static void serve_some(rig *bench, int client) {
    static uint8_t octets[65536];
    uint64_t news[1 + 2 * TB_NEWS_MAX];
    uint64_t flow = 0;
    for (unsigned turn = 0; turn < 6; turn++) {
        const int32_t verdict = rig_poll(bench);
        const uint32_t count = verdict < 0 ? 0 : bench->bat.count;
        for (uint32_t i = 0; i < count; i++) {
            uint8_t out[LARGE + 64];
            const rig_record record = rig_record_at(bench, i);
            if (record.offered && record.path.len == 5) {
                flow = inflow_open(&bench->sched.room, record.handle, 1000) == TB_OK ? record.handle : 0;
                if (flow == 0) {
                    reception_spend(&bench->sched, out, rig_write_answer(out, record.handle, 200, "no memory", 9));
                }
            } else if (record.offered) {
                rig_continue(bench, record.handle, 1000);
            } else if (record.path.len == 6) {
                reception_spend(&bench->sched, out, rig_write_answer(out, record.handle, 200, large, LARGE));
            } else {
                reception_post_timeout(&bench->sched, record.handle, 5000);
                if (reception_post(&bench->sched, out, rig_write_answer(out, record.handle, 200, "yes", 3)) ==
                    TB_ENOMEM) {
                    /* The handle was not spent. */
                    reception_spend(&bench->sched, out, rig_write_answer(out, record.handle, 200, "no memory", 9));
                }
            }
        }
        bool wanted;
        if (flow != 0) {
            inflow_take(&bench->sched.room, flow, octets, sizeof octets, &wanted);
        }
        news_take(&bench->sched.room, news, TB_NEWS_MAX);
        while (recv(client, octets, sizeof octets, MSG_DONTWAIT) > 0) { /* the bench's own way would allocate */
        }
    }
    if (flow != 0) { /* answered before its body is whole */
        reception_spend(&bench->sched, octets, rig_write_answer(octets, flow, 200, "read", 4));
        rig_poll(bench);
        news_take(&bench->sched.room, news, TB_NEWS_MAX);
    }
}

static void play_one(rig *bench, const char *first, const char *second) {
    int fds[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    if (conn_open(&bench->sched.room, fds[0], (const uint8_t *)"", 0)) {
        const int small = 4096;
        setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        send(fds[1], first, strlen(first), MSG_NOSIGNAL);
        serve_some(bench, fds[1]);
        send(fds[1], second, strlen(second), MSG_NOSIGNAL);
        serve_some(bench, fds[1]);
    }
    close(fds[1]);
    rig_poll(bench);
    rig_poll(bench);
}

/* Everything that allocates. */
static void play(rig *bench) {
    static const constant item = {.path_len = 2, .fields_len = 6, .body_len = 8, .status = 200};
    constant_push(&bench->sched.room.constants, &item, "/k", "A: b\r\n", "constant");
    play_one(bench, GET("/a") GET("/b") GET("/k") GET("/c"), POST("/d") "Content-Length: 5\r\n\r\nhello");
    play_one(bench, POST("/e") "Content-Length: 5\r\n\r\nhe", "llo" GET("/f"));
    play_one(bench, POST("/g") "Transfer-Encoding: chunked\r\n\r\n3\r\nab", "c\r\n0\r\nT: u\r\n\r\n");
    play_one(bench, POST("/h") "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", "hi");
    play_one(bench, POST("/flow") "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nab", "cd" GET("/f"));
    play_one(bench, GET("/large") GET("/large") GET("/i"), "");
    play_one(bench, GET("/j") "GET /k HT", "TP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n");
}

static void one_allocation_that_fails_costs_one_connection_at_most(void) {
    uint64_t site = 1;
    for (bool failed = true; failed && site < SITES_MAX; site++) {
        rig *bench = calloc(1, sizeof *bench);
        bench->count_max = RIG_BATCH_MAX;
        bench->capacity = RIG_CAPACITY;
        bench->octets = malloc(bench->capacity);
        bench->got = malloc(16 * 65536);
        atomic_store(&faults.allocations, 0);
        faults.fails_at = site;
        const int32_t code = scheduler_init(&bench->sched, &rig_config, 42);
        CHECK(code == TB_OK || code == TB_ENOMEM);
        if (code == TB_OK) {
            play(bench);
        }
        failed = atomic_load(&faults.allocations) >= site;
        faults.fails_at = 0;
        if (code == TB_OK) {
            int client = rig_connect(bench);
            rig_send(client, GET("/after"));
            CHECK_INT(rig_serve(bench), 1);
            rig_poll(bench);
            CHECK_INT(rig_count(rig_receive(bench, client), "HTTP/1.1 200 "), 1);
            close(client);
            rig_poll(bench);
            CHECK_INT(bench->sched.room.handles.open, 0);
            CHECK(bench->sched.room.conns == NULL);
        }
        rig_close(bench);
    }
    printf("%llu places\n", (unsigned long long)site - 2);
    CHECK(site > 40 && site < SITES_MAX);
}

static void with_no_memory_at_all_for_a_while_others_are_served_afterwards(void) {
    rig *bench = rig_open();
    int old = rig_connect(bench);
    rig_send(old, GET("/before"));
    rig_poll(bench);
    const uint64_t handle = bench->handles[0];
    faults.dry = true;
    uint8_t out[128];
    CHECK_INT(reception_post(&bench->sched, out, rig_write_answer(out, handle, 200, "x", 1)), TB_ENOMEM);
    CHECK_INT(reception_post_timeout(&bench->sched, handle, 10), TB_ENOMEM);
    int fds[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    CHECK(!conn_open(&bench->sched.room, fds[0], (const uint8_t *)"", 0));
    faults.dry = false;
    close(fds[1]);
    rig_answer(bench, handle, "still mine");
    rig_poll(bench);
    CHECK_INT(rig_count(rig_receive(bench, old), "still mine"), 1);
    close(old);
    rig_close(bench);
}

static void opening_an_engine_without_memory_says_so_and_leaves_nothing(void) {
    uint64_t site = 1;
    for (bool failed = true; failed && site < 200; site++) {
        tb_engine *engine = NULL;
        atomic_store(&faults.allocations, 0);
        faults.fails_at = site;
        const int32_t code = tb_engine_open(NULL, &engine);
        failed = atomic_load(&faults.allocations) >= site;
        CHECK(code == TB_OK || (code == TB_ENOMEM && engine == NULL));
        if (code == TB_OK) {
            const int32_t runner = tb_runner_open(engine);
            CHECK(runner >= 0 || runner == TB_ENOMEM);
            failed = failed || atomic_load(&faults.allocations) >= site;
            tb_engine_close(engine);
            tb_engine_free(engine);
        }
        faults.fails_at = 0;
    }
    CHECK(site > 4 && site < 200);
}

int main(void) {
    RUN(one_allocation_that_fails_costs_one_connection_at_most);
    RUN(with_no_memory_at_all_for_a_while_others_are_served_afterwards);
    RUN(opening_an_engine_without_memory_says_so_and_leaves_nothing);
    return check_end();
}
