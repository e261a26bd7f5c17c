/* What a request for a file gets: every status, its fields, and the segments of its body. */
#include "delivery.h"

#include "answer.h"
#include "asking.h"
#include "mime.h"

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define LASTING "Cache-Control: x\r\nETag: \"ae1b981bc490a05-64\"\r\nLast-Modified: " DATE "\r\n"
#define RANGES LASTING "Accept-Ranges: bytes\r\n"
#define WHOLE RANGES "Content-Type: text/plain; charset=utf-8\r\n"
#define ETAG "\"ae1b981bc490a05-64\""

enum { LENGTH = 100, NOW = 1700000000 };

static uint8_t octets[ASSET_FIELDS_MAX];
static delivery del;

static asset make_asset(off_t length) {
    const struct stat stat = {.st_mtim = {.tv_sec = 784111777, .tv_nsec = 5}, .st_size = length};
    const asset_source source = {.stat = &stat,
                                 .name = "a.txt",
                                 .name_len = 5,
                                 .coding = CODING_IDENTITY,
                                 .fields = (const uint8_t *)"Cache-Control: x\r\n",
                                 .fields_len = 18};
    asset file;
    asset_init(&file, octets, &source, NOW);
    return file;
}

static void deliver(const char *method, const char *lines, off_t length) {
    const asset file = make_asset(length);
    memset(&del, 0xa5, sizeof del); /* so that nothing is right by chance */
    delivery_init(&del, asking_for(method, lines), &file, NOW, 0x123);
    CHECK(answer_fields_valid(del.fields, del.fields_len));
    uint64_t sum = 0;
    for (uint32_t i = 0; i < del.segment_count; i++) {
        const delivery_segment *part = &del.segments[i];
        CHECK(part->len > 0 && part->offset + part->len <= (part->framing ? del.frames_len : (uint64_t)length));
        sum += part->len;
    }
    CHECK_INT(del.body_len, sum);
}

/* The body as it goes on the wire, of a file of which octet n is '0' + n % 10. */
static const char *body(void) {
    static char text[8192];
    size_t at = 0;
    for (uint32_t i = 0; i < del.segment_count; i++) {
        for (uint64_t k = 0; k < del.segments[i].len; k++) {
            const uint64_t place = del.segments[i].offset + k;
            text[at++] = del.segments[i].framing ? (char)del.frames[place] : (char)('0' + place % 10);
        }
    }
    text[at] = '\0';
    return text;
}

static void check_delivery(uint32_t status, const char *fields, uint64_t body_len) {
    CHECK_INT(del.status, status);
    CHECK_TEXT(del.fields, del.fields_len, fields);
    CHECK_INT(del.body_len, body_len);
}

static void a_get_gets_the_whole_file(void) {
    deliver("GET", "", LENGTH);
    check_delivery(200, WHOLE, LENGTH);
    CHECK_INT(del.segment_count, 1);
    deliver("GET", "", (off_t)1 << 60);
    CHECK_INT(del.body_len, (off_t)1 << 60);
}

static void a_head_is_told_the_same(void) {
    deliver("HEAD", "Range: bytes=0-1\r\n", LENGTH);
    check_delivery(200, WHOLE, LENGTH);
    deliver("HEAD", "If-None-Match: " ETAG "\r\n", LENGTH);
    check_delivery(304, LASTING, 0);
}

static void an_empty_file_has_no_segments(void) {
    deliver("GET", "Range: bytes=0-\r\n", 0);
    CHECK_INT(del.status, 200);
    CHECK_INT(del.segment_count, 0);
}

static void one_range_is_a_part(void) {
    deliver("GET", "Range: bytes=98-\r\n", LENGTH);
    check_delivery(206, WHOLE "Content-Range: bytes 98-99/100\r\n", 2);
    CHECK_INT(strcmp(body(), "89"), 0);
    deliver("GET", "Range: bytes=0-5,3-9\r\n", LENGTH); /* which are one */
    check_delivery(206, WHOLE "Content-Range: bytes 0-9/100\r\n", 10);
    deliver("GET", "Range: bytes=5-5,300-\r\n", LENGTH); /* of which one is there */
    check_delivery(206, WHOLE "Content-Range: bytes 5-5/100\r\n", 1);
    CHECK_INT(del.segment_count, 1);
}

