/* Answers as they come in from Python; see reception.h.
 *
 * Owns:  the way of each kind of answer, and the count of those that are refused.
 * Knows: handles, exchanges, streams; that a posted answer is a copy.
 * Never: touches a connection but in the hands of the holder of the scheduler.
 */
#include "reception.h"

#include "exchange.h"
#include "inflow.h"
#include "shipment.h"
#include "stream.h"
#include "tinybeam.h"

static void reception_count_refusal(scheduler *sched, int32_t code) {
    stats_counter *counter =
        code == TB_EDISCONNECTED ? &sched->room.stats.answers_late : &sched->room.stats.answers_refused;
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

int32_t reception_spend(scheduler *sched, const void *answers, size_t len) {
    if (len == 0) {
        return TB_OK;
    }
    term_reader reader = {.at = answers, .end = (const uint8_t *)answers + len};
    uint32_t count;
    if (!term_next_array(&reader, &count)) {
        return TB_ETERM;
    }
    for (uint32_t i = 0; i < count; i++) {
        answer ans;
        uint32_t slot;
        if (!answer_next(&reader, &ans)) {
            return TB_ETERM;
        }
        if (answer_is_part(&ans)) {
            stream_on_part(&sched->room, &ans);
            continue;
        }
        int32_t code = handle_take(&sched->room.handles, ans.handle, &slot);
        if (code != TB_OK) {
            reception_count_refusal(sched, code);
        }
        if (code == TB_OK || code == TB_EDISCONNECTED) {
            exchange_answer(&sched->room, slot, &ans);
        }
    }
    return TB_OK;
}

/* Takes the handle of one answer, and its cargo, and posts it. The copy is made first: memory that is out must not cost
 * the handle. */
static int32_t reception_post_one(scheduler *sched, const answer *ans) {
    post *item = post_open(0, ans);
    if (item == NULL) {
        shipment_close(ans->cargo);
        return TB_ENOMEM;
    }
    if (answer_is_part(ans)) {
        item->slot = POST_PART;
        post_push(&sched->posts, item);
        return TB_OK;
    }
    int32_t code = handle_take(&sched->room.handles, ans->handle, &item->slot);
    if (code != TB_OK) {
        reception_count_refusal(sched, code);
    }
    if (code == TB_OK || code == TB_EDISCONNECTED) {
        post_push(&sched->posts, item);
    } else {
        post_close(item);
    }
    return code;
}

int32_t reception_post(scheduler *sched, const void *answers, size_t len) {
    if (len == 0) {
        return TB_OK;
    }
    term_reader reader = {.at = answers, .end = (const uint8_t *)answers + len};
    uint32_t count;
    int32_t result = TB_OK;
    if (!term_next_array(&reader, &count)) {
        return TB_ETERM;
    }
    for (uint32_t i = 0; i < count; i++) {
        answer ans;
        if (!answer_next(&reader, &ans)) {
            result = TB_ETERM;
            break;
        }
        int32_t code = reception_post_one(sched, &ans);
        result = result == TB_OK ? code : result;
    }
    scheduler_kick(sched);
    return result;
}

void reception_take(scheduler *sched) {
    inflow_take_wanted(&sched->room);
    for (post *item = post_take(&sched->posts); item != NULL;) {
        post *next = item->next;
        if (item->slot == POST_PART) {
            stream_on_part(&sched->room, &item->ans);
        } else if (item->slot == POST_TIMEOUT) {
            exchange_set_timeout(&sched->room, item->ans.handle, item->timeout_ms);
        } else {
            exchange_answer(&sched->room, item->slot, &item->ans);
            item->ans.cargo = NULL;
        }
        post_close(item);
        item = next;
    }
}

int32_t reception_push_part(scheduler *sched, const answer *part, bool holding) {
    if (holding) {
        reception_take(sched); /* those before it come first */
        const int32_t code = stream_on_part(&sched->room, part);
        return code == TB_OK && part->kind == TB_KIND_ASK ? (int32_t)stream_grant(&sched->room, part->handle) : code;
    }
    const int32_t code = reception_post_one(sched, part);
    scheduler_kick(sched);
    return code;
}

int32_t reception_give(scheduler *sched, const answer *ans, bool holding) {
    if (!holding) {
        const int32_t code = reception_post_one(sched, ans);
        scheduler_kick(sched);
        return code;
    }
    uint32_t slot;
    const int32_t code = handle_take(&sched->room.handles, ans->handle, &slot);
    if (code != TB_OK) {
        reception_count_refusal(sched, code);
    }
    if (code == TB_OK || code == TB_EDISCONNECTED) {
        exchange_answer(&sched->room, slot, ans);
    } else {
        shipment_close(ans->cargo);
    }
    return code;
}

int32_t reception_post_timeout(scheduler *sched, uint64_t handle, uint64_t timeout_ms) {
    const answer none = {.handle = handle};
    post *item = post_open(POST_TIMEOUT, &none);
    if (item == NULL) {
        return TB_ENOMEM;
    }
    item->timeout_ms = timeout_ms;
    /* Should the holder not come back in time, the monitor looks when the new deadline may be met at the earliest. */
    const uint64_t due_ms = timeout_ms == 0 ? WHEEL_NEVER : scheduler_now_ms();
    uint64_t known = atomic_load(&sched->due_ms);
    post_push(&sched->posts, item);
    while (due_ms < known && !atomic_compare_exchange_weak(&sched->due_ms, &known, due_ms)) {
    }
    scheduler_kick(sched);
    return TB_OK;
}
