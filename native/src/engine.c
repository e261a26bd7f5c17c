/* The engine: the exported calls, and who may be inside them.
 *
 * Owns:  the opaque tb_engine: one scheduler, its lobby and its monitor; the count of callers inside.
 * Knows: when its memory may go: the sockets when the last caller has left, the rest at tb_engine_free.
 * Never: lets a call into a closed engine or a forked copy.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "engine.h"
#include "lobby.h"
#include "monitor.h"
#include "news.h"
#include "reception.h"
#include "scheduler.h"
#include "settings.h"
#include "tinybeam.h"

enum { ENGINE_CALLERS_CLOSED = 1u << 30 };

uint32_t tb_abi_version(void) {
    return TB_ABI_VERSION;
}

uint64_t tb_config_size(void) {
    return sizeof(tb_config);
}

uint64_t tb_stats_size(void) {
    return sizeof(tb_stats);
}

static bool engine_init_page(tb_engine *engine) {
    engine->page_len = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, engine->page_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return false;
    }
    madvise(page, engine->page_len, MADV_WIPEONFORK);
    engine->ours = page;
    *engine->ours = 1;
    return true;
}

/* The last caller has left: the sockets go. Later callers, who are refused, leave last again; once is enough. */
static void engine_release(tb_engine *engine) {
    if (atomic_exchange(&engine->releasing, true)) {
        return;
    }
    scheduler_deinit(&engine->sched);
    pthread_mutex_lock(&engine->gone_lock);
    atomic_store(&engine->released, true);
    pthread_cond_broadcast(&engine->gone_cond);
    pthread_mutex_unlock(&engine->gone_lock);
}

static void engine_wait_released(tb_engine *engine) {
    pthread_mutex_lock(&engine->gone_lock);
    while (!atomic_load(&engine->released)) {
        pthread_cond_wait(&engine->gone_cond, &engine->gone_lock);
    }
    pthread_mutex_unlock(&engine->gone_lock);
}

int32_t tb_engine_open(const tb_config *config, tb_engine **engine) {
    uint64_t seed;
    if (engine == NULL) {
        return TB_EINVAL;
    }
    *engine = NULL;
    tb_engine *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return TB_ENOMEM;
    }
    pthread_mutex_init(&made->gone_lock, NULL);
    pthread_cond_init(&made->gone_cond, NULL);
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        seed = (uint64_t)(uintptr_t)made * 0x9e3779b97f4a7c15u ^ (uint64_t)time(NULL);
    }
    int32_t code = settings_complete(&made->config, config) ? TB_OK : TB_EINVAL;
    if (code == TB_OK && !engine_init_page(made)) {
        code = TB_ENOMEM;
    }
    if (code == TB_OK) {
        code = scheduler_init(&made->sched, &made->config, seed);
        if (code == TB_OK &&
            !lobby_init(&made->lob, (uint32_t)made->config.batch_requests_max, made->config.standby_idle_ms)) {
            code = TB_ENOMEM;
        }
        if (code == TB_OK) {
            code = monitor_open(&made->mon, &made->lob, &made->sched, made->config.takeover_ms);
        }
        if (code != TB_OK) {
            engine_release(made);
        }
    }
    if (code != TB_OK) {
        atomic_store(&made->callers, ENGINE_CALLERS_CLOSED);
        tb_engine_free(made);
        return code;
    }
    atomic_store(&made->callers, 1);
    *engine = made;
    return TB_OK;
}

void engine_leave(tb_engine *engine) {
    if (atomic_fetch_sub_explicit(&engine->callers, 1, memory_order_acq_rel) == (ENGINE_CALLERS_CLOSED | 1)) {
        engine_release(engine);
    }
}

int32_t engine_enter(tb_engine *engine) {
    if (engine == NULL) {
        return TB_EINVAL;
    }
    if (*engine->ours == 0) {
        return TB_EFORKED;
    }
    if (atomic_fetch_add_explicit(&engine->callers, 1, memory_order_acq_rel) & ENGINE_CALLERS_CLOSED) {
        engine_leave(engine);
        return TB_ESHUTDOWN;
    }
    return TB_OK;
}

