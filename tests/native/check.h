/* A test harness for one C file: checks that count, tests that have sentences for names.
 *
 * Owns:  the counts of passed and failed tests, and how a failed check is told.
 * Knows: nothing of what is tested.
 * Never: stops at a failed check: the test goes on, and the program ends with a non-zero code.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* All hold a value; a failed one prints where, what was wanted and what came. They give back whether it held. */
#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) check_int((long long)(actual), (long long)(expected), #actual, __FILE__, __LINE__)
#define CHECK_MEM(actual, actual_len, expected, expected_len)                                                          \
    check_mem((actual), (actual_len), (expected), (expected_len), #actual, __FILE__, __LINE__)
#define CHECK_TEXT(actual, actual_len, expected) CHECK_MEM(actual, actual_len, expected, strlen(expected))

/* Runs a function whose name is a sentence: RUN(a_second_host_field_is_refused). */
#define RUN(test) check_run((test), #test)

static struct {
    int passed;
    int failed;
    int checks_failed;   /* of the running test */
    const char *subject; /* of a table: which row; NULL otherwise */
} check_state;

static inline bool check_fail(const char *file, int line) {
    check_state.checks_failed++;
    printf("%s:%d: ", file, line);
    if (check_state.subject != NULL) {
        printf("[%s] ", check_state.subject);
    }
    return false;
}

static inline bool check_true(bool condition, const char *text, const char *file, int line) {
    if (!condition) {
        check_fail(file, line);
        printf("not true: %s\n", text);
    }
    return condition;
}

static inline bool check_int(long long actual, long long expected, const char *text, const char *file, int line) {
    if (actual != expected) {
        check_fail(file, line);
        printf("%s is %lld, not %lld\n", text, actual, expected);
    }
    return actual == expected;
}

static inline bool check_mem(const void *actual, size_t actual_len, const void *expected, size_t expected_len,
                             const char *text, const char *file, int line) {
    const bool same = actual_len == expected_len && (actual_len == 0 || memcmp(actual, expected, actual_len) == 0);
    if (!same) {
        check_fail(file, line);
        printf("%s is \"%.*s\" (%zu octets), not \"%.*s\" (%zu octets)\n", text, (int)actual_len, (const char *)actual,
               actual_len, (int)expected_len, (const char *)expected, expected_len);
    }
    return same;
}

static inline void check_run(void (*test)(void), const char *name) {
    check_state.checks_failed = 0;
    check_state.subject = NULL;
    test();
    if (check_state.checks_failed == 0) {
        check_state.passed++;
    } else {
        check_state.failed++;
    }
    printf("%s %s\n", check_state.checks_failed == 0 ? "ok    " : "FAILED", name);
}

/* The exit code of the program: return check_end(); */
static inline int check_end(void) {
    printf("%d passed, %d failed\n", check_state.passed, check_state.failed);
    return check_state.failed == 0 ? 0 : 1;
}

#endif
