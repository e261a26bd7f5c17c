/* Answers as Python sends them: both shapes, what is not fit for the wire, and every cut (hazards 16 and 18). */
#include "answer.h"

#include "check.h"
#include "guard.h"
#include "tinybeam.h"

#define OCTETS(literal) (literal), sizeof(literal) - 1

static bool read_answer(guard *page, const void *octets, size_t len, answer *ans) {
    const uint8_t *at = guard_put(page, octets, len);
    term_reader reader = {.at = at, .end = at + len};
    memset(ans, 0xaa, sizeof *ans);
    return answer_next(&reader, ans) && reader.at == reader.end;
}

static void a_short_answer_is_200_with_a_kind(void) {
    guard page = guard_open(256);
    answer ans;
    CHECK(read_answer(&page, OCTETS("\x93\xcf\x80\0\0\0\0\0\0\7\x02\xa2{}"), &ans));
    CHECK(ans.handle == 0x8000000000000007u);
    CHECK_INT(ans.status, 200);
    CHECK_INT(ans.kind, TB_KIND_JSON);
    CHECK_INT(ans.fields_len, 0);
    CHECK_TEXT(ans.body, ans.body_len, "{}");
    guard_close(&page);
}

static void a_full_answer_has_a_status_and_fields_of_its_own(void) {
    guard page = guard_open(256);
    answer ans;
    CHECK(read_answer(&page,
                      OCTETS("\x94\x05\xcd\x01\x94\xc4\x06"
                             "a: b\r\n"
                             "\xc4\x03x\0y"),
                      &ans));
    CHECK(ans.handle == 5);
    CHECK_INT(ans.status, 404);
    CHECK_INT(ans.kind, 0);
    CHECK_TEXT(ans.fields, ans.fields_len, "a: b\r\n");
    CHECK_MEM(ans.body, ans.body_len, "x\0y", 3);
    CHECK(read_answer(&page, OCTETS("\x94\x05\xcc\xc8\xc0\xc0"), &ans));
    CHECK(ans.fields == NULL && ans.body == NULL && ans.body_len == 0);
    guard_close(&page);
}

static void an_answer_cut_short_anywhere_is_no_answer(void) {
    static const char whole[] = "\x94\xcf\0\0\0\0\0\0\0\5\xcd\x01\x94\xc4\x06"
                                "a: b\r\n"
                                "\xc4\x03x\0y";
    guard page = guard_open(256);
    answer ans;
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        CHECK(!read_answer(&page, whole, cut, &ans));
    }
    CHECK(read_answer(&page, whole, sizeof whole - 1, &ans));
    guard_close(&page);
}

static void what_is_shaped_otherwise_is_no_answer(void) {
    static const struct {
        const char *octets;
        size_t len;
    } rows[] = {
        {OCTETS("\x92\x05\x01")},
        {OCTETS("\x95\x05\xcc\xc8\xc0\xc0\xc0")},
        {OCTETS("\x90")},
        {OCTETS("\x93\xa1x\x01\xc0")},
        {OCTETS("\x93\xff\x01\xc0")},
        {OCTETS("\x93\x05\xa1x\xc0")},
        {OCTETS("\x93\x05\x01\x05")},
        {OCTETS("\x94\x05\xcc\xc8\x05\xc0")},
        {OCTETS("\x83\x05\x01\xc0")},
        {OCTETS("\x94\x05\xcc\xc8\xc0\x90")},
    };
    guard page = guard_open(64);
    answer ans;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(!read_answer(&page, rows[i].octets, rows[i].len, &ans));
    }
    guard_close(&page);
}

static void check_spoiled(const answer *ans) {
    CHECK_INT(ans->status, 500);
    CHECK_INT(ans->kind, 0);
    CHECK(ans->fields == NULL && ans->fields_len == 0 && ans->body == NULL && ans->body_len == 0);
    CHECK(ans->handle == 5);
}

static void a_status_or_kind_that_does_not_exist_becomes_a_500(void) {
    static const struct {
        const char *octets;
        size_t len;
    } rows[] = {
        {OCTETS("\x93\x05\x00\xa1x")},                       /* kind 0 */
        {OCTETS("\x93\x05\x05\xa1x")},                       /* kind 5 */
        {OCTETS("\x93\x05\xcf\0\0\0\1\0\0\0\1\xa1x")},       /* kind 2^32 + 1 */
        {OCTETS("\x94\x05\xcc\xc7\xc0\xa1x")},               /* 199 */
        {OCTETS("\x94\x05\x64\xc0\xa1x")},                   /* 100 */
        {OCTETS("\x94\x05\xcd\x02\x58\xc0\xa1x")},           /* 600 */
        {OCTETS("\x94\x05\xcf\0\0\0\1\0\0\0\xc8\xc0\xa1x")}, /* 2^32 + 200 */
    };
    guard page = guard_open(64);
    answer ans;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(read_answer(&page, rows[i].octets, rows[i].len, &ans));
        check_spoiled(&ans);
    }
    guard_close(&page);
}

static void fields_that_could_split_a_response_are_found(void) {
    static const struct {
        const char *octets;
        size_t len;
        bool valid;
    } rows[] = {
        {OCTETS(""), true},
        {OCTETS("a: b\r\n"), true},
        {OCTETS("a:\r\n"), true},
        {OCTETS("a: b\r\nc: d\r\n"), true},
        {OCTETS("a: b:c\r\n"), true},
        {OCTETS("a: \xe9\r\n"), true},
        {OCTETS("a: b"), false},
        {OCTETS("a: b\r"), false},
        {OCTETS("a: b\n"), false},
        {OCTETS("\r\n"), false},
        {OCTETS("a: b\r\n\r\n"), false},
        {OCTETS("a: b\r\n\r\nHTTP/1.1 200 OK\r\n"), false},
        {OCTETS("a: b\nc: d\r\n"), false},
        {OCTETS("a: b\rc: d\r\n"), false},
        {OCTETS("a: b\r\r\n"), false},
        {OCTETS("a: b\0c\r\n"), false},
        {OCTETS(": b\r\n"), false},
        {OCTETS("no colon\r\n"), false},
        {OCTETS("a: b\r\nno colon\r\n"), false},
        {OCTETS("a: b\r\nc: d"), false},
    };
    guard page = guard_open(256);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_state.subject = rows[i].octets;
        CHECK_INT(answer_fields_valid(guard_put(&page, rows[i].octets, rows[i].len), rows[i].len), rows[i].valid);
    }
    check_state.subject = NULL;
    CHECK(answer_fields_valid(NULL, 0));
    answer ans;
    CHECK(read_answer(&page,
                      OCTETS("\x94\x05\xcc\xc8\xc4\x08"
                             "a: b\r\n\r\n"
                             "\xa1x"),
                      &ans));
    check_spoiled(&ans);
    guard_close(&page);
}

int main(void) {
    RUN(a_short_answer_is_200_with_a_kind);
    RUN(a_full_answer_has_a_status_and_fields_of_its_own);
    RUN(an_answer_cut_short_anywhere_is_no_answer);
    RUN(what_is_shaped_otherwise_is_no_answer);
    RUN(a_status_or_kind_that_does_not_exist_becomes_a_500);
    RUN(fields_that_could_split_a_response_are_found);
    return check_end();
}