bool engine_hold(tb_engine *engine, uint32_t runner, uint8_t *phase) {
    if (runner >= LOBBY_RUNNERS_MAX || !engine->lob.items[runner].open || !lobby_take(&engine->lob, runner)) {
        return false;
    }
    *phase = atomic_load_explicit(&engine->lob.phases[runner], memory_order_relaxed);
    return true;
}

void engine_let_go(tb_engine *engine, uint32_t runner, uint8_t phase) {
    lobby_release(&engine->lob, runner);
    atomic_store_explicit(&engine->lob.phases[runner], phase, memory_order_relaxed);
}

int32_t tb_engine_close(tb_engine *engine) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    if (atomic_fetch_or(&engine->callers, ENGINE_CALLERS_CLOSED) & ENGINE_CALLERS_CLOSED) {
        engine_leave(engine);
        return TB_ESHUTDOWN; /* another thread was first */
    }
    atomic_store(&engine->sched.closing, true);
    scheduler_wake(&engine->sched, 0);
    lobby_shutdown(&engine->lob);
    monitor_close(&engine->mon);
    engine_leave(engine); /* what being open had counted */
    engine_leave(engine);
    /* Nobody sleeps in here any more, so this is short; after it the port is free for the next engine. */
    engine_wait_released(engine);
    return TB_OK;
}

void tb_engine_free(tb_engine *engine) {
    if (engine == NULL) {
        return;
    }
    if (engine->ours != NULL && *engine->ours == 0) {
        return; /* a forked copy: its locks may be held by threads that are not here */
    }
    lobby_deinit(&engine->lob);
    if (engine->ours != NULL) {
        munmap((void *)(uintptr_t)engine->ours, engine->page_len);
    }
    free(engine);
}

int32_t tb_engine_listen(tb_engine *engine, const char *host, uint16_t port, uint32_t backlog) {
    int32_t code = host == NULL ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = acceptor_listen(&engine->sched.acceptor, engine->sched.room.epoll_fd, host, port, backlog);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_listen_unix(tb_engine *engine, const char *path, uint32_t backlog) {
    int32_t code = path == NULL ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = acceptor_listen_unix(&engine->sched.acceptor, engine->sched.room.epoll_fd, path, backlog);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_add_constant(tb_engine *engine, const void *path, size_t path_len, uint32_t status,
                               const void *fields, size_t fields_len, const void *body, size_t body_len) {
    const size_t most = INT32_MAX;
    if (path == NULL || path_len == 0 || path_len > most || fields_len > most || body_len > most || status < 200 ||
        status > 599 || (fields == NULL && fields_len > 0) || (body == NULL && body_len > 0) ||
        !answer_fields_valid(fields, fields_len)) {
        return TB_EINVAL;
    }
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    constant item = {.path_len = path_len, .fields_len = fields_len, .body_len = body_len, .status = status};
    bool late = engine->sched.acceptor.count > 0;
    code = late ? TB_EINVAL : constant_push(&engine->sched.room.constants, &item, path, fields, body);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_add_static(tb_engine *engine, const void *prefix, size_t prefix_len, const char *directory,
                             const tb_static *options) {
    if (prefix == NULL || directory == NULL || options == NULL || options->fields_len > INT32_MAX ||
        (options->fields == NULL && options->fields_len > 0)) {
        return TB_EINVAL;
    }
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    const mount_options given = {
        .index = options->index,
        .fields = options->fields,
        .fields_len = options->fields_len,
        .hidden = (options->flags & TB_STATIC_HIDDEN) != 0,
        .precompressed = (options->flags & TB_STATIC_PRECOMPRESSED) != 0,
        .passes = (options->flags & TB_STATIC_PASS) != 0,
    };
    const bool late = engine->sched.acceptor.count > 0;
    code = late ? TB_EINVAL : mount_push(&engine->sched.room.mounts, prefix, prefix_len, directory, &given);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_drain(tb_engine *engine) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    atomic_store(&engine->sched.drain_due, true);
    scheduler_wake(&engine->sched, 0);
    engine_leave(engine);
    return TB_OK;
}

int32_t tb_engine_wake(tb_engine *engine) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    scheduler_wake(&engine->sched, TB_POLL_WAKE);
    engine_leave(engine);
    return TB_OK;
}

int32_t tb_engine_wakeup_fd(tb_engine *engine) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    int32_t fd = engine->sched.signal_fds[1];
    engine_leave(engine);
    return fd;
}

int32_t tb_runner_open(tb_engine *engine) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = lobby_open(&engine->lob);
    engine_leave(engine);
    return code;
}

