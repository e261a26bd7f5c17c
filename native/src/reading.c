/* Reading a body in parts: the exported calls for it.
 *
 * Owns:  the checks of what callers pass.
 * Knows: that readers are in other threads than the holder of the scheduler, who is woken when they want more.
 * Never: waits.
 */
#include "engine.h"
#include "inflow.h"

int32_t tb_body_open(tb_engine *engine, uint64_t handle, uint64_t bytes_max) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = inflow_open(&engine->sched.room, handle, bytes_max);
    engine_leave(engine);
    return code;
}

int64_t tb_body_take(tb_engine *engine, uint64_t handle, void *octets, size_t capacity) {
    int64_t result = octets == NULL || capacity == 0 || capacity > PTRDIFF_MAX ? TB_EINVAL : engine_enter(engine);
    if (result != TB_OK) {
        return result;
    }
    bool wanted;
    result = inflow_take(&engine->sched.room, handle, octets, capacity, &wanted);
    if (wanted) {
        scheduler_kick(&engine->sched);
    }
    engine_leave(engine);
    return result;
}

int64_t tb_body_trailers(tb_engine *engine, uint64_t handle, void *octets, size_t capacity) {
    int64_t result = octets == NULL || capacity > PTRDIFF_MAX ? TB_EINVAL : engine_enter(engine);
    if (result != TB_OK) {
        return result;
    }
    result = inflow_take_trailers(&engine->sched.room, handle, octets, capacity);
    engine_leave(engine);
    return result;
}

int32_t tb_engine_client(tb_engine *engine, uint64_t handle) {
    int32_t code = engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    code = handle_client(&engine->sched.room.handles, handle);
    engine_leave(engine);
    return code;
}
