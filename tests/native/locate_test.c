/* From a path to an open file, and to nothing else: by openat2, and without it. */
#include "locate.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "folder.h"
#include "guard.h"

static locate_root root;
static located found;
static guard page;
static const locate_rules plain = {.index = "index.html"};
static const locate_rules hidden = {.index = "index.html", .hidden = true};
static const locate_rules bare = {0};

/* What a path comes to: its status, and the name that was opened. */
static uint16_t status_of(const locate_rules *rules, const char *path) {
    locate_open(&root, rules, guard_put(&page, path, strlen(path)), strlen(path), &found);
    CHECK_INT(found.fd >= 0, found.status == 200);
    if (found.fd >= 0) {
        close(found.fd);
    }
    return found.status;
}

static void check_path(const locate_rules *rules, const char *path, uint16_t status, const char *name) {
    check_state.subject = path;
    CHECK_INT(status_of(rules, path), status);
    if (status == 200) {
        CHECK_TEXT(found.name, found.name_len, name);
        CHECK_INT(found.name[found.name_len], 0);
    }
    check_state.subject = NULL;
}

static void make_folder(void) {
    char long_name[256];
    memset(long_name, 'n', 255);
    long_name[255] = '\0';
    folder_open();
    folder_make("root");
    folder_make("root/sub");
    folder_make("root/empty");
    folder_make("root/.git");
    folder_make("root/odd");
    folder_make("root/odd/index.html");
    folder_make("outside");
    folder_write_text("secret", "secret");
    folder_write_text("outside/file", "secret");
    folder_write_text("root/index.html", "<index>");
    folder_write_text("root/a.txt", "a");
    folder_write_text("root/a b\xc3\xa9%.txt", "odd name");
    folder_write_text("root/%41", "not decoded twice");
    folder_write_text("root/a\\b", "backslash");
    folder_write_text("root/...", "three dots");
    folder_write_text("root/a..b", "dots inside");
    folder_write_text("root/sub/index.html", "<sub>");
    folder_write_text("root/sub/b.css", "b");
    folder_write_text("root/.env", "hidden");
    folder_write_text("root/.git/config", "hidden");
    char path[300];
    snprintf(path, sizeof path, "root/%s", long_name);
    folder_write_text(path, "long");
    CHECK_INT(mkfifo(folder_path("root/fifo"), 0644), 0);
    CHECK_INT(symlink("a.txt", folder_path("root/link")), 0);
    CHECK_INT(symlink("sub", folder_path("root/linked")), 0);
    CHECK_INT(symlink("../secret", folder_path("root/out")), 0);
    CHECK_INT(symlink("../outside", folder_path("root/outdir")), 0);
    CHECK_INT(symlink("/etc/passwd", folder_path("root/absolute")), 0);
    CHECK_INT(symlink("loop", folder_path("root/loop")), 0);
    CHECK_INT(symlink("nowhere", folder_path("root/dangling")), 0);
    CHECK_INT(symlink("/proc/self/cwd", folder_path("root/magic")), 0);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, folder_path("root/socket"));
    CHECK_INT(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void files_are_found_by_their_paths(void) {
    check_path(&plain, "/a.txt", 200, "a.txt");
    CHECK_INT(found.stat.st_size, 1);
    check_path(&plain, "/sub/b.css", 200, "sub/b.css");
    check_path(&plain, "/%61%2Etxt", 200, "a.txt");
    check_path(&plain, "/sub%2e/b.css", 404, NULL);
    check_path(&plain, "/a%20b%C3%a9%25.txt", 200, "a b\xc3\xa9%.txt");
    check_path(&plain, "/%2541", 200, "%41"); /* decoded once */
    check_path(&plain, "/a..b", 200, "a..b");
    check_path(&plain, "/A.TXT", 404, NULL);
    check_path(&plain, "/nothing", 404, NULL);
    check_path(&plain, "/nothing/at/all", 404, NULL);
}

static void a_directory_is_its_index_or_gets_a_slash(void) {
    check_path(&plain, "/", 200, "index.html");
    check_path(&plain, "/sub/", 200, "sub/index.html");
    check_path(&plain, "/sub", 301, NULL);
    check_path(&plain, "", 301, NULL);
    check_path(&plain, "/empty", 301, NULL);
    check_path(&plain, "/empty/", 404, NULL);
    check_path(&plain, "/odd/", 404, NULL); /* its index is a directory */
    check_path(&plain, "/odd/index.html", 301, NULL);
    check_path(&plain, "/a.txt/", 404, NULL);
    check_path(&plain, "/a.txt/b", 404, NULL);
    check_path(&bare, "/", 404, NULL);
    check_path(&bare, "", 404, NULL);
    check_path(&bare, "/sub", 404, NULL);
    check_path(&bare, "/sub/", 404, NULL);
    check_path(&bare, "/sub/b.css", 200, "sub/b.css");
}

static void no_spelling_leads_out_of_the_directory(void) {
    static const char *const paths[] = {
        "/..",
        "/../secret",
        "/../outside/file",
        "/sub/../a.txt",
        "/sub/../../secret",
        "/sub/..",
        "/sub/../",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/.%2e/secret",
        "/%2e./secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/sub%2fb.css",
        "/sub%2Fb.css",
        "/a%5Cb",
        "/a\\b",
        "/%252e%252e/secret",
        "/.",
        "/./a.txt",
        "/%2e/a.txt",
        "/sub/./b.css",
        "//a.txt",
        "//",
        "//etc/passwd",
        "/sub//b.css",
        "/sub//",
        "/a.txt%00",
        "/a.txt%00.html",
        "/%00",
        "/..%00/secret",
        "/a.txt%",
        "/a.txt%4",
        "/%zz",
        "/%4",
        "/%c0%ae%c0%ae/secret", /* an overlong dot is two odd octets */
        "a.txt",
        "secret",
        "etc/passwd",
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        check_path(&plain, paths[i], 404, NULL);
        check_path(&hidden, paths[i], 404, NULL);
    }
}

static void names_with_a_dot_are_hidden_unless_they_are_asked_for(void) {
    static const char *const paths[] = {"/.env", "/%2eenv", "/.git/config", "/%2Egit/config", "/..."};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        check_path(&plain, paths[i], 404, NULL);
    }
    check_path(&plain, "/.git", 404, NULL);
    check_path(&hidden, "/.env", 200, ".env");
    check_path(&hidden, "/%2egit/config", 200, ".git/config");
    check_path(&hidden, "/...", 200, "...");
    check_path(&hidden, "/.git", 301, NULL);
}

