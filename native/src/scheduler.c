/* A scheduler; see scheduler.h.
 *
 * Owns:  the loop of a poll: answers, events, batch.
 * Knows: epoll: edge-triggered for connections, which remember what it said; level-triggered for listeners.
 * Never: sleeps while an answer is posted: the poster either sees us sleeping, or we see its answer.
 */
#include "scheduler.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "exchange.h"
#include "inflow.h"
#include "news.h"
#include "reception.h"
#include "stream.h"

enum {
    SCHEDULER_EVENTS = 64,
    SCHEDULER_OWN_SOURCES = 64, /* more than the wake-up, the signals and the listeners are */
    SCHEDULER_READ = 64 * 1024,
    SCHEDULER_FDS_MAX = 1024 * 1024,
    SCHEDULER_PAUSE_MS = 100, /* how long a paused acceptor waits when no connection closes meanwhile */
};

static void scheduler_init_fds(conn_room *room) {
    struct rlimit limit;
    uint64_t len = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        len = limit.rlim_max < SCHEDULER_FDS_MAX ? limit.rlim_max : SCHEDULER_FDS_MAX;
    }
    /* Pages are touched only where descriptors are in use. */
    void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room->fds = map == MAP_FAILED ? NULL : map;
    room->fds_len = map == MAP_FAILED ? 0 : (uint32_t)len;
}

static void scheduler_init_lock(pthread_mutex_t *lock) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

