/* Answers that another thread has posted: copied, in order, each once. */
#include "post.h"

#include <stdlib.h>

#include "check.h"

static answer answer_of(const char *fields, const char *body) {
    return (answer){
        .handle = 7,
        .status = 201,
        .fields = (const uint8_t *)fields,
        .fields_len = strlen(fields),
        .body = (const uint8_t *)body,
        .body_len = strlen(body),
    };
}

static void a_posted_answer_owns_its_octets(void) {
    char fields[] = "a: b\r\n";
    char body[] = "hello";
    const answer ans = answer_of(fields, body);
    post *item = post_open(9, &ans);
    memset(fields, '?', sizeof fields - 1);
    memset(body, '?', sizeof body - 1);
    CHECK_INT(item->slot, 9);
    CHECK_INT(item->ans.status, 201);
    CHECK_TEXT(item->ans.fields, item->ans.fields_len, "a: b\r\n");
    CHECK_TEXT(item->ans.body, item->ans.body_len, "hello");
    post_close(item);
}

static void an_answer_without_octets_can_be_posted(void) {
    const answer ans = {.status = 204};
    post *item = post_open(0, &ans);
    if (CHECK(item != NULL)) {
        CHECK_INT(item->ans.body_len, 0);
    }
    post_close(item);
}

static void lengths_that_cannot_be_are_refused(void) {
    answer ans = answer_of("", "x");
    ans.body_len = SIZE_MAX;
    CHECK(post_open(0, &ans) == NULL);
    ans.body_len = SIZE_MAX / 4 + 1;
    CHECK(post_open(0, &ans) == NULL);
    ans.body_len = 0;
    ans.fields_len = SIZE_MAX - 8;
    CHECK(post_open(0, &ans) == NULL);
}

static void they_are_taken_oldest_first_and_all_at_once(void) {
    post_box box;
    atomic_init(&box.top, NULL);
    CHECK(!post_pending(&box));
    CHECK(post_take(&box) == NULL);
    for (uint32_t slot = 0; slot < 100; slot++) {
        const answer ans = answer_of("", "x");
        post_push(&box, post_open(slot, &ans));
    }
    CHECK(post_pending(&box));
    uint32_t next = 0;
    for (post *item = post_take(&box); item != NULL;) {
        post *after = item->next;
        CHECK_INT(item->slot, next);
        next++;
        post_close(item);
        item = after;
    }
    CHECK_INT(next, 100);
    CHECK(!post_pending(&box));
    CHECK(post_take(&box) == NULL);
}

int main(void) {
    RUN(a_posted_answer_owns_its_octets);
    RUN(an_answer_without_octets_can_be_posted);
    RUN(lengths_that_cannot_be_are_refused);
    RUN(they_are_taken_oldest_first_and_all_at_once);
    return check_end();
}
