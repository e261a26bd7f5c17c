/* Hot small files: found while they are the same, never more than fit, and none that changes. */
#include "faults.h"

#include "filecache.h"

#include "folder.h"

enum { LATER = 1000 }; /* seconds after the files were made, when they have settled */

static filecache cache;
static uint8_t fields[ASSET_FIELDS_MAX];

typedef struct opened {
    int fd;
    struct stat stat;
    asset file;
    filecache_source source;
} opened;

static filecache_key key_of(const char *path, uint32_t mount, coding which) {
    return (filecache_key){.path = (const uint8_t *)path, .path_len = strlen(path), .mount = mount, .coding = which};
}

/* A file of the folder, ready to be pushed. */
static void open_file(opened *it, const char *name, int64_t later) {
    it->fd = open(folder_path(name), O_RDONLY);
    CHECK(it->fd >= 0 && fstat(it->fd, &it->stat) == 0);
    const int64_t now = it->stat.st_ctim.tv_sec + later;
    const asset_source made_of = {.stat = &it->stat, .name = name, .name_len = strlen(name), .coding = CODING_IDENTITY};
    asset_init(&it->file, fields, &made_of, now);
    it->source = (filecache_source){.fd = it->fd,
                                    .stat = &it->stat,
                                    .name = name,
                                    .name_len = strlen(name),
                                    .file = &it->file,
                                    .siblings = 5,
                                    .now = now,
                                    .now_ms = 10};
}

static filecache_entry *push_as(const char *path, const char *name, int64_t later) {
    opened it;
    open_file(&it, name, later);
    const filecache_key key = key_of(path, 1, CODING_IDENTITY);
    filecache_entry *entry = filecache_push(&cache, &key, &it.source);
    close(it.fd);
    return entry;
}

static filecache_entry *push(const char *name) {
    return push_as(name, name, LATER);
}

static filecache_entry *find(const char *path) {
    const filecache_key key = key_of(path, 1, CODING_IDENTITY);
    return filecache_find(&cache, &key);
}

static void set_up(size_t bytes_max) {
    folder_open();
    filecache_init(&cache, bytes_max, 0x9e3779b97f4a7c15u);
}

static void tear_down(void) {
    filecache_deinit(&cache);
    CHECK_INT(cache.bytes, 0);
    CHECK_INT(cache.count, 0);
    folder_close();
}

static void a_file_is_found_with_its_fields_and_content(void) {
    set_up(1 << 20);
    folder_write_text("a.txt", "hello");
    folder_write_text("none", "");
    CHECK(find("a.txt") == NULL);
    CHECK(push("a.txt") != NULL && push("none") != NULL);
    memset(fields, '?', sizeof fields);
    const filecache_entry *entry = find("a.txt");
    if (CHECK(entry != NULL)) {
        CHECK_TEXT(entry->content, entry->file.length, "hello");
        CHECK_INT(strcmp(entry->name, "a.txt"), 0);
        CHECK_INT(memcmp(entry->file.fields, "ETag: \"", 7), 0);
        CHECK_INT(entry->siblings, 5);
    }
    entry = find("none");
    CHECK(entry != NULL && entry->content != NULL && entry->file.length == 0);
    tear_down();
}

static void what_is_only_similar_is_not_found(void) {
    set_up(1 << 20);
    folder_write_text("a", "1");
    CHECK(push("a") != NULL);
    const filecache_key others[] = {key_of("", 1, CODING_IDENTITY), key_of("aa", 1, CODING_IDENTITY),
                                    key_of("a", 2, CODING_IDENTITY), key_of("a", 1, CODING_GZIP)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK(filecache_find(&cache, &others[i]) == NULL);
    }
    tear_down();
}

static void an_entry_is_due_after_a_second_and_confirmed_while_nothing_changed(void) {
    set_up(1 << 20);
    folder_write_text("a", "1");
    filecache_entry *entry = push("a");
    struct stat now = entry->stat;
    CHECK(!filecache_is_due(entry, 10) && !filecache_is_due(entry, 1009) && filecache_is_due(entry, 1010));
    CHECK(filecache_confirm(entry, &now, 1010));
    CHECK(!filecache_is_due(entry, 2009) && filecache_is_due(entry, 2010));
    now.st_size++;
    CHECK(!filecache_confirm(entry, &now, 1010));
    now = entry->stat;
    now.st_mtim.tv_nsec++;
    CHECK(!filecache_confirm(entry, &now, 1010));
    now = entry->stat;
    now.st_ctim.tv_sec++;
    CHECK(!filecache_confirm(entry, &now, 1010));
    now = entry->stat;
    now.st_ino++;
    CHECK(!filecache_confirm(entry, &now, 1010));
    now = entry->stat;
    now.st_dev++;
    CHECK(!filecache_confirm(entry, &now, 1010));
    filecache_drop(&cache, entry);
    CHECK(find("a") == NULL);
    tear_down();
}

static void a_file_that_just_changed_is_not_kept(void) {
    set_up(1 << 20);
    folder_write_text("a", "1");
    CHECK(push_as("a", "a", 0) == NULL && push_as("a", "a", 2) == NULL && push_as("a", "a", -5) == NULL);
    CHECK(push_as("a", "a", 3) != NULL);
    folder_date("a", 1 << 30, 0); /* an old date does not hide it: the other time tells */
    CHECK(push_as("b", "a", 2) == NULL);
    tear_down();
}