static void links_stay_inside(void) {
    const uint16_t followed = root.beneath ? 200 : 404;
    check_path(&plain, "/link", followed, "link");
    check_path(&plain, "/linked/b.css", followed, "linked/b.css");
    check_path(&plain, "/linked/", followed, "linked/index.html");
    check_path(&plain, "/linked", root.beneath ? 301 : 404, NULL);
    check_path(&plain, "/out", 404, NULL);
    check_path(&plain, "/outdir/file", 404, NULL);
    check_path(&plain, "/outdir", 404, NULL);
    check_path(&plain, "/absolute", 404, NULL);
    check_path(&plain, "/loop", 404, NULL);
    check_path(&plain, "/dangling", 404, NULL);
    check_path(&plain, "/magic/secret", 404, NULL);
    check_path(&plain, "/magic", 404, NULL);
}

static void only_regular_files_are_opened_and_nothing_blocks(void) {
    check_path(&plain, "/fifo", 404, NULL);
    check_path(&plain, "/socket", 404, NULL);
    if (mknod(folder_path("root/null"), S_IFCHR | 0666, 0x103) == 0) {
        check_path(&plain, "/null", 404, NULL);
    } else {
        printf("no device file can be made here: errno %d\n", errno);
    }
}

static void names_that_are_too_long_are_not_found(void) {
    static char path[20000];
    path[0] = '/';
    memset(path + 1, 'n', 255);
    path[256] = '\0';
    CHECK_INT(status_of(&plain, path), 200);
    path[256] = 'n';
    path[257] = '\0';
    CHECK_INT(status_of(&plain, path), 404);
    for (size_t len = 2; len < sizeof path; len += 2) { /* /n/n/n... */
        path[len - 2] = '/';
        path[len - 1] = 'n';
        path[len] = '\0';
        if (len > 4000 && len < 4200) {
            CHECK_INT(status_of(&plain, path), 404);
        }
    }
    CHECK_INT(status_of(&plain, path), 404);
    memset(path + 1, '/', sizeof path - 2);
    CHECK_INT(status_of(&plain, path), 404);
}

