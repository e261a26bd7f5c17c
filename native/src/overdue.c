/* Requests that met their deadline; see overdue.h.
 *
 * Owns:  a ring of fixed size behind a lock.
 * Knows: nothing of requests but a number and an age.
 * Never: makes the scheduler wait for longer than a copy of the ring takes.
 */
#include "overdue.h"

void overdue_init(overdue *list) {
    list->first = list->len = 0;
    pthread_mutex_init(&list->lock, NULL);
}

void overdue_push(overdue *list, uint64_t handle, uint64_t age_ms) {
    pthread_mutex_lock(&list->lock);
    if (list->len == OVERDUE_MAX) {
        list->first = (list->first + 1) % OVERDUE_MAX;
        list->len--;
    }
    list->items[(list->first + list->len) % OVERDUE_MAX] = (struct overdue_item){.handle = handle, .age_ms = age_ms};
    list->len++;
    pthread_mutex_unlock(&list->lock);
}

size_t overdue_take(overdue *list, uint64_t *pairs, size_t pairs_max) {
    size_t taken = 0;
    pthread_mutex_lock(&list->lock);
    for (; taken < pairs_max && list->len > 0; taken++) {
        pairs[2 * taken] = list->items[list->first].handle;
        pairs[2 * taken + 1] = list->items[list->first].age_ms;
        list->first = (list->first + 1) % OVERDUE_MAX;
        list->len--;
    }
    pthread_mutex_unlock(&list->lock);
    return taken;
}
