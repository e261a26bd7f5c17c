/* Growable buffers: what they own, how they grow, and that they refuse what cannot be. */
#include "buffer.h"

#include "check.h"

static void an_empty_buffer_owns_nothing(void) {
    buffer buf = {0};
    CHECK(buffer_push(&buf, "", 0));
    CHECK(buffer_push(&buf, NULL, 0));
    CHECK(buf.octets == NULL && buf.capacity == 0);
    buffer_take(&buf, 0);
    buffer_deinit(&buf);
}

static void pushed_octets_stand_in_order(void) {
    buffer buf = {0};
    CHECK(buffer_push(&buf, "one", 3));
    CHECK(buffer_push(&buf, "two", 3));
    CHECK_TEXT(buf.octets, buf.len, "onetwo");
    buffer_deinit(&buf);
}

static void taking_drops_the_first_octets_and_keeps_the_rest(void) {
    buffer buf = {0};
    buffer_push(&buf, "abcdef", 6);
    buffer_take(&buf, 2);
    CHECK_TEXT(buf.octets, buf.len, "cdef");
    buffer_take(&buf, 4);
    CHECK_INT(buf.len, 0);
    buffer_push(&buf, "g", 1);
    CHECK_TEXT(buf.octets, buf.len, "g");
    buffer_deinit(&buf);
}

static void deinit_gives_all_memory_back_and_the_buffer_can_be_used_again(void) {
    buffer buf = {0};
    buffer_push(&buf, "abc", 3);
    buffer_deinit(&buf);
    CHECK(buf.octets == NULL && buf.len == 0 && buf.capacity == 0);
    buffer_deinit(&buf);
    CHECK(buffer_push(&buf, "d", 1));
    CHECK_TEXT(buf.octets, buf.len, "d");
    buffer_deinit(&buf);
}

static void growth_doubles_so_that_many_pushes_cost_linear_time(void) {
    buffer buf = {0};
    size_t growths = 0;
    size_t capacity = 0;
    for (unsigned i = 0; i < 100000; i++) {
        const uint8_t octet = (uint8_t)(i * 7);
        CHECK(buffer_push(&buf, &octet, 1));
        growths += buf.capacity != capacity;
        capacity = buf.capacity;
    }
    CHECK(growths <= 10);
    for (unsigned i = 0; i < 100000; i++) {
        if (buf.octets[i] != (uint8_t)(i * 7)) {
            CHECK_INT(buf.octets[i], (uint8_t)(i * 7));
            break;
        }
    }
    buffer_deinit(&buf);
}

static void one_large_push_gets_exactly_the_room_it_needs(void) {
    buffer buf = {0};
    CHECK(buffer_reserve(&buf, 1000000));
    CHECK_INT(buf.capacity, 1000000);
    CHECK_INT(buf.len, 0);
    buffer_deinit(&buf);
}

static void a_size_that_would_overflow_is_refused_and_changes_nothing(void) {
    buffer buf = {0};
    buffer_push(&buf, "abc", 3);
    const uint8_t *octets = buf.octets;
    const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 2, SIZE_MAX / 2 + 1, SIZE_MAX / 2, SIZE_MAX / 2 - 2};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        CHECK(!buffer_reserve(&buf, sizes[i]));
        CHECK(buf.octets == octets);
        CHECK_TEXT(buf.octets, buf.len, "abc");
    }
    buffer_deinit(&buf);
}

int main(void) {
    RUN(an_empty_buffer_owns_nothing);
    RUN(pushed_octets_stand_in_order);
    RUN(taking_drops_the_first_octets_and_keeps_the_rest);
    RUN(deinit_gives_all_memory_back_and_the_buffer_can_be_used_again);
    RUN(growth_doubles_so_that_many_pushes_cost_linear_time);
    RUN(one_large_push_gets_exactly_the_room_it_needs);
    RUN(a_size_that_would_overflow_is_refused_and_changes_nothing);
    return check_end();
}
