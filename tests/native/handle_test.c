/* Handles: taken once, and never valid again (hazards 1, 2, 4, 5, 6 and 7 as far as one thread can show them). */
#include "handle.h"

#include <stdlib.h>

#include "check.h"
#include "tinybeam.h"

static const uint64_t seed = 0xfedcba9876543210u;

/* A generator of our own, so that a failure comes again with the same numbers. */
static uint64_t chance(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void a_handle_is_taken_once(void) {
    handle_table table;
    uint64_t handle;
    uint32_t slot = 9, taken = 9;
    CHECK(handle_init(&table, 4, seed));
    CHECK(handle_open(&table, &handle, &slot));
    CHECK_INT(table.open, 1);
    CHECK(handle_of(&table, slot) == handle);
    CHECK_INT(handle_take(&table, handle, &taken), TB_OK);
    CHECK_INT(taken, slot);
    CHECK_INT(handle_take(&table, handle, &taken), TB_EALREADY);
    handle_close(&table, slot);
    CHECK_INT(table.open, 0);
    CHECK_INT(handle_take(&table, handle, &taken), TB_EALREADY);
    handle_deinit(&table);
}

static void a_handle_whose_client_has_left_is_taken_once_and_says_so(void) {
    handle_table table;
    uint64_t handle;
    uint32_t slot, taken;
    handle_init(&table, 4, seed);
    handle_open(&table, &handle, &slot);
    handle_on_disconnect(&table, slot);
    CHECK_INT(handle_take(&table, handle, &taken), TB_EDISCONNECTED);
    CHECK_INT(taken, slot);
    CHECK_INT(handle_take(&table, handle, &taken), TB_EALREADY);
    handle_close(&table, slot);
    /* The other order: the answer was taken first, and then the client left. */
    handle_open(&table, &handle, &slot);
    CHECK_INT(handle_take(&table, handle, &taken), TB_OK);
    handle_on_disconnect(&table, slot);
    CHECK_INT(handle_take(&table, handle, &taken), TB_EALREADY);
    handle_close(&table, slot);
    handle_deinit(&table);
}

static void a_full_table_gives_no_handle_and_one_again_when_a_slot_is_free(void) {
    handle_table table;
    uint64_t handles[5];
    uint32_t slots[5];
    handle_init(&table, 4, seed);
    for (unsigned i = 0; i < 4; i++) {
        CHECK(handle_open(&table, &handles[i], &slots[i]));
    }
    CHECK(!handle_open(&table, &handles[4], &slots[4]));
    handle_close(&table, slots[2]);
    CHECK(handle_open(&table, &handles[4], &slots[4]));
    CHECK_INT(slots[4], slots[2]);
    CHECK(handles[4] != handles[2]);
    handle_deinit(&table);
}

static void the_handle_of_an_earlier_request_never_answers_a_later_one_in_its_slot(void) {
    handle_table table;
    uint64_t first, second;
    uint32_t slot, taken;
    handle_init(&table, 1, seed);
    handle_open(&table, &first, &slot);
    handle_take(&table, first, &taken);
    handle_close(&table, slot);
    handle_open(&table, &second, &slot);
    CHECK_INT(handle_take(&table, first, &taken), TB_EALREADY);
    CHECK_INT(handle_take(&table, second, &taken), TB_OK);
    handle_deinit(&table);
}

static void stale_handles_are_refused_through_ten_million_reuses_of_four_slots(void) {
    enum { CYCLES = 10000000, KEPT = 64 };
    handle_table table;
    uint64_t kept[KEPT] = {0};
    uint64_t state = 88172645463325252u;
    unsigned accepted = 0, refused_fresh = 0;
    handle_init(&table, 4, seed);
    for (unsigned i = 0; i < CYCLES; i++) {
        uint64_t handle;
        uint32_t slot, taken;
        handle_open(&table, &handle, &slot);
        uint64_t stale = kept[chance(&state) % KEPT];
        accepted += stale != 0 && handle_take(&table, stale, &taken) != TB_EALREADY;
        refused_fresh += handle_take(&table, handle, &taken) != TB_OK;
        handle_close(&table, slot);
        kept[i % KEPT] = handle;
    }
    CHECK_INT(accepted, 0);
    CHECK_INT(refused_fresh, 0);
    handle_deinit(&table);
}

static void a_slot_whose_generations_are_used_up_is_retired(void) {
    handle_table table;
    uint64_t handle, last;
    uint32_t slot, taken;
    handle_init(&table, 1, seed);
    handle_open(&table, &handle, &slot);
    handle_close(&table, slot);
    /* As after four billion requests: the last but one generation is open next. */
    atomic_store(&table.slots[0].ticket, (uint64_t)(UINT32_MAX - 1) << 2);
    CHECK(handle_open(&table, &handle, &slot));
    CHECK_INT(handle_take(&table, handle, &taken), TB_OK);
    handle_close(&table, slot);
    CHECK(handle_open(&table, &last, &slot));
    CHECK_INT(handle_take(&table, handle, &taken), TB_EALREADY);
    CHECK_INT(handle_take(&table, last, &taken), TB_OK);
    handle_close(&table, slot);
    CHECK(!handle_open(&table, &handle, &slot));
    CHECK_INT(table.open, 0);
    CHECK_INT(handle_take(&table, last, &taken), TB_EALREADY);
    handle_deinit(&table);
}

static void a_million_forged_handles_open_nothing(void) {
    enum { FORGED = 1000000 };
    handle_table table, other;
    uint64_t mine, theirs;
    uint32_t slot, taken;
    handle_init(&table, 4096, seed);
    handle_init(&other, 4096, ~seed);
    handle_open(&table, &mine, &slot);
    handle_open(&other, &theirs, &slot);
    const uint64_t fixed[] = {
        0,
        1,
        UINT64_MAX,
        UINT64_MAX - 1,
        1ull << 63,
        1ull << 32,
        UINT32_MAX,
        (uint64_t)(uintptr_t)&table,
        (uint64_t)(uintptr_t)table.slots,
        theirs,
        mine + 1,
        mine ^ 1ull << 20,
        mine ^ 1ull << 51,
        mine ^ 1ull << 52,
        mine ^ 1ull << 63,
        mine | (HANDLE_SLOTS_MAX - 1),
    };
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        int32_t code = handle_take(&table, fixed[i], &taken);
        CHECK(code == TB_EBADHANDLE || code == TB_EALREADY);
    }
    uint64_t state = 0x2545f4914f6cdd1du;
    unsigned taken_count = 0;
    for (unsigned i = 0; i < FORGED; i++) {
        uint64_t forged = chance(&state);
        /* Half of them with the right salt and an existing slot, so that only the generation stands in the way. */
        forged = i % 2 == 0 ? forged : (mine & ~0xfffffffffffull) | (forged & 0xfffffffffffull & ~0xff000ull);
        int32_t code = forged == mine ? TB_EBADHANDLE : handle_take(&table, forged, &taken);
        taken_count += code != TB_EBADHANDLE && code != TB_EALREADY;
    }
    CHECK_INT(taken_count, 0);
    CHECK_INT(handle_take(&table, mine, &taken), TB_OK);
    handle_deinit(&table);
    handle_deinit(&other);
}