int32_t tb_runner_close(tb_engine *engine, uint32_t runner) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = lobby_close(&engine->lob, runner);
    engine_leave(engine);
    return code;
}

uint8_t *tb_runner_phase(tb_engine *engine, uint32_t runner) {
    if (engine == NULL || runner >= LOBBY_RUNNERS_MAX || *engine->ours == 0) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)&engine->lob.phases[runner];
}

uint64_t *tb_runner_news(tb_engine *engine, uint32_t runner) {
    if (engine == NULL || runner >= LOBBY_RUNNERS_MAX || *engine->ours == 0) {
        return NULL;
    }
    return engine->lob.items[runner].news;
}

static uint64_t engine_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* How many requests the next batch may hold, so that running them takes about half a tick of the monitor. */
static uint32_t engine_batch_max(tb_engine *engine, uint32_t runner) {
    uint64_t now = engine_now_ns();
    if (atomic_load_explicit(&engine->lob.phases[runner], memory_order_relaxed) == TB_PHASE_MIXED) {
        engine->handed = 0;
    }
    if (engine->handed > 0) {
        uint64_t each = (now - engine->left_ns) / engine->handed;
        engine->request_ns = engine->request_ns == 0 ? each : (engine->request_ns * 7 + each) / 8;
        engine->handed = 0;
    }
    uint64_t most = engine->config.batch_requests_max;
    uint64_t fits = engine->request_ns == 0 ? most : engine->config.takeover_ms * 500000 / engine->request_ns;
    return (uint32_t)(fits < 1 ? 1 : fits > most ? most : fits);
}

static int64_t engine_poll_holding(tb_engine *engine, uint32_t runner, const void *answers, size_t answers_len,
                                   void *octets, size_t capacity) {
    lobby_runner *self = &engine->lob.items[runner];
    batch bat;
    int32_t code = reception_spend(&engine->sched, answers, answers_len);
    batch_init(&bat, octets, capacity, self->handles, engine_batch_max(engine, runner));
    if (code == TB_OK) {
        code = scheduler_poll(&engine->sched, &bat);
        self->handles_len = bat.count;
    }
    if (code > 0 && (code & TB_POLL_NEWS)) {
        news_take(&engine->sched.room, self->news, TB_NEWS_MAX);
    }
    engine->handed = bat.count;
    engine->left_ns = engine_now_ns();
    lobby_release(&engine->lob, runner);
    return code < 0 ? code : (int64_t)((uint64_t)(uint32_t)code << 48 | batch_close(&bat));
}

int64_t tb_engine_poll(tb_engine *engine, uint32_t runner, const void *answers, size_t answers_len, void *octets,
                       size_t capacity) {
    if ((answers == NULL && answers_len > 0) || answers_len > PTRDIFF_MAX || octets == NULL || capacity < 16 ||
        capacity > INT32_MAX || runner >= LOBBY_RUNNERS_MAX) {
        return TB_EINVAL;
    }
    int64_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    if (!engine->lob.items[runner].open) {
        code = TB_EINVAL;
    } else if (lobby_take(&engine->lob, runner)) {
        code = engine_poll_holding(engine, runner, answers, answers_len, octets, capacity);
    } else {
        int32_t posted = reception_post(&engine->sched, answers, answers_len);
        code = posted == TB_ETERM || posted == TB_ENOMEM ? posted : lobby_wait(&engine->lob, runner);
    }
    engine_leave(engine);
    return code;
}

