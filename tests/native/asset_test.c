/* A file as its clients see it: the validators, and which fields each answer has. */
#include "asset.h"

#include "answer.h"
#include "check.h"

static uint8_t octets[ASSET_FIELDS_MAX];

static asset make_asset(int64_t second, long nanosecond, off_t size, coding which, bool negotiated,
                        const char *fields) {
    const struct stat stat = {.st_mtim = {.tv_sec = second, .tv_nsec = nanosecond}, .st_size = size};
    const asset_source source = {.stat = &stat,
                                 .name = "a/b.css",
                                 .name_len = 7,
                                 .coding = which,
                                 .negotiated = negotiated,
                                 .fields = (const uint8_t *)fields,
                                 .fields_len = strlen(fields)};
    asset file;
    memset(octets, '?', sizeof octets);
    asset_init(&file, octets, &source, 1700000000);
    CHECK(answer_fields_valid(file.fields, file.fields_len));
    return file;
}

static void the_fields_of_a_plain_file(void) {
    const asset file = make_asset(784111777, 5, 26, CODING_IDENTITY, false, "");
    CHECK_TEXT(file.fields, file.fields_len,
               "ETag: \"ae1b981bc490a05-1a\"\r\n"
               "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
               "Accept-Ranges: bytes\r\n"
               "Content-Type: text/css; charset=utf-8\r\n");
    CHECK_TEXT(file.fields + file.etag_at, file.etag_len, "\"ae1b981bc490a05-1a\"");
    CHECK_INT(file.length, 26);
    CHECK_INT(file.modified, 784111777);
}

static void the_fields_of_a_coded_one_and_where_they_are_cut(void) {
    const asset file = make_asset(784111777, 5, 26, CODING_BR, true, "Cache-Control: no-cache\r\n");
    static const char lasting[] = "Cache-Control: no-cache\r\n"
                                  "Vary: Accept-Encoding\r\n"
                                  "ETag: \"ae1b981bc490a05-1a-br\"\r\n"
                                  "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    static const char multipart[] = "Accept-Ranges: bytes\r\nContent-Encoding: br\r\n";
    CHECK_TEXT(file.fields, file.lasting_len, lasting);
    CHECK_TEXT(file.fields + file.lasting_len, file.multipart_len - file.lasting_len, multipart);
    CHECK_TEXT(file.fields + file.multipart_len, file.fields_len - file.multipart_len,
               "Content-Type: text/css; charset=utf-8\r\n");
    CHECK_TEXT(file.fields + file.etag_at, file.etag_len, "\"ae1b981bc490a05-1a-br\"");
}

static void every_difference_shows_in_the_etag(void) {
    char tags[6][ASSET_ETAG_MAX] = {""};
    for (unsigned i = 0; i < 6; i++) {
        const coding which = i == 3 ? CODING_GZIP : i == 4 ? CODING_ZSTD : CODING_IDENTITY;
        const asset file = make_asset(i == 5 ? 1001 : 1000, i == 1, i == 2 ? 11 : 10, which, false, "");
        memcpy(tags[i], file.fields + file.etag_at, file.etag_len);
        for (unsigned k = 0; k < i; k++) {
            CHECK(strcmp(tags[i], tags[k]) != 0);
        }
    }
}

static void a_file_from_the_future_is_of_now(void) {
    const asset file = make_asset(1700000001, 0, 1, CODING_IDENTITY, false, "");
    CHECK_INT(file.modified, 1700000000);
    CHECK(memmem(file.fields, file.fields_len, "Tue, 14 Nov 2023 22:13:20 GMT", 29) != NULL);
    CHECK_INT(make_asset(-1, 999999999, 1, CODING_IDENTITY, false, "").modified, -1);
}

static void the_longest_of_everything_fits(void) {
    char fields[ASSET_OPTION_FIELDS_MAX + 1];
    memset(fields, 'x', sizeof fields);
    memcpy(fields, "X: ", 3);
    memcpy(fields + ASSET_OPTION_FIELDS_MAX - 2, "\r\n", 3);
    const struct stat stat = {.st_mtim = {.tv_sec = INT64_MAX, .tv_nsec = 999999999}, .st_size = INT64_MAX};
    const asset_source source = {.stat = &stat,
                                 .name = "a.pptx",
                                 .name_len = 6,
                                 .coding = CODING_GZIP,
                                 .negotiated = true,
                                 .fields = (const uint8_t *)fields,
                                 .fields_len = ASSET_OPTION_FIELDS_MAX};
    asset file;
    asset_init(&file, octets, &source, INT64_MAX);
    CHECK(file.fields_len <= ASSET_FIELDS_MAX && answer_fields_valid(file.fields, file.fields_len));
}

int main(void) {
    RUN(the_fields_of_a_plain_file);
    RUN(the_fields_of_a_coded_one_and_where_they_are_cut);
    RUN(every_difference_shows_in_the_etag);
    RUN(a_file_from_the_future_is_of_now);
    RUN(the_longest_of_everything_fits);
    return check_end();
}