/* One of many handles in a random order of everything that can happen, beside a model that says what must come of it.
 */
static void a_hundred_thousand_random_orders_agree_with_the_model(void) {
    enum { STEPS = 100000, MOST = 8 };
    enum { NONE, OPEN, GONE, TAKEN, CLOSED };
    struct {
        uint64_t handle;
        uint32_t slot;
        int state;
    } models[MOST] = {0};
    handle_table table;
    uint64_t state = 1234567;
    handle_init(&table, MOST, seed);
    for (unsigned i = 0; i < STEPS; i++) {
        const size_t which = chance(&state) % MOST;
        uint32_t taken = UINT32_MAX;
        switch (chance(&state) % 4) {
        case 0:
            if (models[which].state == NONE || models[which].state == CLOSED) {
                CHECK(handle_open(&table, &models[which].handle, &models[which].slot));
                models[which].state = OPEN;
            }
            break;
        case 1:
            if (models[which].state == OPEN || models[which].state == TAKEN) {
                handle_on_disconnect(&table, models[which].slot);
                models[which].state = models[which].state == OPEN ? GONE : TAKEN;
            }
            break;
        case 2:
            if (models[which].state != NONE) {
                static const int32_t codes[] = {
                    [OPEN] = TB_OK, [GONE] = TB_EDISCONNECTED, [TAKEN] = TB_EALREADY, [CLOSED] = TB_EALREADY};
                const int32_t code = handle_take(&table, models[which].handle, &taken);
                CHECK_INT(code, codes[models[which].state]);
                models[which].state = models[which].state == CLOSED ? CLOSED : TAKEN;
            }
            break;
        default:
            if (models[which].state == TAKEN) {
                handle_close(&table, models[which].slot);
                models[which].state = CLOSED;
            }
        }
    }
    handle_deinit(&table);
}

static void an_answer_that_was_kept_goes_with_its_slot(void) {
    handle_table table;
    uint64_t handle;
    uint32_t slot;
    handle_init(&table, 2, seed);
    handle_open(&table, &handle, &slot);
    table.slots[slot].answer = malloc(10);
    handle_close(&table, slot);
    CHECK(table.slots[slot].answer == NULL);
    handle_open(&table, &handle, &slot);
    table.slots[slot].answer = malloc(10);
    handle_deinit(&table); /* LeakSanitizer sees to it that this one goes too */
}

int main(void) {
    RUN(a_handle_is_taken_once);
    RUN(a_handle_whose_client_has_left_is_taken_once_and_says_so);
    RUN(a_full_table_gives_no_handle_and_one_again_when_a_slot_is_free);
    RUN(the_handle_of_an_earlier_request_never_answers_a_later_one_in_its_slot);
    RUN(stale_handles_are_refused_through_ten_million_reuses_of_four_slots);
    RUN(a_slot_whose_generations_are_used_up_is_retired);
    RUN(a_million_forged_handles_open_nothing);
    RUN(a_hundred_thousand_random_orders_agree_with_the_model);
    RUN(an_answer_that_was_kept_goes_with_its_slot);
    return check_end();
}