int32_t tb_runner_forfeit(tb_engine *engine, uint32_t runner) {
    if (runner >= LOBBY_RUNNERS_MAX) {
        return TB_EINVAL;
    }
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    lobby_runner *self = &engine->lob.items[runner];
    uint8_t term[32];
    for (uint32_t i = 0; self->open && i < self->handles_len; i++) {
        uint8_t *at = term_write_array(term, 1);
        at = term_write_array(at, 4);
        at = term_write_uint64(at, self->handles[i]);
        at = term_write_uint64(at, 500);
        at = term_write_nil(term_write_nil(at));
        reception_post(&engine->sched, term, (size_t)(at - term));
    }
    self->handles_len = 0;
    engine_leave(engine);
    return TB_OK;
}

uint64_t tb_engine_batch_bytes(tb_engine *engine) {
    return engine == NULL ? 0 : atomic_load(&engine->sched.batch_bytes);
}

int32_t tb_engine_respond(tb_engine *engine, const void *answers, size_t answers_len) {
    if (answers == NULL || answers_len == 0 || answers_len > PTRDIFF_MAX) {
        return TB_EINVAL;
    }
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = reception_post(&engine->sched, answers, answers_len);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_push(tb_engine *engine, uint32_t runner, uint64_t handle, uint32_t kind, const void *octets,
                       size_t len) {
    const answer part = answer_of_part(handle, kind, octets, len);
    if (!answer_is_part(&part) || (octets == NULL && len > 0) || len > PTRDIFF_MAX) {
        return TB_EINVAL;
    }
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    uint8_t phase;
    const bool holding = engine_hold(engine, runner, &phase);
    code = reception_push_part(&engine->sched, &part, holding);
    if (holding) {
        engine_let_go(engine, runner, phase);
    }
    engine_leave(engine);
    return code;
}

int32_t tb_engine_set_timeout(tb_engine *engine, uint64_t handle, uint64_t timeout_ms) {
    int32_t code = timeout_ms > UINT32_MAX ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = reception_post_timeout(&engine->sched, handle, timeout_ms);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_overdue(tb_engine *engine, uint64_t *pairs, size_t pairs_max) {
    int32_t code = pairs == NULL || pairs_max == 0 ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = (int32_t)overdue_take(&engine->sched.room.overdue, pairs, pairs_max);
    engine_leave(engine);
    return code;
}

int32_t tb_engine_stats(tb_engine *engine, tb_stats *out) {
    int32_t code = out == NULL ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    const stats *from = &engine->sched.room.stats;
    *out = (tb_stats){
        .connections_open = stats_of(&from->connections_open),
        .connections_accepted = stats_of(&from->connections_accepted),
        .accept_errors = stats_of(&from->accept_errors),
        .requests = stats_of(&from->requests),
        .requests_refused = stats_of(&from->requests_refused),
        .constants = stats_of(&from->constants),
        .handles_open = stats_of(&from->handles_open),
        .answers_refused = stats_of(&from->answers_refused),
        .answers_late = stats_of(&from->answers_late),
        .requests_shed = stats_of(&from->requests_shed),
        .requests_overdue = stats_of(&from->requests_overdue),
        .timeouts_header = stats_of(&from->timeouts_header),
        .timeouts_body = stats_of(&from->timeouts_body),
        .timeouts_keepalive = stats_of(&from->timeouts_keepalive),
        .timeouts_write = stats_of(&from->timeouts_write),
        .streams = stats_of(&from->streams),
        .files = stats_of(&from->files),
        .polls = stats_of(&from->polls),
        .takeovers = stats_of(&from->takeovers),
        .standbys = atomic_load(&engine->lob.standbys),
    };
    pthread_mutex_lock(&engine->lob.lock);
    out->runners = engine->lob.runners;
    pthread_mutex_unlock(&engine->lob.lock);
    engine_leave(engine);
    return TB_OK;
}
