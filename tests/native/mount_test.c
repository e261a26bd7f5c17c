/* Mounts as a whole: from a request to the octets that are sent, by way of the directory or of the cache. */
#include "faults.h"

#include "mount.h"

#include <time.h>

#include "asking.h"
#include "folder.h"
#include "tinybeam.h"

#define ACCEPT "Accept-Encoding: gzip, br, zstd\r\n"

static mount_table table;
static mount_reply reply;
static mount_clock now;
static char body[FILECACHE_FILE_MAX * 4];
static bool from_cache;

static const mount_options plain = {.index = "index.html"};
static const mount_options coded = {.index = "index.html", .precompressed = true};

static int32_t push(const char *prefix, const mount_options *options) {
    return mount_push(&table, prefix, strlen(prefix), folder_name, options);
}

static int open_fds(void) {
    int count = 0;
    for (int fd = 0; fd < 64; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* Asks for a path, and reads the body from where the reply says. */
static uint32_t ask(const char *method, const char *path, const char *lines) {
    mount *place = mount_find(&table, (const uint8_t *)path, strlen(path));
    if (!CHECK(place != NULL)) {
        return 0;
    }
    const int fds = open_fds();
    mount_answer(&table, place, asking_for(method, lines), (const uint8_t *)path, strlen(path), now, 1, &reply);
    from_cache = reply.content != NULL;
    size_t at = 0;
    for (uint32_t i = 0; i < reply.delivery.segment_count && strcmp(method, "GET") == 0; i++) {
        const delivery_segment *part = &reply.delivery.segments[i];
        const size_t len = (size_t)part->len;
        if (part->framing) {
            memcpy(body + at, reply.delivery.frames + part->offset, len);
        } else if (reply.content != NULL) {
            memcpy(body + at, reply.content + part->offset, len);
        } else {
            CHECK_INT(pread(reply.fd, body + at, len, (off_t)part->offset), len);
        }
        at += len;
    }
    body[at] = '\0';
    if (reply.fd >= 0) {
        struct stat stat;
        CHECK(reply.content == NULL && fstat(reply.fd, &stat) == 0 && locate_is_same(&stat, &reply.stat));
        close(reply.fd);
    }
    CHECK_INT(open_fds(), fds); /* no other was left open */
    return reply.delivery.status;
}

static void check_get(const char *path, const char *lines, uint32_t status, const char *wanted) {
    check_state.subject = path;
    CHECK_INT(ask("GET", path, lines), status);
    CHECK_TEXT(body, strlen(body), wanted);
    check_state.subject = NULL;
}

static bool has_field(const char *line) {
    return memmem(reply.delivery.fields, reply.delivery.fields_len, line, strlen(line)) != NULL;
}

static int fds_before;

/* The clock stands a minute after the files are made, so that they have settled. */
static void set_up(void) {
    folder_open();
    fds_before = open_fds();
    mount_init(&table, 1 << 20, 42);
    now = (mount_clock){.second = time(NULL) + 60, .ms = 5000};
}

static void tear_down(void) {
    mount_deinit(&table);
    CHECK_INT(open_fds(), fds_before);
    folder_close();
}

static void a_file_is_sent_first_from_the_directory_and_then_from_memory(void) {
    set_up();
    folder_write_text("a.txt", "hello");
    CHECK_INT(push("/assets", &plain), TB_OK);
    for (unsigned i = 0; i < 3; i++) {
        check_get("/assets/a.txt", "", 200, "hello");
        CHECK(from_cache && has_field("Content-Type: text/plain; charset=utf-8\r\n") && !has_field("Vary"));
    }
    CHECK_INT(table.cache.count, 1);
    now.second = time(NULL); /* it may be changing still */
    folder_write_text("b.txt", "fresh");
    check_get("/assets/b.txt", "", 200, "fresh");
    CHECK(!from_cache && reply.fd >= 0);
    CHECK_INT(table.cache.count, 1);
    tear_down();
}

static void a_head_and_a_304_leave_no_descriptor_open(void) {
    set_up();
    static uint8_t large[FILECACHE_FILE_MAX + 1];
    folder_write("large.bin", large, sizeof large);
    CHECK_INT(push("", &plain), TB_OK);
    CHECK_INT(ask("HEAD", "/large.bin", ""), 200);
    CHECK_INT(reply.fd, -1);
    CHECK_INT(reply.delivery.body_len, sizeof large);
    char line[128];
    const char *etag = (const char *)memmem(reply.delivery.fields, reply.delivery.fields_len, "ETag: ", 6);
    snprintf(line, sizeof line, "If-None-Match: %.*s\r\n", (int)strcspn(etag + 6, "\r"), etag + 6);
    CHECK_INT(ask("GET", "/large.bin", line), 304);
    CHECK_INT(reply.fd, -1);
    CHECK_INT(ask("GET", "/large.bin", ""), 200);
    CHECK(reply.fd >= 0);
    CHECK_INT(table.cache.count, 0); /* nothing is known of it that is worth keeping */
    tear_down();
}

static void ranges_come_from_memory_and_from_the_file_alike(void) {
    set_up();
    folder_write_text("a.txt", "0123456789");
    static char large[100001];
    for (size_t i = 0; i < sizeof large - 1; i++) {
        large[i] = (char)('0' + i % 10);
    }
    folder_write_text("large.txt", large);
    CHECK_INT(push("", &plain), TB_OK);
    static const char *const paths[] = {"/a.txt", "/large.txt"};
    for (size_t i = 0; i < 2; i++) {
        check_get(paths[i], "Range: bytes=3-5\r\n", 206, "345");
        CHECK_INT(from_cache, i == 0);
        CHECK_INT(ask("GET", paths[i], "Range: bytes=1-2,8-8\r\n"), 206);
        CHECK(strstr(body, "\r\n\r\n12\r\n--") != NULL && strstr(body, "\r\n\r\n8\r\n--") != NULL);
        CHECK_INT(strlen(body), reply.delivery.body_len);
        CHECK_INT(ask("GET", paths[i], "Range: bytes=200000-\r\n"), 416);
    }
    tear_down();
}

static void a_file_that_changed_is_seen_within_a_second(void) {
    set_up();
    folder_write_text("a.txt", "old");
    CHECK_INT(push("", &plain), TB_OK);
    check_get("/a.txt", "", 200, "old");
    folder_write_text("a.txt", "new!");
    now.ms += FILECACHE_FRESH_MS - 1;
    check_get("/a.txt", "", 200, "old");
    now.ms += 1;
    check_get("/a.txt", "", 200, "new!");
    CHECK_INT(unlink(folder_path("a.txt")), 0);
    now.ms += FILECACHE_FRESH_MS;
    check_get("/a.txt", "", 404, "");
    CHECK_INT(table.cache.count, 0);
    folder_write_text("a.txt", "back");
    check_get("/a.txt", "", 200, "back");
    tear_down();
}

static void the_coded_form_that_a_client_wants_is_sent(void) {
    set_up();
    folder_write_text("app.js", "plain");
    folder_write_text("app.js.gz", "gzip");
    folder_write_text("app.js.br", "brotli");
    CHECK_INT(push("", &coded), TB_OK);
    for (unsigned i = 0; i < 3; i++) {
        check_get("/app.js", ACCEPT, 200, "brotli");
        CHECK(from_cache && has_field("Content-Encoding: br\r\n") && has_field("Vary: Accept-Encoding\r\n"));
        CHECK(has_field("Content-Type: text/javascript; charset=utf-8\r\n") && has_field("-br\"\r\n"));
        check_get("/app.js", "Accept-Encoding: gzip, zstd\r\n", 200, "gzip");
        check_get("/app.js", "", 200, "plain");
        CHECK(!has_field("Content-Encoding") && has_field("Vary: Accept-Encoding\r\n"));
        check_get("/app.js", ACCEPT "Range: bytes=0-1\r\n", 206, "br"); /* of the coded octets */
        now.ms += FILECACHE_FRESH_MS;
    }
    CHECK_INT(table.cache.count, 3);
    check_get("/app.js.gz", ACCEPT, 200, "gzip");
    CHECK(has_field("Content-Type: application/gzip\r\n") && !has_field("Content-Encoding"));
    tear_down();
}

static void coded_forms_come_and_go(void) {
    set_up();
    folder_write_text("app.js", "plain");
    CHECK_INT(push("", &coded), TB_OK);
    check_get("/app.js", ACCEPT, 200, "plain");
    folder_write_text("app.js.gz", "gzip");
    now.ms += FILECACHE_FRESH_MS;
    check_get("/app.js", ACCEPT, 200, "gzip");
    check_get("/app.js", ACCEPT, 200, "gzip");
    CHECK_INT(unlink(folder_path("app.js.gz")), 0);
    CHECK_INT(mkdir(folder_path("app.js.gz"), 0755), 0); /* is no form of a file */
    now.ms += FILECACHE_FRESH_MS;
    check_get("/app.js", ACCEPT, 200, "plain");
    CHECK(from_cache && table.cache.hand->siblings == 0);
    tear_down();
}

static void a_coded_form_that_is_older_than_its_file_is_not_sent(void) {
    set_up();
    folder_write_text("app.js", "plain");
    folder_write_text("app.js.gz", "gzip");
    folder_date("app.js", 1000, 500);
    folder_date("app.js.gz", 1000, 500); /* as gzip -k leaves it */
    CHECK_INT(push("", &coded), TB_OK);
    check_get("/app.js", ACCEPT, 200, "gzip");
    folder_write_text("app.js", "newer");
    now.ms += FILECACHE_FRESH_MS;
    check_get("/app.js", ACCEPT, 200, "newer");
    folder_date("app.js", 1000, 501);
    now.ms += FILECACHE_FRESH_MS;
    check_get("/app.js", ACCEPT, 200, "newer");
    tear_down();
}

static void a_large_file_has_small_coded_forms_in_memory(void) {
    static char large[FILECACHE_FILE_MAX + 2];
    memset(large, 'x', sizeof large - 1);
    set_up();
    folder_write_text("app.js", large);
    folder_write_text("app.js.br", "brotli");
    CHECK_INT(push("", &coded), TB_OK);
    check_get("/app.js", ACCEPT, 200, "brotli");
    check_get("/app.js", ACCEPT, 200, "brotli");
    CHECK(from_cache);
    check_get("/app.js", "", 200, large);
    CHECK(!from_cache);
    CHECK_INT(table.cache.count, 2);
    CHECK_INT(unlink(folder_path("app.js.br")), 0);
    folder_write_text("app.js.gz", large);
    now.ms += FILECACHE_FRESH_MS;
    check_get("/app.js", ACCEPT, 200, large);
    CHECK(!from_cache && has_field("Content-Encoding: gzip\r\n"));
    tear_down();
}

static void without_a_cache_everything_is_the_same(void) {
    set_up();
    mount_deinit(&table);
    mount_init(&table, 0, 42);
    folder_write_text("app.js", "plain");
    folder_write_text("app.js.gz", "gzip");
    CHECK_INT(push("", &coded), TB_OK);
    check_get("/app.js", ACCEPT, 200, "gzip");
    CHECK(!from_cache);
    check_get("/app.js", "", 200, "plain");
    CHECK(!from_cache);
    tear_down();
}

static void directories_and_what_is_not_there(void) {
    set_up();
    folder_make("sub");
    folder_write_text("sub/index.html", "<sub>");
    CHECK_INT(push("/s", &plain), TB_OK);
    check_get("/s/sub/", "", 200, "<sub>");
    CHECK(has_field("Content-Type: text/html; charset=utf-8\r\n"));
    check_get("/s/sub", "", 301, "");
    check_get("/s", "", 301, "");
    check_get("/s/", "", 404, "");
    check_get("/s/../s/sub/", "", 404, "");
    CHECK_INT(reply.delivery.fields_len, 0);
    tear_down();
}

static void the_fields_of_a_mount_are_on_all_that_is_about_a_file(void) {
    set_up();
    folder_write_text("a.txt", "hello");
    static const char fields[] = "Cache-Control: public, max-age=31536000, immutable\r\n";
    const mount_options options = {.fields = fields, .fields_len = sizeof fields - 1};
    CHECK_INT(push("", &options), TB_OK);
    check_get("/a.txt", "", 200, "hello");
    CHECK(has_field(fields));
    check_get("/a.txt", "Range: bytes=0-0\r\n", 206, "h");
    CHECK(has_field(fields));
    check_get("/a.txt", "If-None-Match: *\r\n", 304, "");
    CHECK(has_field(fields));
    check_get("/a.txt", "If-Match: \"x\"\r\n", 412, "");
    CHECK(!has_field("Cache-Control"));
    check_get("/a.txt", "Range: bytes=9-\r\n", 416, "");
    CHECK(!has_field("Cache-Control"));
    check_get("/b.txt", "", 404, "");
    CHECK(!has_field("Cache-Control"));
    tear_down();
}

static void the_longest_prefix_wins_and_ends_where_a_component_does(void) {
    set_up();
    static const char *const prefixes[] = {"/a", "/a/b", "/ab"};
    for (size_t i = 0; i < 3; i++) {
        CHECK_INT(push(prefixes[i], &plain), TB_OK);
    }
    static const struct {
        const char *path;
        int wanted;
    } cases[] = {{"/a", 0},     {"/a/", 0},   {"/a/x", 0},  {"/a/bc", 0}, {"/a/b", 1},
                 {"/a/b/c", 1}, {"/ab", 2},   {"/ab/x", 2}, {"/abc", -1}, {"/", -1},
                 {"/A", -1},    {"/%61", -1}, {"/b/a", -1}, {"//a", -1},  {"/a%2fb", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_state.subject = cases[i].path;
        const mount *place = mount_find(&table, (const uint8_t *)cases[i].path, strlen(cases[i].path));
        CHECK_INT(place == NULL ? -1 : place - table.items, cases[i].wanted);
    }
    CHECK_INT(push("", &plain), TB_OK);
    CHECK(mount_find(&table, (const uint8_t *)"/abc", 4) == &table.items[3]);
    CHECK(mount_find(&table, (const uint8_t *)"*", 1) == NULL);
    tear_down();
}

static void mounts_do_not_share_what_they_keep(void) {
    set_up();
    folder_write_text("a.txt", "hello");
    const mount_options other = {.fields = "X: y\r\n", .fields_len = 6};
    CHECK_INT(push("/a", &plain), TB_OK);
    CHECK_INT(push("/b", &other), TB_OK);
    check_get("/a/a.txt", "", 200, "hello");
    check_get("/b/a.txt", "", 200, "hello");
    CHECK(has_field("X: y\r\n"));
    check_get("/a/a.txt", "", 200, "hello");
    CHECK(!has_field("X: y\r\n"));
    tear_down();
}

static void wrong_mounts_are_refused(void) {
    static char long_fields[ASSET_OPTION_FIELDS_MAX + 8];
    set_up();
    folder_write_text("file", "x");
    CHECK_INT(push("/a", &plain), TB_OK);
    static const char *const prefixes[] = {"/a", "a", "/", "/b/", "//b", "/b//c"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        check_state.subject = prefixes[i];
        CHECK_INT(push(prefixes[i], &plain), TB_EINVAL);
    }
    check_state.subject = NULL;
    memset(long_fields, 'x', sizeof long_fields);
    memcpy(long_fields, "X: ", 3);
    memcpy(long_fields + ASSET_OPTION_FIELDS_MAX, "\r\n", 2);
    const mount_options wrong[] = {
        {.index = "a/b"},
        {.index = ".."},
        {.index = ""},
        {.fields = "X: y", .fields_len = 4},
        {.fields = "X: y\n", .fields_len = 5},
        {.fields = "X\r\n", .fields_len = 3},
        {.fields = long_fields, .fields_len = ASSET_OPTION_FIELDS_MAX + 2},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_INT(push("/w", &wrong[i]), TB_EINVAL);
    }
    CHECK_INT(mount_push(&table, "/w", 2, folder_path("file"), &plain), TB_ESYSTEM - ENOTDIR);
    CHECK_INT(mount_push(&table, "/w", 2, folder_path("nothing"), &plain), TB_ESYSTEM - ENOENT);
    for (faults.fails_at = 1; faults.fails_at <= 2; faults.fails_at++) {
        atomic_store(&faults.allocations, 0);
        CHECK_INT(push("/w", &plain), TB_ENOMEM);
    }
    faults.fails_at = 0;
    CHECK_INT(table.count, 1);
    tear_down();
}

static void without_memory_files_are_sent_all_the_same(void) {
    set_up();
    folder_write_text("app.js", "plain");
    folder_write_text("app.js.gz", "gzip");
    CHECK_INT(push("", &coded), TB_OK);
    faults.dry = true;
    check_get("/app.js", ACCEPT, 200, "gzip");
    CHECK(!from_cache);
    check_get("/app.js", "", 200, "plain");
    faults.dry = false;
    check_get("/app.js", "", 200, "plain");
    CHECK(from_cache);
    tear_down();
}

static void a_location_is_the_path_with_a_slash_and_the_query(void) {
    static const struct {
        const char *path;
        const char *query;
        const char *wanted;
    } cases[] = {{"/a", NULL, "Location: /a/\r\n"},
                 {"/a%20b", "", "Location: /a%20b/?\r\n"},
                 {"/a", "b=c", "Location: /a/?b=c\r\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t line[64];
        const parser_request request = {.path = (const uint8_t *)cases[i].path,
                                        .path_len = (uint32_t)strlen(cases[i].path),
                                        .query = (const uint8_t *)cases[i].query,
                                        .query_len = cases[i].query == NULL ? 0 : (uint32_t)strlen(cases[i].query)};
        const size_t len = (size_t)(mount_write_location(line, &request) - line);
        CHECK_TEXT(line, len, cases[i].wanted);
        CHECK(len <= mount_location_max(&request));
    }
}

int main(void) {
    RUN(a_file_is_sent_first_from_the_directory_and_then_from_memory);
    RUN(a_head_and_a_304_leave_no_descriptor_open);
    RUN(ranges_come_from_memory_and_from_the_file_alike);
    RUN(a_file_that_changed_is_seen_within_a_second);
    RUN(the_coded_form_that_a_client_wants_is_sent);
    RUN(coded_forms_come_and_go);
    RUN(a_coded_form_that_is_older_than_its_file_is_not_sent);
    RUN(a_large_file_has_small_coded_forms_in_memory);
    RUN(without_a_cache_everything_is_the_same);
    RUN(directories_and_what_is_not_there);
    RUN(the_fields_of_a_mount_are_on_all_that_is_about_a_file);
    RUN(the_longest_prefix_wins_and_ends_where_a_component_does);
    RUN(mounts_do_not_share_what_they_keep);
    RUN(wrong_mounts_are_refused);
    RUN(without_memory_files_are_sent_all_the_same);
    RUN(a_location_is_the_path_with_a_slash_and_the_query);
    return check_end();
}