static void a_file_that_may_not_be_read_is_403(void) {
    folder_write_text("root/private", "p");
    folder_make("root/closed");
    folder_write_text("root/closed/file", "p");
    CHECK_INT(chmod(folder_path("root/private"), 0), 0);
    CHECK_INT(chmod(folder_path("root/closed"), 0), 0);
    const bool superuser = geteuid() == 0; /* whom permissions do not stop */
    if (superuser) {
        CHECK_INT(seteuid(65534), 0);
    }
    check_path(&plain, "/private", 403, NULL);
    check_path(&plain, "/closed/file", 403, NULL);
    check_path(&plain, "/a.txt", 200, "a.txt");
    if (superuser) {
        CHECK_INT(seteuid(0), 0);
    }
    CHECK_INT(chmod(folder_path("root/closed"), 0755), 0);
}

static void without_descriptors_it_is_503(void) {
    struct rlimit old, none;
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 0;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &none), 0);
    const uint16_t status = status_of(&plain, "/sub/b.css");
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &old), 0);
    CHECK_INT(status, 503);
    check_path(&plain, "/sub/b.css", 200, "sub/b.css");
}

/* The number that the next descriptor will have. */
static int next_fd(void) {
    const int fd = dup(0);
    close(fd);
    return fd;
}

static void descriptors_close_themselves_and_none_is_left(void) {
    const int before = next_fd();
    static const char *const paths[] = {"/a.txt", "/sub/b.css", "/sub", "/fifo", "/out", "/nothing/x", "/a.txt/x"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        status_of(&plain, paths[i]);
        CHECK_INT(next_fd(), before);
    }
    locate_open(&root, &plain, (const uint8_t *)"/a.txt", 6, &found);
    CHECK(fcntl(found.fd, F_GETFD) & FD_CLOEXEC);
    CHECK(fcntl(root.fd, F_GETFD) & FD_CLOEXEC);
    close(found.fd);
}

static void a_sibling_is_opened_by_its_suffix(void) {
    static located coded;
    folder_write_text("root/a.txt.gz", "zipped");
    CHECK_INT(symlink("../secret", folder_path("root/a.txt.br")), 0);
    CHECK_INT(status_of(&plain, "/a.txt"), 200);
    locate_open_sibling(&root, &found, ".gz", &coded);
    CHECK_INT(coded.status, 200);
    CHECK_TEXT(coded.name, coded.name_len, "a.txt.gz");
    CHECK_INT(coded.stat.st_size, 6);
    close(coded.fd);
    locate_open_sibling(&root, &found, ".br", &coded);
    CHECK_INT(coded.status, 404);
    locate_open_sibling(&root, &found, ".zst", &coded);
    CHECK_INT(coded.status, 404);
    CHECK_INT(coded.fd, -1);
    memset(found.name, 'n', LOCATE_NAME_MAX);
    found.name_len = LOCATE_NAME_MAX - 2;
    locate_open_sibling(&root, &found, ".gz", &coded);
    CHECK_INT(coded.status, 404);
    unlink(folder_path("root/a.txt.gz"));
    unlink(folder_path("root/a.txt.br"));
}

static void a_file_can_be_looked_at_without_opening_it(void) {
    struct stat now;
    CHECK(locate_stat(&root, "a.txt", &now) && now.st_size == 1);
    CHECK(locate_stat(&root, "fifo", &now) && S_ISFIFO(now.st_mode));
    CHECK(!locate_stat(&root, "nothing", &now));
}

static void a_root_is_a_directory_and_may_be_a_link(void) {
    locate_root other;
    CHECK(!locate_root_open(&other, folder_path("root/a.txt")) && errno == ENOTDIR);
    CHECK(!locate_root_open(&other, folder_path("nowhere")) && errno == ENOENT);
    CHECK_INT(symlink("root", folder_path("current")), 0);
    if (CHECK(locate_root_open(&other, folder_path("current")))) {
        locate_open(&other, &plain, (const uint8_t *)"/a.txt", 6, &found);
        CHECK_INT(found.status, 200);
        close(found.fd);
        locate_root_close(&other);
        locate_root_close(&other);
    }
    unlink(folder_path("current"));
}

static void an_index_is_one_plain_name(void) {
    CHECK(locate_is_plain("index.html") && locate_is_plain("..."));
    CHECK(!locate_is_plain("") && !locate_is_plain(".") && !locate_is_plain("..") && !locate_is_plain("a/b"));
    CHECK(!locate_is_plain("/a") && !locate_is_plain("a\\b"));
}

