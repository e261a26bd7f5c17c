/* Requests that met their deadline, until Python asks which they were.
 *
 * Owns:  the latest of them.
 * Knows: that whoever asks is another thread than the one that notes.
 * Never: grows: when nobody asks for long, the oldest are forgotten.
 */
#ifndef TINYBEAM_OVERDUE_H
#define TINYBEAM_OVERDUE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum { OVERDUE_MAX = 1024 };

typedef struct overdue {
    pthread_mutex_t lock;
    uint32_t first;
    uint32_t len;
    struct overdue_item {
        uint64_t handle;
        uint64_t age_ms;
    } items[OVERDUE_MAX];
} overdue;

void overdue_init(overdue *list);
void overdue_push(overdue *list, uint64_t handle, uint64_t age_ms);
/* Moves the oldest into pairs of handle and age. Returns how many pairs. */
size_t overdue_take(overdue *list, uint64_t *pairs, size_t pairs_max);

#endif