static void a_file_that_changes_while_it_is_read_is_not_kept(void) {
    set_up(1 << 20);
    opened it;
    const filecache_key key = key_of("a", 1, CODING_IDENTITY);
    folder_write_text("a", "12345");
    open_file(&it, "a", LATER);
    CHECK_INT(truncate(folder_path("a"), 3), 0); /* shorter than stat said */
    CHECK(filecache_push(&cache, &key, &it.source) == NULL);
    close(it.fd);
    folder_write_text("a", "12345");
    folder_date("a", 1000, 0);
    open_file(&it, "a", LATER);
    folder_write_text("a", "54321"); /* as long as before */
    CHECK(filecache_push(&cache, &key, &it.source) == NULL);
    close(it.fd);
    folder_write_text("a", "12345");
    open_file(&it, "a", LATER);
    folder_write_text("a", "123456");
    CHECK(filecache_push(&cache, &key, &it.source) == NULL);
    close(it.fd);
    CHECK_INT(cache.count, 0);
    tear_down();
}

static void a_large_file_is_known_without_its_content(void) {
    static uint8_t octets[FILECACHE_FILE_MAX + 1];
    set_up(1 << 20);
    folder_write("largest", octets, FILECACHE_FILE_MAX);
    folder_write("larger", octets, FILECACHE_FILE_MAX + 1);
    const filecache_entry *entry = push("largest");
    CHECK(entry != NULL && entry->content != NULL);
    entry = push("larger");
    CHECK(entry != NULL && entry->content == NULL && entry->file.length == FILECACHE_FILE_MAX + 1);
    CHECK(entry->bytes < 2000 && strcmp(entry->name, "larger") == 0);
    tear_down();
}

static void a_file_that_cannot_be_read_is_not_kept(void) {
    set_up(1 << 20);
    opened it;
    folder_write_text("a", "1");
    open_file(&it, "a", LATER);
    const filecache_key key = key_of("a", 1, CODING_IDENTITY);
    close(it.fd);
    CHECK(filecache_push(&cache, &key, &it.source) == NULL);
    tear_down();
}

static void there_are_never_more_octets_than_were_given(void) {
    enum { MOST = 40000 };
    static uint8_t octets[MOST];
    char path[32];
    set_up(MOST);
    folder_write("a", octets, 1000);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(path, sizeof path, "%u", i);
        CHECK(push_as(path, "a", LATER) != NULL);
        CHECK(cache.bytes <= MOST);
        CHECK(find(path) != NULL);
    }
    CHECK(cache.count >= 20 && cache.count <= 40);
    folder_write("b", octets, MOST - 100);
    CHECK(push("b") == NULL); /* with what stands around it, it does not fit at all; the others stay */
    CHECK(cache.count >= 20);
    folder_write("c", octets, MOST - 2000);
    CHECK(push("c") != NULL && cache.count <= 3);
    CHECK(cache.bytes <= MOST);
    tear_down();
}

static void a_scan_of_many_files_does_not_drive_out_the_hot_ones(void) {
    char path[32];
    set_up(50000);
    folder_write_text("hot", "h");
    folder_write_text("cold", "c");
    CHECK(push("hot") != NULL);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(path, sizeof path, "%u", i);
        CHECK(push_as(path, "cold", LATER) != NULL);
        if (i % 20 == 0 && !CHECK(find("hot") != NULL)) {
            break;
        }
    }
    tear_down();
}

static void entries_go_in_any_order(void) {
    enum { COUNT = 300 };
    char path[32];
    set_up(1 << 20);
    folder_write_text("a", "1");
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "%u", i);
        CHECK(push_as(path, "a", LATER) != NULL);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(path, sizeof path, "%u", i * 7 % COUNT);
        filecache_entry *entry = find(path);
        if (CHECK(entry != NULL)) {
            filecache_drop(&cache, entry);
            CHECK(find(path) == NULL);
        }
    }
    CHECK_INT(cache.bytes, 0);
    CHECK(cache.hand == NULL);
    CHECK(push("a") != NULL && find("a") != NULL);
    tear_down();
}

static void without_memory_nothing_is_kept(void) {
    set_up(1 << 20);
    folder_write_text("a", "1");
    opened it;
    open_file(&it, "a", LATER);
    const filecache_key key = key_of("a", 1, CODING_IDENTITY);
    faults.dry = true;
    CHECK(filecache_push(&cache, &key, &it.source) == NULL); /* no table */
    faults.dry = false;
    filecache_drop(&cache, filecache_push(&cache, &key, &it.source));
    faults.dry = true;
    CHECK(filecache_push(&cache, &key, &it.source) == NULL); /* no entry */
    faults.dry = false;
    CHECK(filecache_push(&cache, &key, &it.source) != NULL);
    close(it.fd);
    tear_down();
}

static void a_cache_of_nothing_keeps_nothing(void) {
    set_up(0);
    folder_write_text("a", "1");
    CHECK(push("a") == NULL && find("a") == NULL);
    CHECK(cache.buckets == NULL);
    tear_down();
}

int main(void) {
    RUN(a_file_is_found_with_its_fields_and_content);
    RUN(what_is_only_similar_is_not_found);
    RUN(an_entry_is_due_after_a_second_and_confirmed_while_nothing_changed);
    RUN(a_file_that_just_changed_is_not_kept);
    RUN(a_file_that_changes_while_it_is_read_is_not_kept);
    RUN(a_large_file_is_known_without_its_content);
    RUN(a_file_that_cannot_be_read_is_not_kept);
    RUN(there_are_never_more_octets_than_were_given);
    RUN(a_scan_of_many_files_does_not_drive_out_the_hot_ones);
    RUN(entries_go_in_any_order);
    RUN(without_memory_nothing_is_kept);
    RUN(a_cache_of_nothing_keeps_nothing);
    return check_end();
}
