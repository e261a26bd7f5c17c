/* Constants: found by their exact path, and only by it. */
#include "constant.h"

#include "check.h"
#include "guard.h"
#include "tinybeam.h"

static int32_t push_text(constant_table *table, const char *path, const char *fields, const char *body) {
    const constant item = {
        .path_len = strlen(path), .fields_len = strlen(fields), .body_len = strlen(body), .status = 200};
    return constant_push(table, &item, path, fields, body);
}

static const constant *find_text(const constant_table *table, const char *path) {
    guard page = guard_open(4096);
    const constant *found = constant_find(table, guard_put(&page, path, strlen(path)), strlen(path));
    guard_close(&page);
    return found;
}

static void an_empty_table_finds_nothing(void) {
    constant_table table;
    constant_init(&table, 1);
    CHECK(find_text(&table, "/") == NULL);
    constant_deinit(&table);
}

static void a_constant_is_found_with_its_fields_and_body(void) {
    constant_table table;
    constant_init(&table, 1);
    CHECK_INT(push_text(&table, "/yay", "A: b\r\n", "yay"), TB_OK);
    CHECK_INT(push_text(&table, "/none", "", ""), TB_OK);
    const constant *item = find_text(&table, "/yay");
    if (CHECK(item != NULL)) {
        CHECK_TEXT(constant_fields(item), item->fields_len, "A: b\r\n");
        CHECK_TEXT(constant_body(item), item->body_len, "yay");
        CHECK_INT(item->status, 200);
    }
    CHECK(find_text(&table, "/none") != NULL);
    constant_deinit(&table);
}

static void a_path_that_is_only_similar_is_not_found(void) {
    constant_table table;
    constant_init(&table, 1);
    push_text(&table, "/yay", "", "x");
    static const char *const paths[] = {"/ya", "/yay/", "/yayy", "/YAY", "/", "yay", "/yaz", "/%79ay"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        CHECK(find_text(&table, paths[i]) == NULL);
    }
    constant_deinit(&table);
}

static void what_was_pushed_is_a_copy(void) {
    constant_table table;
    constant_init(&table, 1);
    char path[] = "/a";
    char body[] = "one";
    const constant item = {.path_len = 2, .body_len = 3, .status = 200};
    CHECK_INT(constant_push(&table, &item, path, NULL, body), TB_OK);
    memset(path, '?', 2);
    memset(body, '?', 3);
    const constant *found = find_text(&table, "/a");
    if (CHECK(found != NULL)) {
        CHECK_TEXT(constant_body(found), found->body_len, "one");
    }
    constant_deinit(&table);
}

static void bodies_may_hold_every_octet(void) {
    constant_table table;
    constant_init(&table, 1);
    uint8_t body[256];
    for (unsigned i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)i;
    }
    const constant item = {.path_len = 2, .body_len = sizeof body, .status = 200};
    CHECK_INT(constant_push(&table, &item, "/b", NULL, body), TB_OK);
    const constant *found = find_text(&table, "/b");
    if (CHECK(found != NULL)) {
        CHECK_MEM(constant_body(found), found->body_len, body, sizeof body);
    }
    constant_deinit(&table);
}

static void the_same_path_twice_is_refused_and_the_first_stays(void) {
    constant_table table;
    constant_init(&table, 1);
    push_text(&table, "/a", "", "first");
    CHECK_INT(push_text(&table, "/a", "", "second"), TB_EINVAL);
    const constant *found = find_text(&table, "/a");
    if (CHECK(found != NULL)) {
        CHECK_TEXT(constant_body(found), found->body_len, "first");
    }
    CHECK_INT(table.count, 1);
    constant_deinit(&table);
}

static void all_of_many_are_found_and_one_more_than_the_most_is_refused(void) {
    constant_table table;
    constant_init(&table, 0x9e3779b97f4a7c15u);
    char path[32];
    for (unsigned i = 0; i < CONSTANTS_MAX; i++) {
        snprintf(path, sizeof path, "/item/%u", i);
        if (push_text(&table, path, "", path) != TB_OK) {
            CHECK_INT(i, CONSTANTS_MAX);
            break;
        }
    }
    CHECK_INT(push_text(&table, "/one/more", "", ""), TB_ELIMIT);
    unsigned found = 0;
    for (unsigned i = 0; i < CONSTANTS_MAX; i++) {
        snprintf(path, sizeof path, "/item/%u", i);
        const constant *item = constant_find(&table, (const uint8_t *)path, strlen(path));
        found +=
            item != NULL && item->body_len == strlen(path) && memcmp(constant_body(item), path, item->body_len) == 0;
    }
    CHECK_INT(found, CONSTANTS_MAX);
    CHECK(find_text(&table, "/item/65536") == NULL);
    constant_deinit(&table);
}

int main(void) {
    RUN(an_empty_table_finds_nothing);
    RUN(a_constant_is_found_with_its_fields_and_body);
    RUN(a_path_that_is_only_similar_is_not_found);
    RUN(what_was_pushed_is_a_copy);
    RUN(bodies_may_hold_every_octet);
    RUN(the_same_path_twice_is_refused_and_the_first_stays);
    RUN(all_of_many_are_found_and_one_more_than_the_most_is_refused);
    return check_end();
}
