/* An engine and fork: the exported calls around it.
 *
 * Owns:  what a forked child closes of an engine that is its parent's.
 * Knows: that descriptors must not come or go while the process is copied.
 * Never: touches what the parent goes on using.
 */
#include <unistd.h>

#include "engine.h"

int32_t tb_engine_before_fork(tb_engine *engine) {
    if (engine == NULL) {
        return TB_EINVAL;
    }
    if (*engine->ours == 0) {
        return TB_EFORKED;
    }
    /* Whoever closes the engine needs the lock as well, so it is not asked whether it is open. */
    pthread_mutex_lock(&engine->sched.room.fds_lock);
    engine->sched.room.forked = true;
    return TB_OK;
}

int32_t tb_engine_after_fork(tb_engine *engine) {
    if (engine == NULL) {
        return TB_EINVAL;
    }
    if (*engine->ours == 0) {
        return TB_EFORKED;
    }
    return pthread_mutex_unlock(&engine->sched.room.fds_lock) == 0 ? TB_OK : TB_EINVAL;
}

int32_t tb_engine_abandon(tb_engine *engine) {
    if (engine == NULL) {
        return TB_EINVAL;
    }
    if (*engine->ours != 0) {
        return TB_EINVAL; /* this is the parent: close it instead */
    }
    if (engine->abandoned) {
        return TB_EFORKED; /* by now the numbers may be those of other descriptors */
    }
    engine->abandoned = true;
    scheduler *sched = &engine->sched;
    /* Plain close only: shutdown or epoll_ctl would reach through to the parent's connections. */
    for (uint32_t fd = 0; sched->room.fds != NULL && fd < sched->room.fds_len; fd++) {
        if (atomic_load_explicit(&sched->room.fds[fd], memory_order_relaxed) != 0) {
            close((int)fd);
        }
    }
    acceptor_close(&sched->acceptor, -1);
    const int fds[] = {sched->room.epoll_fd, sched->wake_fd, sched->signal_fds[0], sched->signal_fds[1]};
    for (unsigned i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    return TB_EFORKED;
}
