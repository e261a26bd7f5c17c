/* Invariant: whatever octets are read as answers, nothing beyond them is read, and no answer can split a response.
 *
 * Owns:  a second reading of the fields of every answer that was let through.
 * Knows: answer.h, term.h, response.h.
 * Never: a valid input only: anything may come over the border.
 */
#include "answer.h"

#include "fuzz.h"
#include "response.h"
#include "tinybeam.h"

/* Lines of "name: value" CRLF, and nothing that could end the head. */
static void check_fields(const uint8_t *fields, size_t len) {
    size_t line = 0;
    bool colon = false;
    for (size_t i = 0; i < len; i++) {
        const uint8_t octet = fields[i];
        FUZZ_CHECK(octet != 0);
        colon = colon || octet == ':';
        if (octet == '\r') {
            FUZZ_CHECK(i > line && colon && i + 1 < len && fields[i + 1] == '\n');
            i++;
            line = i + 1;
            colon = false;
        } else {
            FUZZ_CHECK(octet != '\n');
        }
    }
    FUZZ_CHECK(line == len);
}

static void check_answer(const answer *ans, const uint8_t *octets, size_t len) {
    FUZZ_CHECK(ans->body_len == 0 || (ans->body >= octets && ans->body + ans->body_len <= octets + len));
    check_fields(ans->fields, ans->fields_len);
    if (ans->kind == TB_KIND_CONTINUE) {
        FUZZ_CHECK(ans->status == 100 && ans->fields_len == 0 && ans->body_len == 0);
        return;
    }
    if (answer_is_part(ans)) {
        FUZZ_CHECK(ans->fields_len == 0 && ans->status == 0);
        if (ans->kind == TB_KIND_END || ans->kind == TB_KIND_HINTS) {
            check_fields(ans->body, ans->body_len);
        }
        return;
    }
    if (ans->kind == TB_KIND_STREAM) {
        FUZZ_CHECK(ans->status >= 200 && ans->status <= 599 && ans->body_len == 0);
        return;
    }
    FUZZ_CHECK((ans->status >= 200 && ans->status <= 599) || ans->status == 101);
    FUZZ_CHECK(ans->kind < RESPONSE_KINDS && (ans->kind == 0 || ans->status == 200));
}

/* The head that is written for it is as long as was said at most, and has one empty line, at its end. */
static void check_head(const answer *ans) {
    response_clock clock = {0};
    response_tick(&clock, 1700000000);
    const response res = {.status = ans->status,
                          .kind = ans->kind,
                          .fields = ans->fields,
                          .fields_len = ans->fields_len,
                          .body_len = ans->body_len,
                          .connection = RESPONSE_CLOSE};
    const size_t most = response_head_max(&res);
    uint8_t *head = malloc(most + 1);
    FUZZ_CHECK(head != NULL);
    const size_t len = (size_t)(response_write_head(head, &clock, &res) - head);
    FUZZ_CHECK(len <= most);
    head[len] = '\0';
    const char *end = strstr((const char *)head, "\r\n\r\n");
    FUZZ_CHECK(end != NULL && end == (const char *)head + len - 4);
    free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    uint8_t *copy = fuzz_copy(octets, len);
    term_reader reader = {.at = copy, .end = copy + len};
    uint32_t count;
    if (term_next_array(&reader, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            answer ans = {0};
            if (!answer_next(&reader, &ans)) {
                break;
            }
            FUZZ_CHECK(reader.at <= reader.end);
            check_answer(&ans, copy, len);
            if (ans.kind < TB_KIND_CONTINUE) {
                check_head(&ans);
            }
        }
    }
    free(copy);
    return 0;
}
