/* The batch: the record's layout, what fits, and that the bound on a head holds for every request. */
#include "batch.h"

#include <stdlib.h>

#include "guard.h"
#include "rig.h"

static const parser_limits limits = {.request_line_bytes_max = 8192, .header_bytes_max = 65536, .fields_max = 128};

static parser_request parse(const char *octets, size_t len) {
    parser_request request;
    parser_error error;
    CHECK_INT(parser_next((const uint8_t *)octets, len, &limits, &request, &error), len);
    return request;
}

static rig_record only_record(batch *bat) {
    rig bench = {.bat = *bat, .octets = bat->octets};
    CHECK(batch_close(bat) == bat->len);
    return rig_record_at(&bench, 0);
}

static void a_record_holds_what_the_contract_says(void) {
    const char *head = "GET http://h:80/a%20b?c=d HTTP/1.1\r\nHost: h\r\nX-MiXed-42_: V:alue\r\nEmpty:\r\n\r\n";
    const parser_request request = parse(head, strlen(head));
    uint8_t octets[4096];
    uint64_t handles[1];
    batch bat;
    batch_init(&bat, octets, sizeof octets, handles, 1);
    const uint8_t peer[6] = {0x1f, 0x90, 127, 0, 0, 1};
    uint8_t *start = batch_at(&bat);
    batch_push_head(&bat, 0xfedcba9876543210u, (size_t)(batch_write_head(start, &request, peer, sizeof peer) - start));
    const rig_record record = only_record(&bat);
    CHECK(record.handle == 0xfedcba9876543210u && handles[0] == record.handle);
    CHECK_TEXT(record.method.at, record.method.len, "GET");
    CHECK_TEXT(record.path.at, record.path.len, "/a%20b");
    CHECK_TEXT(record.query.at, record.query.len, "c=d");
    CHECK_TEXT(record.fields.at, record.fields.len, "\nhost:h\nx-mixed-42_:V:alue\nempty:\n");
    CHECK_MEM(record.peer.at, record.peer.len, peer, sizeof peer);
    CHECK_TEXT(record.prefix.at, record.prefix.len, "http://h:80");
    CHECK_INT(record.body.len, 0);
}

static void no_query_is_nil_and_an_empty_one_is_not(void) {
    static const char *const heads[] = {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET /? HTTP/1.1\r\nHost: h\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        const parser_request request = parse(heads[i], strlen(heads[i]));
        uint8_t octets[1024];
        uint64_t handles[1];
        batch bat;
        batch_init(&bat, octets, sizeof octets, handles, 1);
        uint8_t *start = batch_at(&bat);
        batch_push_head(&bat, 1, (size_t)(batch_write_head(start, &request, NULL, 0) - start));
        const rig_record record = only_record(&bat);
        CHECK_INT(record.query.at != NULL, i == 1);
        CHECK_INT(record.query.len, 0);
    }
}

static void only_letters_are_lower_cased_in_names(void) {
    const char *head = "GET / HTTP/1.1\r\nHost: h\r\n!#$%&'*+-.^_`|~09AZaz: X\r\n\r\n";
    const parser_request request = parse(head, strlen(head));
    uint8_t octets[1024];
    uint64_t handles[1];
    batch bat;
    batch_init(&bat, octets, sizeof octets, handles, 1);
    uint8_t *start = batch_at(&bat);
    batch_push_head(&bat, 1, (size_t)(batch_write_head(start, &request, NULL, 0) - start));
    const rig_record record = only_record(&bat);
    CHECK_TEXT(record.fields.at, record.fields.len, "\nhost:h\n!#$%&'*+-.^_`|~09azaz:X\n");
}

/* A head of the given number of fields, the shortest that there are or longer ones. */
static size_t make_head(char *out, unsigned fields, unsigned value_len, unsigned path_len) {
    char *at = out;
    at += sprintf(at, "OPTIONS http://h");
    for (unsigned i = 0; i < path_len; i++) {
        *at++ = i == 0 ? '/' : 'p';
    }
    at += sprintf(at, " HTTP/1.1\r\nHost:h\r\n");
    for (unsigned i = 1; i < fields; i++) {
        *at++ = 'n';
        *at++ = ':';
        memset(at, 'v', value_len);
        at += value_len;
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "\r\n");
    return (size_t)(at - out);
}

static void no_head_is_longer_than_its_bound(void) {
    static char head[65536];
    static const unsigned counts[] = {1, 2, 127, 128};
    static const unsigned lens[] = {0, 1, 14, 15, 60, 230};
    const uint8_t peer[18] = {0};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (size_t k = 0; k < sizeof lens / sizeof *lens; k++) {
            const size_t len = make_head(head, counts[i], lens[k], lens[k]);
            const parser_request request = parse(head, len);
            const size_t most = batch_head_max(len, &request) + TERM_ARRAY_HEAD_LEN;
            guard page = guard_open(most); /* whose end is the end of the bound */
            uint64_t handles[1];
            batch bat;
            batch_init(&bat, page.end - most, most, handles, 1);
            CHECK(batch_fits(&bat, most - TERM_ARRAY_HEAD_LEN));
            uint8_t *start = batch_at(&bat);
            batch_push_head(&bat, 1, (size_t)(batch_write_head(start, &request, peer, sizeof peer) - start));
            CHECK(bat.len <= most);
            guard_close(&page);
        }
    }
}

static void a_full_batch_takes_no_more(void) {
    uint8_t octets[1024];
    uint64_t handles[2];
    batch bat;
    batch_init(&bat, octets, sizeof octets, handles, 2);
    const uint8_t head[10] = {0x98};
    for (unsigned i = 0; i < 2; i++) {
        CHECK(batch_open(&bat) && batch_fits(&bat, 100));
        batch_push(&bat, i, head, sizeof head, &(batch_rest){.body = (const uint8_t *)"x", .body_len = 1});
    }
    CHECK(!batch_open(&bat));
    CHECK(!batch_fits(&bat, 1));
    CHECK_INT(bat.needed, 0);
}

static void what_does_not_fit_behind_others_waits_and_what_never_would_asks_for_more(void) {
    uint8_t octets[256];
    uint64_t handles[8];
    batch bat;
    batch_init(&bat, octets, sizeof octets, handles, 8);
    const uint8_t head[10] = {0x98};
    batch_push(&bat, 1, head, sizeof head, &(batch_rest){0});
    CHECK(!batch_fits(&bat, 256));
    CHECK_INT(bat.needed, 0); /* it fits into the next batch, perhaps */
    CHECK(batch_fits(&bat, 200));
    batch_init(&bat, octets, sizeof octets, handles, 8);
    CHECK(batch_fits(&bat, 256 - TERM_ARRAY_HEAD_LEN));
    CHECK(!batch_fits(&bat, 256));
    CHECK_INT(bat.needed, 256 + TERM_ARRAY_HEAD_LEN);
    CHECK(!batch_fits(&bat, 10)); /* a small one must not take the place of the one that asked */
    CHECK_INT(bat.needed, 256 + TERM_ARRAY_HEAD_LEN);
    CHECK(!batch_open(&bat));
    CHECK_INT(batch_close(&bat), 0);
}

int main(void) {
    RUN(a_record_holds_what_the_contract_says);
    RUN(no_query_is_nil_and_an_empty_one_is_not);
    RUN(only_letters_are_lower_cased_in_names);
    RUN(no_head_is_longer_than_its_bound);
    RUN(a_full_batch_takes_no_more);
    RUN(what_does_not_fit_behind_others_waits_and_what_never_would_asks_for_more);
    return check_end();
}
