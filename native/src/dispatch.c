/* The exported call that answers with a file.
 *
 * Owns:  the order: the file is opened and read first, and only then is the scheduler taken.
 * Knows: parcels, the reception.
 * Never: keeps the descriptor: it is the shipment's, or closed, when the call returns.
 */
#include "engine.h"
#include "parcel.h"
#include "reception.h"

int32_t tb_engine_send_file(tb_engine *engine, uint32_t runner, uint64_t handle, tb_file *file) {
    int32_t code = file == NULL ? TB_EINVAL : engine_enter(engine);
    if (code != TB_OK) {
        return code;
    }
    parcel made;
    code = parcel_open(&made, &engine->sched.room, file);
    if (code == TB_OK) {
        uint8_t phase;
        const bool holding = engine_hold(engine, runner, &phase);
        made.ans.handle = handle;
        file->status = made.ans.status;
        file->length = made.ans.body_len;
        code = reception_give(&engine->sched, &made.ans, holding);
        if (holding) {
            engine_let_go(engine, runner, phase);
        }
        parcel_close(&made);
    }
    engine_leave(engine);
    return code;
}
