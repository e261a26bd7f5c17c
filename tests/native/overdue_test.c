/* The list of overdue requests: in order, each once, and bounded. */
#include "overdue.h"

#include "check.h"

static void they_come_oldest_first_and_once(void) {
    static overdue list;
    uint64_t pairs[8];
    overdue_init(&list);
    CHECK_INT(overdue_take(&list, pairs, 4), 0);
    for (uint64_t i = 0; i < 3; i++) {
        overdue_push(&list, 100 + i, 1000 + i);
    }
    CHECK_INT(overdue_take(&list, pairs, 2), 2);
    CHECK(pairs[0] == 100 && pairs[1] == 1000 && pairs[2] == 101 && pairs[3] == 1001);
    CHECK_INT(overdue_take(&list, pairs, 4), 1);
    CHECK(pairs[0] == 102 && pairs[1] == 1002);
    CHECK_INT(overdue_take(&list, pairs, 4), 0);
}

static void the_oldest_are_forgotten_when_nobody_asks(void) {
    static overdue list;
    static uint64_t pairs[2 * OVERDUE_MAX];
    overdue_init(&list);
    for (uint64_t i = 0; i < OVERDUE_MAX + 10; i++) {
        overdue_push(&list, i, i);
    }
    CHECK_INT(overdue_take(&list, pairs, OVERDUE_MAX), OVERDUE_MAX);
    CHECK_INT(pairs[0], 10);
    CHECK_INT(pairs[2 * OVERDUE_MAX - 1], OVERDUE_MAX + 9);
}

int main(void) {
    RUN(they_come_oldest_first_and_once);
    RUN(the_oldest_are_forgotten_when_nobody_asks);
    return check_end();
}
