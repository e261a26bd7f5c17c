/* Files as answers of handlers: what is opened, what is sent of it, and that no descriptor stays behind. */
#include "parcel.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "folder.h"
#include "shipment.h"

enum { LARGE = 1024 * 1024 };

static conn_room room;

static void open_folder(void) {
    char *large = malloc(LARGE);
    memset(large, 'L', LARGE);
    folder_open();
    folder_make("sub");
    folder_write_text("a.css", "0123456789");
    folder_write_text("sub/b.txt", "beneath");
    folder_write_text(".hidden", "hidden");
    folder_write("large.bin", large, LARGE);
    folder_date("a.css", 784111777, 5);
    free(large);
}

static int count_descriptors(void) {
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* A whole file of the folder. Its path is good until eight others have been asked for. */
static tb_file file_of(const char *name) {
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof *paths, "%s/%s", folder_name, name);
    return (tb_file){.path = path, .status = 200};
}

static void ask(tb_file *file, const char *lines) {
    file->asked = lines;
    file->asked_len = strlen(lines);
}

/* Opens, and checks what the fields are. */
static parcel opened(const tb_file *file, uint32_t status, const char *fields) {
    parcel made;
    memset(&made, '?', sizeof made);
    if (CHECK_INT(parcel_open(&made, &room, file), TB_OK)) {
        CHECK_INT(made.ans.status, status);
        CHECK(answer_fields_valid(made.ans.fields, made.ans.fields_len));
        if (fields != NULL) {
            CHECK_TEXT(made.ans.fields, made.ans.fields_len, fields);
        }
    }
    return made;
}

static bool has(const parcel *made, const char *text) {
    return memmem(made->ans.fields, made->ans.fields_len, text, strlen(text)) != NULL;
}

