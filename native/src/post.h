/* Answers on their way from another thread to the holder of the scheduler.
 *
 * Owns:  the posted answers until the scheduler takes them.
 * Knows: how to push from any thread without a lock, and to take all at once.
 * Never: touches a connection; the slot number is all it carries.
 */
#ifndef TINYBEAM_POST_H
#define TINYBEAM_POST_H

#include <stdatomic.h>
#include <stdbool.h>

#include "answer.h"

/* What there is instead of a slot where no answer's handle was taken. */
#define POST_TIMEOUT UINT32_MAX
#define POST_PART (UINT32_MAX - 1)

typedef struct post {
    struct post *next;
    uint32_t slot;
    uint64_t timeout_ms; /* of POST_TIMEOUT: another deadline */
    answer ans;          /* its pointers lead into octets; its cargo is the post's */
    uint8_t octets[];
} post;

typedef struct post_box {
    _Atomic(post *) top;
} post_box;

/* A copy of the answer for this slot, which takes its cargo over. NULL when memory is out, and then it has not. */
post *post_open(uint32_t slot, const answer *ans);
void post_close(post *item);
void post_push(post_box *box, post *item);
/* All that were pushed, oldest first. */
post *post_take(post_box *box);
bool post_pending(post_box *box);

#endif