static void all_of_it(void) {
    RUN(files_are_found_by_their_paths);
    RUN(a_directory_is_its_index_or_gets_a_slash);
    RUN(no_spelling_leads_out_of_the_directory);
    RUN(names_with_a_dot_are_hidden_unless_they_are_asked_for);
    RUN(links_stay_inside);
    RUN(only_regular_files_are_opened_and_nothing_blocks);
    RUN(names_that_are_too_long_are_not_found);
    RUN(a_file_that_may_not_be_read_is_403);
    RUN(without_descriptors_it_is_503);
    RUN(descriptors_close_themselves_and_none_is_left);
    RUN(a_sibling_is_opened_by_its_suffix);
    RUN(a_file_can_be_looked_at_without_opening_it);
}

static void clean_up(void) {
    unlink(folder_path("root/null"));
    chmod(folder_path("root/closed"), 0755);
    unlink(folder_path("root/closed/file"));
    rmdir(folder_path("root/closed"));
    unlink(folder_path("root/private"));
}

/* In a child, since no filter can be taken off again. */
static int32_t play_under_filter(uint32_t error) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 437, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
            _exit(2);
        }
        status_of(&plain, "/a.txt");
        _exit(found.status == 200 && !root.beneath && status_of(&plain, "/sub/b.css") == 200 &&
                      status_of(&plain, "/link") == 404 && status_of(&plain, "/nothing") == 404
                  ? 0
                  : 1);
    }
    int status;
    CHECK_INT(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_path_of_the_programs_own_is_opened_as_it_is(void) {
    locate_root anywhere = locate_root_anywhere();
    folder_write_text("own.txt", "own");
    CHECK_INT(symlink("own.txt", folder_path("own-link")), 0);
    locate_open_path(&anywhere, folder_path("own-link"), &found);
    CHECK_INT(found.status, 200);
    CHECK_INT(found.error, 0);
    const located base = found;
    folder_write_text("own-link.gz", "coded");
    locate_open_sibling(&anywhere, &base, ".gz", &found);
    CHECK_INT(found.status, 200);
    CHECK(locate_is_current(&found.stat, &base.stat) || !locate_is_current(&base.stat, &found.stat));
    close(found.fd);
    locate_open_path(&anywhere, folder_name, &found);
    CHECK_INT(found.status, 404);
    CHECK_INT(found.error, EISDIR);
    locate_root_close(&anywhere); /* there is nothing to close */
    close(base.fd);
}

static void a_file_that_lost_a_name_is_whole_and_one_that_changed_is_not(void) {
    struct stat then = {.st_size = 5, .st_nlink = 1, .st_mtim = {.tv_sec = 7}, .st_ctim = {.tv_sec = 7}};
    struct stat now = then;
    CHECK(locate_is_whole(&now, &then));
    now.st_ctim.tv_sec = 8;
    CHECK(!locate_is_whole(&now, &then) && !locate_is_same(&now, &then));
    now.st_nlink = 0;
    CHECK(locate_is_whole(&now, &then) && !locate_is_same(&now, &then));
    now.st_mtim.tv_nsec = 1;
    CHECK(!locate_is_whole(&now, &then));
    CHECK(locate_is_current(&now, &then) && !locate_is_current(&then, &now) && locate_is_current(&then, &then));
}

static void where_openat2_is_refused_a_walk_takes_its_place(void) {
    static const uint32_t errors[] = {EPERM, ENOSYS};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const int32_t code = play_under_filter(errors[i]);
        if (code == 2) {
            printf("no filter can be set here, so the refusal of openat2 is not tried\n");
        } else {
            CHECK_INT(code, 0);
        }
    }
}

int main(void) {
    page = guard_open(32768);
    make_folder();
    CHECK(locate_root_open(&root, folder_path("root")));
    status_of(&plain, "/a.txt");
    if (root.beneath) {
        all_of_it();
        clean_up();
        RUN(where_openat2_is_refused_a_walk_takes_its_place);
    } else {
        printf("this kernel has no openat2, so only the walk is tried\n");
    }
    root.beneath = false;
    all_of_it();
    RUN(a_root_is_a_directory_and_may_be_a_link);
    RUN(an_index_is_one_plain_name);
    RUN(a_path_of_the_programs_own_is_opened_as_it_is);
    RUN(a_file_that_lost_a_name_is_whole_and_one_that_changed_is_not);
    clean_up();
    locate_root_close(&root);
    folder_close();
    guard_close(&page);
    return check_end();
}