static void a_small_file_is_read_and_closed(void) {
    const int before = count_descriptors();
    tb_file file = file_of("a.css");
    file.fields = "X-A: b\r\n";
    file.fields_len = 8;
    file.lasting = "Cache-Control: no-cache\r\n";
    file.lasting_len = 25;
    parcel made = opened(&file, 200,
                         "X-A: b\r\nCache-Control: no-cache\r\n"
                         "ETag: \"ae1b981bc490a05-a\"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                         "Accept-Ranges: bytes\r\nContent-Type: text/css; charset=utf-8\r\n");
    CHECK_TEXT(made.ans.body, made.ans.body_len, "0123456789");
    CHECK(made.ans.cargo == NULL);
    CHECK_INT(count_descriptors(), before);
    parcel_close(&made);
}

static void a_large_file_is_sent_from_its_descriptor(void) {
    const int before = count_descriptors();
    const tb_file file = file_of("large.bin");
    parcel made = opened(&file, 200, NULL);
    CHECK_INT(made.ans.body_len, LARGE);
    CHECK(made.ans.body == NULL && made.ans.cargo != NULL);
    parcel_close(&made);
    shipment_close(made.ans.cargo);
    CHECK_INT(count_descriptors(), before);
}

static void of_a_large_file_a_small_part_is_read(void) {
    tb_file file = file_of("large.bin");
    ask(&file, "\nhost:t\nrange:bytes=10-13\n");
    parcel made = opened(&file, 206, NULL);
    CHECK(has(&made, "\r\nContent-Range: bytes 10-13/1048576\r\n"));
    CHECK_TEXT(made.ans.body, made.ans.body_len, "LLLL");
    parcel_close(&made);
    ask(&file, "\nrange:bytes=0-1,8-9,-1\n");
    made = opened(&file, 206, NULL);
    CHECK(has(&made, "multipart/byteranges"));
    CHECK(memmem(made.ans.body, made.ans.body_len, "\r\n\r\nLL\r\n--", 10) != NULL);
    CHECK_TEXT(made.ans.body + made.ans.body_len - 4, 4, "--\r\n");
    CHECK(made.ans.cargo == NULL);
    parcel_close(&made);
}

static void an_empty_file_is_a_body_of_no_octets(void) {
    const int before = count_descriptors();
    folder_write_text("empty.txt", "");
    const tb_file file = file_of("empty.txt");
    parcel made = opened(&file, 200, NULL);
    CHECK_INT(made.ans.body_len, 0);
    CHECK(made.ans.cargo == NULL);
    parcel_close(&made);
    CHECK_INT(count_descriptors(), before);
}

static void to_a_head_only_the_length_is_told(void) {
    const int before = count_descriptors();
    const char *const names[] = {"a.css", "large.bin"};
    for (unsigned i = 0; i < 2; i++) {
        tb_file file = file_of(names[i]);
        file.flags = TB_FILE_HEAD;
        parcel made = opened(&file, 200, NULL);
        CHECK(made.ans.body == NULL && made.ans.cargo == NULL);
        CHECK_INT(made.ans.body_len, i == 0 ? 10 : LARGE);
        parcel_close(&made);
    }
    CHECK_INT(count_descriptors(), before);
}

static void conditions_and_ranges_are_heeded_where_they_are_asked(void) {
    static const struct {
        const char *asked;
        const char *body;
        uint32_t status;
        bool lasting;
    } rows[] = {
        {"\nif-none-match:\"ae1b981bc490a05-a\"\n", "", 304, true},
        {"\nif-modified-since:Sun, 06 Nov 1994 08:49:37 GMT\n", "", 304, true},
        {"\nif-match:\"x\"\n", "", 412, false},
        {"\nrange:bytes=10-\n", "", 416, false},
        {"\nrange:bytes=2-3\n", "23", 206, true},
        {"\nrange:bytes=2-3\nif-range:\"x\"\n", "0123456789", 200, true},
        {"\nrange:bytes=2-3\nrange:bytes=4-5\n", "0123456789", 200, true},
        {"no line at all", "0123456789", 200, true},
        {"\n\n:\nrange\n", "0123456789", 200, true},
        {"", "0123456789", 200, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_state.subject = rows[i].asked;
        const int before = count_descriptors();
        tb_file file = file_of("a.css");
        file.fields = "X-A: b\r\n";
        file.fields_len = 8;
        file.lasting = "Expires: 0\r\n";
        file.lasting_len = 12;
        ask(&file, rows[i].asked);
        parcel made = opened(&file, rows[i].status, NULL);
        CHECK_TEXT(made.ans.body, made.ans.body_len, rows[i].body);
        CHECK(has(&made, "X-A: b\r\n"));
        CHECK_INT(has(&made, "Expires: 0\r\n"), rows[i].lasting);
        parcel_close(&made);
        CHECK_INT(count_descriptors(), before);
    }
    check_state.subject = NULL;
}

static void a_file_as_the_body_of_another_status_has_its_type_alone(void) {
    tb_file file = file_of("a.css");
    file.status = 404;
    file.flags = TB_FILE_PRECOMPRESSED;
    ask(&file, "\nif-none-match:*\nrange:bytes=0-0\naccept-encoding:gzip\n");
    folder_write_text("a.css.gz", "gzipped");
    parcel made = opened(&file, 404, "Content-Type: text/css; charset=utf-8\r\n");
    CHECK_TEXT(made.ans.body, made.ans.body_len, "0123456789");
    parcel_close(&made);
    CHECK_INT(unlink(folder_path("a.css.gz")), 0);
}

static void the_type_is_what_is_said_or_what_the_name_says(void) {
    char longest[ASSET_TYPE_MAX + 1] = "text/";
    memset(longest + 5, 'x', ASSET_TYPE_MAX - 5);
    longest[ASSET_TYPE_MAX] = '\0';
    tb_file file = file_of("a.css");
    file.name = "Bericht.PDF";
    parcel made = opened(&file, 200, NULL);
    CHECK(has(&made, "Content-Type: application/pdf\r\n"));
    parcel_close(&made);
    file.type = "text/x-own; charset=latin-1";
    made = opened(&file, 200, NULL);
    CHECK(has(&made, "Content-Type: text/x-own; charset=latin-1\r\n"));
    parcel_close(&made);
    /* The frames of many parts of a file of the greatest length have room for the longest type. */
    folder_write_text("huge.bin", "");
    if (truncate(folder_path("huge.bin"), INT64_MAX) != 0) {
        CHECK_INT(truncate(folder_path("huge.bin"), (off_t)1 << 43), 0);
    }
    file = file_of("huge.bin");
    file.type = longest;
    ask(&file, "\nrange:bytes=-1,-3,0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16,18-18,20-20,22-22,24-24,26-26\n");
    made = opened(&file, 206, NULL);
    CHECK(has(&made, "multipart/byteranges"));
    parcel_close(&made);
}

static void what_is_not_fit_is_an_argument_no_caller_should_pass(void) {
    char too_long[ASSET_TYPE_MAX + 2] = "text/";
    memset(too_long + 5, 'x', ASSET_TYPE_MAX - 4);
    too_long[ASSET_TYPE_MAX + 1] = '\0';
    const int before = count_descriptors();
    const tb_file good = file_of("a.css");
    parcel made;
    tb_file rows[12];
    for (unsigned i = 0; i < 12; i++) {
        rows[i] = good;
    }
    rows[0].path = NULL;
    rows[1].status = 204;
    rows[2].status = 199;
    rows[3].status = 600;
    rows[4].fields = "no line";
    rows[4].fields_len = 7;
    rows[5].lasting = "a: b\r\n\r\n";
    rows[5].lasting_len = 8;
    rows[6].fields_len = 5;
    rows[7].asked_len = UINT64_MAX;
    rows[8].type = "";
    rows[9].type = "text/plain\r\nX: y";
    rows[10].type = too_long;
    rows[11].asked_len = 5;
    for (unsigned i = 0; i < 12; i++) {
        CHECK_INT(parcel_open(&made, &room, &rows[i]), TB_EINVAL);
        CHECK(made.octets == NULL);
    }
    CHECK_INT(count_descriptors(), before);
}

static void what_cannot_be_opened_says_why(void) {
    static char too_long[5000];
    memset(too_long, 'a', sizeof too_long - 1);
    const int before = count_descriptors();
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder_name);
    CHECK_INT(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    close(listener);
    CHECK_INT(mkfifo(folder_path("fifo"), 0644), 0);
    CHECK_INT(symlink("loop", folder_path("loop")), 0);
    const struct {
        const char *name;
        int error;
    } rows[] = {
        {"none", ENOENT}, {"a.css/x", ENOTDIR}, {"sub", EISDIR},   {"sub/", EISDIR},       {"fifo", ENODEV},
        {"loop", ELOOP},  {"..", EISDIR},       {"socket", ENXIO}, {"sub/none/x", ENOENT},
    };
    parcel made;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_state.subject = rows[i].name;
        const tb_file file = file_of(rows[i].name);
        CHECK_INT(parcel_open(&made, &room, &file), TB_ESYSTEM - rows[i].error);
        CHECK(made.octets == NULL);
    }
    check_state.subject = NULL;
    const tb_file device = {.path = "/dev/null", .status = 200};
    const tb_file nothing = {.path = "", .status = 200};
    const tb_file much = {.path = too_long, .status = 200};
    CHECK_INT(parcel_open(&made, &room, &device), TB_ESYSTEM - ENODEV);
    CHECK_INT(parcel_open(&made, &room, &nothing), TB_ESYSTEM - ENOENT);
    CHECK_INT(parcel_open(&made, &room, &much), TB_ESYSTEM - ENAMETOOLONG);
    CHECK_INT(count_descriptors(), before);
}

static void what_may_not_be_read_says_so(void) {
    const tb_file file = file_of("a.css");
    parcel made;
    CHECK_INT(chmod(folder_path("a.css"), 0), 0);
    const bool root = geteuid() == 0;
    if (root) {
        CHECK_INT(chmod(folder_name, 0755), 0);
        CHECK_INT(seteuid(65534), 0);
    }
    CHECK_INT(parcel_open(&made, &room, &file), TB_ESYSTEM - EACCES);
    if (root) {
        CHECK_INT(seteuid(0), 0);
    }
    CHECK_INT(chmod(folder_path("a.css"), 0644), 0);
}

static void with_a_root_no_path_leads_out_of_it(void) {
    static const char *const outside[] = {
        "/../a.css", "/%2e%2e/a.css", "/..%2fa.css", "/b.txt/../b.txt", "//b.txt",   "b.txt", "/b.txt%00",
        "/",         "/.hidden",      "/out",        "/a%5c..%5cb.txt", "/absolute", "/none"};
    char root[64];
    parcel made;
    snprintf(root, sizeof root, "%s/sub", folder_name);
    folder_write_text("sub/.hidden", "hidden");
    CHECK_INT(symlink("../a.css", folder_path("sub/out")), 0);
    CHECK_INT(symlink("/etc/passwd", folder_path("sub/absolute")), 0);
    const int before = count_descriptors();
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        check_state.subject = outside[i];
        const tb_file file = {.path = outside[i], .root = root, .status = 200};
        const int32_t code = parcel_open(&made, &room, &file);
        CHECK(code == TB_ESYSTEM - ENOENT || code == TB_ESYSTEM - EXDEV);
    }
    check_state.subject = NULL;
    const tb_file inside = {.path = "/%62.txt", .root = root, .status = 200};
    made = opened(&inside, 200, NULL);
    CHECK_TEXT(made.ans.body, made.ans.body_len, "beneath");
    CHECK(has(&made, "Content-Type: text/plain"));
    parcel_close(&made);
    const tb_file rootless = {.path = "/b.txt", .root = "no/such/folder", .status = 200};
    CHECK_INT(parcel_open(&made, &room, &rootless), TB_ESYSTEM - ENOENT);
    CHECK_INT(count_descriptors(), before);
}

