/* Answers on their way from another thread; see post.h.
 *
 * Owns:  a lock-free stack that is taken whole and reversed.
 * Knows: that only one thread takes at a time, so there is no ABA to fear.
 * Never: blocks.
 */
#include "post.h"

#include <stdlib.h>
#include <string.h>

#include "shipment.h"

post *post_open(uint32_t slot, const answer *ans) {
    if (ans->body_len > SIZE_MAX / 4 || ans->fields_len > SIZE_MAX / 4) {
        return NULL;
    }
    const size_t body_len = ans->body == NULL ? 0 : ans->body_len; /* those of a file are not here */
    post *item = malloc(sizeof *item + ans->fields_len + body_len);
    if (item == NULL) {
        return NULL;
    }
    item->next = NULL;
    item->slot = slot;
    item->ans = *ans;
    item->ans.fields = item->octets;
    item->ans.body = ans->body == NULL ? NULL : item->octets + ans->fields_len;
    if (ans->fields_len > 0) {
        memcpy(item->octets, ans->fields, ans->fields_len);
    }
    if (body_len > 0) {
        memcpy(item->octets + ans->fields_len, ans->body, body_len);
    }
    return item;
}

void post_close(post *item) {
    shipment_close(item->ans.cargo);
    free(item);
}

void post_push(post_box *box, post *item) {
    item->next = atomic_load_explicit(&box->top, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&box->top, &item->next, item, memory_order_seq_cst,
                                                  memory_order_relaxed)) {
    }
}

post *post_take(post_box *box) {
    if (atomic_load_explicit(&box->top, memory_order_relaxed) == NULL) {
        return NULL;
    }
    post *item = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    post *oldest = NULL;
    while (item != NULL) {
        post *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    return oldest;
}

bool post_pending(post_box *box) {
    return atomic_load_explicit(&box->top, memory_order_seq_cst) != NULL;
}
