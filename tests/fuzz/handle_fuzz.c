/* Invariant: a handle is taken once at most, by whoever asks first; no other number ever takes anything.
 *
 * Owns:  a model of the table: which handles are out, which client has left, which were spent.
 * Knows: handle.h. The input is a program: open, take, forge, leave, reopen, close.
 * Never: looks into a slot.
 */
#include "handle.h"

#include "fuzz.h"
#include "tinybeam.h"

enum { SLOTS = 4, KNOWN = 256 };

typedef enum fate { FATE_OPEN, FATE_GONE, FATE_TAKEN, FATE_CLOSED } fate;

typedef struct known {
    uint64_t handle;
    uint32_t slot;
    fate state;
} known;

static known list[KNOWN];
static unsigned list_len;
static handle_table table;

static known *owner_of(uint32_t slot) {
    for (unsigned i = list_len; i > 0; i--) {
        if (list[i - 1].slot == slot && list[i - 1].state != FATE_CLOSED) {
            return &list[i - 1];
        }
    }
    return NULL;
}

static unsigned count_out(void) {
    unsigned count = 0;
    for (unsigned i = 0; i < list_len; i++) {
        count += list[i].state != FATE_CLOSED;
    }
    return count;
}

static void add(uint64_t handle, uint32_t slot) {
    for (unsigned i = 0; i < list_len; i++) {
        FUZZ_CHECK(list[i].handle != handle); /* never the same ticket twice */
    }
    list[list_len++] = (known){.handle = handle, .slot = slot, .state = FATE_OPEN};
}

static void open_one(void) {
    uint64_t handle;
    uint32_t slot;
    if (handle_open(&table, &handle, &slot)) {
        FUZZ_CHECK(count_out() < SLOTS && slot < SLOTS && owner_of(slot) == NULL);
        FUZZ_CHECK(handle_of(&table, slot) == handle && handle_awaits(&table, slot));
        add(handle, slot);
    } else {
        FUZZ_CHECK(count_out() == SLOTS);
    }
}

static void take(known *item) {
    uint32_t slot = HANDLE_NONE;
    const int32_t code = handle_take(&table, item->handle, &slot);
    switch (item->state) {
    case FATE_OPEN:
        FUZZ_CHECK(code == TB_OK && slot == item->slot);
        item->state = FATE_TAKEN;
        break;
    case FATE_GONE:
        FUZZ_CHECK(code == TB_EDISCONNECTED && slot == item->slot);
        item->state = FATE_TAKEN;
        break;
    default:
        FUZZ_CHECK(code == TB_EALREADY && slot == HANDLE_NONE);
    }
}

static void forge(uint64_t handle) {
    for (unsigned i = 0; i < list_len; i++) {
        if (list[i].handle == handle) {
            return;
        }
    }
    uint32_t slot = HANDLE_NONE;
    const int32_t code = handle_take(&table, handle, &slot);
    FUZZ_CHECK((code == TB_EBADHANDLE || code == TB_EALREADY) && slot == HANDLE_NONE);
}

static void run(uint8_t op, fuzz_script *script) {
    known *item = list_len > 0 ? &list[fuzz_next(script) % list_len] : NULL;
    if (op % 6 == 0 && list_len < KNOWN - 1) {
        open_one();
    } else if (item == NULL) {
        forge(fuzz_next(script));
    } else if (op % 6 == 1) {
        take(item);
    } else if (op % 6 == 2) {
        forge(item->handle ^ (UINT64_C(1) << fuzz_next(script) % 64));
    } else if (op % 6 == 3 && item->state == FATE_OPEN) {
        handle_on_disconnect(&table, item->slot);
        item->state = FATE_GONE;
    } else if (op % 6 == 4 && item->state == FATE_TAKEN && list_len < KNOWN - 1) {
        FUZZ_CHECK(handle_reopen(&table, item->slot));
        item->state = FATE_CLOSED;
        add(handle_of(&table, item->slot), item->slot);
    } else if (op % 6 == 5 && item->state != FATE_CLOSED) {
        handle_close(&table, item->slot);
        item->state = FATE_CLOSED;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    fuzz_script script = {.at = octets, .end = octets + len};
    list_len = 0;
    FUZZ_CHECK(handle_init(&table, SLOTS, 0x123456789abcdef0u ^ (uint64_t)fuzz_next(&script) << 40));
    while (script.at < script.end) {
        run(fuzz_next(&script), &script);
        FUZZ_CHECK(table.open == count_out());
    }
    handle_deinit(&table);
    return 0;
}