static void a_coded_form_goes_to_who_takes_it(void) {
    static const struct {
        const char *asked;
        const char *body;
        const char *field;
    } rows[] = {
        {"\naccept-encoding:gzip\n", "gzipped", "Content-Encoding: gzip\r\n"},
        {"\naccept-encoding:br, gzip\n", "gzipped", "Content-Encoding: gzip\r\n"},
        {"\naccept-encoding:zstd\n", "0123456789", "Content-Type: text/css"},
        {"\naccept-encoding:gzip;q=0\n", "0123456789", "Content-Type: text/css"},
        {"", "0123456789", "Content-Type: text/css"},
    };
    const int before = count_descriptors();
    folder_write_text("a.css.gz", "gzipped");
    folder_write_text("a.css.br", "older than the file");
    folder_date("a.css.br", 784111776, 0);
    folder_make("a.css.zst");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_state.subject = rows[i].asked;
        tb_file file = file_of("a.css");
        file.flags = TB_FILE_PRECOMPRESSED;
        ask(&file, rows[i].asked);
        parcel made = opened(&file, 200, NULL);
        CHECK_TEXT(made.ans.body, made.ans.body_len, rows[i].body);
        CHECK(has(&made, rows[i].field));
        CHECK(has(&made, "Content-Type: text/css; charset=utf-8\r\n"));
        CHECK(has(&made, "Vary: Accept-Encoding\r\n"));
        parcel_close(&made);
    }
    check_state.subject = NULL;
    CHECK_INT(count_descriptors(), before);
}

int main(void) {
    pthread_mutex_init(&room.fds_lock, NULL);
    open_folder();
    RUN(a_small_file_is_read_and_closed);
    RUN(a_large_file_is_sent_from_its_descriptor);
    RUN(of_a_large_file_a_small_part_is_read);
    RUN(an_empty_file_is_a_body_of_no_octets);
    RUN(to_a_head_only_the_length_is_told);
    RUN(conditions_and_ranges_are_heeded_where_they_are_asked);
    RUN(a_file_as_the_body_of_another_status_has_its_type_alone);
    RUN(the_type_is_what_is_said_or_what_the_name_says);
    RUN(what_is_not_fit_is_an_argument_no_caller_should_pass);
    RUN(what_cannot_be_opened_says_why);
    RUN(what_may_not_be_read_says_so);
    RUN(with_a_root_no_path_leads_out_of_it);
    RUN(a_coded_form_goes_to_who_takes_it);
    folder_close();
    return check_end();
}