static bool scheduler_watch(scheduler *sched, int fd, uint32_t events, void *pointer) {
    struct epoll_event event = {.events = events, .data.ptr = pointer};
    return epoll_ctl(sched->room.epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool scheduler_init_descriptors(scheduler *sched) {
    sched->room.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    sched->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pipe2(sched->signal_fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        sched->signal_fds[0] = sched->signal_fds[1] = -1;
    }
    if (sched->room.epoll_fd < 0 || sched->wake_fd < 0 || sched->signal_fds[0] < 0) {
        return false;
    }
    /* Edge-triggered: each write is one event, and the counter never has to be read. */
    return scheduler_watch(sched, sched->wake_fd, EPOLLIN | EPOLLET, &sched->wake_fd) &&
           scheduler_watch(sched, sched->signal_fds[0], EPOLLIN, &sched->signal_fds);
}

uint64_t scheduler_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Lets the room's time go on. */
static void scheduler_advance(scheduler *sched) {
    conn_room *room = &sched->room;
    room->now_ms = scheduler_now_ms();
    wheel_advance(&room->conn_timers, room->now_ms);
    wheel_advance(&room->exchange_timers, room->now_ms);
}

/* When a timer fires next, a fired one at once. */
static uint64_t scheduler_due_ms(const conn_room *room) {
    if (room->conn_timers.fired != NULL || room->exchange_timers.fired != NULL) {
        return room->now_ms;
    }
    const uint64_t conns = room->conn_timers.due;
    const uint64_t exchanges = room->exchange_timers.due;
    return conns < exchanges ? conns : exchanges;
}

int32_t scheduler_init(scheduler *sched, const tb_config *config, uint64_t seed) {
    conn_room *room = &sched->room;
    sched->wake_fd = room->epoll_fd = sched->signal_fds[0] = sched->signal_fds[1] = -1;
    sched->acceptor.connections_max = (uint32_t)config->connections_max;
    sched->acceptor.write_timeout_ms = (uint32_t)config->write_timeout_ms;
    room->pipeline_max = (uint16_t)config->pipeline_requests_max;
    room->limits = (parser_limits){
        .request_line_bytes_max = (uint32_t)config->request_line_bytes_max,
        .header_bytes_max = (uint32_t)config->header_bytes_max,
        .fields_max = (uint32_t)config->header_fields_max,
    };
    room->body_limits = (body_limits){
        .bytes_max = config->body_bytes_max,
        .chunk_line_bytes_max = (uint32_t)config->chunk_extension_bytes_max,
        .trailer_bytes_max = (uint32_t)config->header_bytes_max,
        .trailer_fields_max = (uint32_t)config->header_fields_max,
    };
    room->requests_max = (uint32_t)config->connection_requests_max;
    room->offer_bytes = config->body_offer_bytes;
    room->timeouts = (conn_timeouts){
        .header_ms = config->header_timeout_ms,
        .body_ms = config->body_timeout_ms,
        .keepalive_ms = config->keepalive_timeout_ms,
        .write_ms = config->write_timeout_ms,
        .linger_ms = config->linger_timeout_ms,
        .request_ms = config->request_timeout_ms,
        .bytes_per_s_min = config->transfer_bytes_per_s_min,
    };
    room->news_first = HANDLE_NONE;
    overdue_init(&room->overdue);
    atomic_store(&sched->due_ms, WHEEL_NEVER);
    scheduler_advance(sched);
    scheduler_init_lock(&room->fds_lock);
    pthread_mutex_init(&room->inflow_lock, NULL);
    constant_init(&room->constants, seed);
    mount_init(&room->mounts, config->file_cache_bytes_max, seed);
    room->found = malloc(sizeof *room->found);
    room->scratch_len = SCHEDULER_READ;
    room->scratch = malloc(SCHEDULER_READ);
    scheduler_init_fds(room);
    if (room->scratch == NULL || room->found == NULL || !output_init(&room->out) ||
        !handle_init(&room->handles, (uint32_t)config->handles_max, seed)) {
        return TB_ENOMEM;
    }
    return scheduler_init_descriptors(sched) ? TB_OK : TB_ESYSTEM - errno;
}

static void scheduler_close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void scheduler_deinit(scheduler *sched) {
    conn_room *room = &sched->room;
    pthread_mutex_lock(&room->fds_lock);
    while (room->conns != NULL) {
        conn_close(room, room->conns);
    }
    for (conn *con = room->dead; con != NULL; con = con->next) {
        con->waiting = con->touched = false; /* the lists go with the scheduler */
    }
    conn_bury(room);
    acceptor_close(&sched->acceptor, sched->room.epoll_fd);
    for (post *item = post_take(&sched->posts); item != NULL;) {
        post *next = item->next;
        post_close(item);
        item = next;
    }
    if (room->handles.slots != NULL) {
        handle_deinit(&room->handles);
    }
    constant_deinit(&room->constants);
    mount_deinit(&room->mounts);
    free(room->found);
    room->found = NULL;
    output_deinit(&room->out);
    free(room->scratch);
    room->scratch = NULL;
    if (room->fds != NULL) {
        munmap((void *)(uintptr_t)room->fds, room->fds_len);
        room->fds = NULL;
    }
    scheduler_close_fd(&room->epoll_fd);
    scheduler_close_fd(&sched->wake_fd);
    scheduler_close_fd(&sched->signal_fds[0]);
    scheduler_close_fd(&sched->signal_fds[1]);
    pthread_mutex_unlock(&room->fds_lock);
}

void scheduler_kick(scheduler *sched) {
    if (atomic_exchange_explicit(&sched->sleeping, false, memory_order_seq_cst)) {
        const uint64_t one = 1;
        while (write(sched->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

void scheduler_wake(scheduler *sched, uint32_t flags) {
    atomic_fetch_or_explicit(&sched->flags, flags, memory_order_seq_cst);
    scheduler_kick(sched);
}

uint64_t scheduler_left_ms(const scheduler *sched) {
    const uint64_t due_ms = atomic_load(&sched->due_ms);
    const uint64_t now_ms = scheduler_now_ms();
    return due_ms == WHEEL_NEVER ? WHEEL_NEVER : due_ms <= now_ms ? 0 : due_ms - now_ms;
}

static void scheduler_read_signals(scheduler *sched) {
    uint8_t octets[64];
    while (read(sched->signal_fds[0], octets, sizeof octets) > 0) {
    }
    atomic_fetch_or_explicit(&sched->flags, TB_POLL_SIGNAL, memory_order_relaxed);
}

static void scheduler_on_events(scheduler *sched, const struct epoll_event *events, int count) {
    conn_room *room = &sched->room;
    for (int i = 0; i < count; i++) {
        void *pointer = events[i].data.ptr;
        if (pointer == &sched->wake_fd) {
            continue;
        }
        if (pointer == &sched->signal_fds) {
            scheduler_read_signals(sched);
        } else if (acceptor_owns(&sched->acceptor, pointer)) {
            acceptor_on_event(&sched->acceptor, room, pointer);
        } else {
            conn_on_event(room, pointer, events[i].events);
        }
    }
}

/* How long a wait may last at most: until the next timer, or until a paused acceptor tries again. */
static int scheduler_sleep_ms(const scheduler *sched) {
    const uint64_t now_ms = sched->room.now_ms;
    const uint64_t due_ms = scheduler_due_ms(&sched->room);
    uint64_t most = due_ms == WHEEL_NEVER ? WHEEL_NEVER : due_ms <= now_ms ? 0 : due_ms - now_ms;
    if (sched->acceptor.paused && most > SCHEDULER_PAUSE_MS) {
        most = SCHEDULER_PAUSE_MS;
    }
    return most == WHEEL_NEVER ? -1 : most > INT32_MAX ? INT32_MAX : (int)most;
}

/* Ends what has taken too long. */
static void scheduler_expire(scheduler *sched) {
    conn_room *room = &sched->room;
    wheel_timer *timer;
    const uint64_t known = stats_of(&room->stats.requests_overdue);
    while ((timer = wheel_take(&room->exchange_timers)) != NULL) {
        exchange_on_timer(room, timer);
    }
    while ((timer = wheel_take(&room->conn_timers)) != NULL) {
        conn_on_timer(room, timer);
    }
    if (stats_of(&room->stats.requests_overdue) != known) {
        atomic_fetch_or_explicit(&sched->flags, TB_POLL_OVERDUE, memory_order_relaxed);
    }
}

/* Waits for events and acts on them, and then on the timers that have fired. */
static void scheduler_wait(scheduler *sched, bool may_sleep) {
    struct epoll_event events[SCHEDULER_EVENTS];
    int timeout_ms = may_sleep ? scheduler_sleep_ms(sched) : 0;
    if (may_sleep) {
        atomic_store_explicit(&sched->sleeping, true, memory_order_seq_cst);
        if (post_pending(&sched->posts) || inflow_pending(&sched->room) || atomic_load(&sched->flags) != 0 ||
            atomic_load(&sched->closing) || atomic_load(&sched->drain_due)) {
            timeout_ms = 0;
        }
    }
    int count = epoll_wait(sched->room.epoll_fd, events, SCHEDULER_EVENTS, timeout_ms);
    if (may_sleep) {
        atomic_store_explicit(&sched->sleeping, false, memory_order_relaxed);
    }
    scheduler_advance(sched);
    if (sched->acceptor.paused) {
        acceptor_resume(&sched->acceptor, &sched->room);
    }
    scheduler_on_events(sched, events, count);
    /* Only once it is known what has come in time: after a stop of the whole process that may be more than one look at
     * the events tells, and the first look is interrupted by the very signal that ends the stop. Under a flood no look
     * is ever the last; but events are told in turn, so all have been heard once there were as many as sources. */
    sched->events_told += count > 0 ? (uint32_t)count : 0;
    if (count >= 0 && (count < SCHEDULER_EVENTS || sched->events_told > sched->room.open + SCHEDULER_OWN_SOURCES)) {
        sched->events_told = 0;
        scheduler_expire(sched);
    }
}

static void scheduler_tick(scheduler *sched) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    response_tick(&sched->room.clock, now.tv_sec);
}

static void scheduler_drain(scheduler *sched) {
    if (atomic_exchange(&sched->drain_due, false)) {
        for (uint32_t i = 0; i < sched->acceptor.count; i++) {
            acceptor_on_event(&sched->acceptor, &sched->room, &sched->acceptor.listeners[i]); /* who came before */
        }
        pthread_mutex_lock(&sched->room.fds_lock);
        acceptor_close(&sched->acceptor, sched->room.epoll_fd);
        pthread_mutex_unlock(&sched->room.fds_lock);
        conn_drain(&sched->room);
    }
}

/* Whether a drain is over and has not been reported. */
static bool scheduler_drained(const scheduler *sched) {
    return sched->room.draining && sched->room.open == 0 && !sched->drained;
}

/* What a poll returns now, or 0 to go on. */
static int32_t scheduler_verdict(scheduler *sched) {
    conn_room *room = &sched->room;
    if (atomic_load_explicit(&sched->closing, memory_order_relaxed)) {
        return TB_ESHUTDOWN;
    }
    if (room->batch.count == 0 && room->batch.needed > 0) {
        atomic_store(&sched->batch_bytes, room->batch.needed);
        sched->listeners_first = true; /* so that the next poll begins with the one that waits */
        return TB_EBUFFER;
    }
    uint32_t flags = atomic_load_explicit(&sched->flags, memory_order_relaxed) == 0
                         ? 0
                         : atomic_exchange_explicit(&sched->flags, 0, memory_order_acq_rel);
    if (scheduler_drained(sched)) {
        sched->drained = true;
        flags |= TB_POLL_DRAINED;
    }
    if (news_pending(room)) {
        flags |= TB_POLL_NEWS;
    }
    return (int32_t)flags;
}

/* Nobody will look after the room for a while. */
static void scheduler_rest(scheduler *sched) {
    const conn_room *room = &sched->room;
    atomic_store_explicit(&sched->room.stats.handles_open, room->handles.open, memory_order_relaxed);
    atomic_store(&sched->due_ms, scheduler_due_ms(room));
    if (post_pending(&sched->posts)) {
        atomic_store(&sched->due_ms, room->now_ms); /* it may be a deadline */
    }
}

int32_t scheduler_poll(scheduler *sched, batch *bat) {
    conn_room *room = &sched->room;
    room->batch = *bat;
    stats_add(&room->stats.polls, 1);
    scheduler_tick(sched);
    scheduler_advance(sched);
    int32_t verdict = 0;
    do {
        scheduler_drain(sched);
        reception_take(sched);
        conn_settle_touched(room);
        /* Those that waited for room and those that epoll names take turns at being first, so that neither starves. */
        sched->listeners_first = !sched->listeners_first;
        if (!sched->listeners_first) {
            conn_resume_waiting(room);
        }
        if (batch_open(&room->batch)) {
            /* Those that still wait after their turn need an answer first, and its post will wake us. */
            bool tried = room->waiting == NULL || (!sched->listeners_first && !room->eager);
            bool idle = room->batch.count == 0 && tried && !scheduler_drained(sched) && !news_pending(room);
            atomic_store_explicit(&room->stats.handles_open, room->handles.open, memory_order_relaxed);
            scheduler_wait(sched, idle);
            if (idle) {
                scheduler_tick(sched);
            }
        }
        if (sched->listeners_first) {
            conn_resume_waiting(room);
        }
        conn_settle_touched(room);
        conn_bury(room);
        verdict = scheduler_verdict(sched);
    } while (verdict == 0 && room->batch.count == 0);
    scheduler_rest(sched);
    *bat = room->batch;
    return verdict < 0 || !room->batch.offers ? verdict : verdict | TB_POLL_OFFER;
}

void scheduler_serve(scheduler *sched) {
    conn_room *room = &sched->room;
    batch_init(&room->batch, NULL, 0, NULL, 0); /* full: requests that come are left for the holder */
    scheduler_tick(sched);
    reception_take(sched);
    scheduler_wait(sched, false);
    conn_settle_touched(room);
    conn_bury(room);
    scheduler_rest(sched);
}