static void many_ranges_are_parts_in_frames(void) {
    deliver("GET", "Range: bytes=0-2,10-10,-1\r\n", LENGTH);
    static const char wanted[] = "--0000000000000123\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Range: bytes 0-2/100\r\n\r\n012\r\n"
                                 "--0000000000000123\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Range: bytes 10-10/100\r\n\r\n0\r\n"
                                 "--0000000000000123\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Range: bytes 99-99/100\r\n\r\n9\r\n"
                                 "--0000000000000123--\r\n";
    check_delivery(206, RANGES "Content-Type: multipart/byteranges; boundary=0000000000000123\r\n", sizeof wanted - 1);
    CHECK_TEXT(body(), del.body_len, wanted);
}

static void the_most_and_longest_parts_fit(void) {
    char lines[2048] = "Range: bytes=";
    for (uint64_t i = 0; i < RANGE_PARTS_MAX; i++) {
        sprintf(lines + strlen(lines), "%s%llu-%llu", i == 0 ? "" : ",",
                (unsigned long long)(9000000000000000000u + i * 10),
                (unsigned long long)(9000000000000000000u + i * 10 + 1));
    }
    strcat(lines, "\r\n");
    deliver("GET", lines, INT64_MAX);
    CHECK_INT(del.status, 206);
    CHECK_INT(del.segment_count, 2 * RANGE_PARTS_MAX + 1);
    asset file = make_asset(INT64_MAX);
    char type[MIME_TYPE_MAX + 1];
    memset(type, 't', MIME_TYPE_MAX);
    type[MIME_TYPE_MAX] = '\0';
    file.type = type;
    delivery_init(&del, &asking.want, &file, NOW, UINT64_MAX);
    CHECK_INT(del.segment_count, 2 * RANGE_PARTS_MAX + 1);
    CHECK(del.frames_len <= sizeof del.frames);
}

static void ranges_beyond_the_end_are_told_the_length(void) {
    deliver("GET", "Range: bytes=100-\r\n", LENGTH);
    check_delivery(416, "Accept-Ranges: bytes\r\nContent-Range: bytes */100\r\n", 0);
    CHECK_INT(del.segment_count, 0);
}

static void ranges_that_do_not_count_get_the_whole_file(void) {
    static const char *const lines[] = {
        "Range: bytes=5-4\r\n",
        "Range: items=0-1\r\n",
        "Range: bytes=0-1\r\nRange: bytes=3-4\r\n",
        "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n",
        "Range: bytes=200-\r\nIf-Range: \"other\"\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        check_state.subject = lines[i];
        deliver("GET", lines[i], LENGTH);
        check_delivery(200, WHOLE, LENGTH);
    }
}

static void preconditions_come_before_ranges(void) {
    deliver("GET", "If-None-Match: " ETAG "\r\nRange: bytes=200-\r\n", LENGTH);
    check_delivery(304, LASTING, 0);
    deliver("GET", "If-Match: \"other\"\r\nRange: bytes=0-1\r\n", LENGTH);
    check_delivery(412, "", 0); /* which no cache may keep for as long as the file */
    deliver("GET", "If-Range: " ETAG "\r\nRange: bytes=0-1\r\n", LENGTH);
    CHECK_INT(del.status, 206);
    deliver("GET", "If-Modified-Since: " DATE "\r\n", LENGTH);
    check_delivery(304, LASTING, 0);
}

int main(void) {
    RUN(a_get_gets_the_whole_file);
    RUN(a_head_is_told_the_same);
    RUN(an_empty_file_has_no_segments);
    RUN(one_range_is_a_part);
    RUN(many_ranges_are_parts_in_frames);
    RUN(the_most_and_longest_parts_fit);
    RUN(ranges_beyond_the_end_are_told_the_length);
    RUN(ranges_that_do_not_count_get_the_whole_file);
    RUN(preconditions_come_before_ranges);
    return check_end();
}
