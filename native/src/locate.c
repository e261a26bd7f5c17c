/* From a path to an open file; see locate.h.
 *
 * Owns:  percent-decoding, once, and the refusal of whatever could mean another file after it.
 * Knows: that seccomp filters answer EPERM or ENOSYS for calls they do not know.
 * Never: gives two spellings of a name two meanings: what is odd is not found.
 */
#include "locate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "span.h"

/* O_NONBLOCK: a FIFO without a writer would hold the open. O_NOCTTY: a terminal would become ours. */
enum { LOCATE_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, LOCATE_COMPONENT_MAX = 255, LOCATE_TRIES_MAX = 3 };

/* The kernel's interface (include/uapi/linux/openat2.h), which older headers than the kernel lack. */
typedef struct locate_how {
    uint64_t flags;
    uint64_t mode;
    uint64_t resolve;
} locate_how;

enum { LOCATE_NO_MAGICLINKS = 0x02, LOCATE_BENEATH = 0x08 };

#ifdef SYS_openat2
enum { LOCATE_OPENAT2 = SYS_openat2 };
#else
enum { LOCATE_OPENAT2 = 437 };
#endif

bool locate_root_open(locate_root *root, const char *directory) {
    *root = (locate_root){.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), .beneath = true};
    return root->fd >= 0;
}

locate_root locate_root_anywhere(void) {
    return (locate_root){.fd = AT_FDCWD, .anywhere = true};
}

void locate_root_close(locate_root *root) {
    if (root->fd >= 0) {
        close(root->fd);
    }
    root->fd = -1;
}

static uint8_t locate_digit(uint8_t octet) {
    return octet <= '9' ? (uint8_t)(octet - '0') : (uint8_t)((octet | 0x20) - 'a' + 10);
}

/* The octet that stands here, decoded: what separates names must stand for itself. NULL when it may not be. */
static const uint8_t *locate_on_octet(const uint8_t *at, const uint8_t *stop, char *octet) {
    uint8_t value = *at;
    if (value == '%') {
        if (stop - at < 3 || !span_is(at[1], SPAN_HEX) || !span_is(at[2], SPAN_HEX)) {
            return NULL;
        }
        value = (uint8_t)(locate_digit(at[1]) << 4 | locate_digit(at[2]));
        at += 2;
    }
    *octet = (char)value;
    return value == 0 || value == '/' || value == '\\' ? NULL : at + 1;
}

static bool locate_allows(const locate_rules *rules, const char *component, size_t len) {
    if (len == 0 || component[0] != '.') {
        return len > 0;
    }
    const bool dots = len == 1 || (len == 2 && component[1] == '.');
    return !dots && rules->hidden;
}

/* Adds a component; after a slash unless it is the first. */
static bool locate_push(located *found, const char *component, size_t len) {
    const size_t slash = found->name_len > 0;
    if (len + slash > LOCATE_NAME_MAX - found->name_len) {
        return false;
    }
    if (slash > 0) {
        found->name[found->name_len] = '/';
    }
    memcpy(found->name + found->name_len + slash, component, len);
    found->name_len += slash + len;
    found->name[found->name_len] = '\0';
    return true;
}

bool locate_name(const locate_rules *rules, const uint8_t *path, size_t len, located *found, bool *slash) {
    const uint8_t *at = path, *stop = path + len;
    found->name_len = 0;
    found->name[0] = '\0';
    *slash = false;
    while (at < stop) {
        char component[LOCATE_COMPONENT_MAX];
        size_t component_len = 0;
        if (*at++ != '/') {
            return false;
        }
        if (at == stop) {
            *slash = true;
            return true;
        }
        while (at < stop && *at != '/') {
            if (component_len == sizeof component) {
                return false;
            }
            at = locate_on_octet(at, stop, &component[component_len++]);
            if (at == NULL) {
                return false;
            }
        }
        if (!locate_allows(rules, component, component_len) || !locate_push(found, component, component_len)) {
            return false;
        }
    }
    return true;
}

bool locate_is_plain(const char *name) {
    static const locate_rules all = {.hidden = true};
    const size_t len = strlen(name);
    return len <= LOCATE_COMPONENT_MAX && strpbrk(name, "/\\") == NULL && locate_allows(&all, name, len);
}

/* A component of a name, opened in the directory that was opened before it. */
static int locate_open_component(int directory, const char *name, size_t len, bool last) {
    char component[LOCATE_COMPONENT_MAX + 1];
    if (len > LOCATE_COMPONENT_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(component, name, len);
    component[len] = '\0';
    /* O_NOFOLLOW with O_PATH would open the link itself; O_DIRECTORY does not take it. */
    return openat(directory, component, O_NOFOLLOW | (last ? LOCATE_FLAGS : O_PATH | O_DIRECTORY | O_CLOEXEC));
}

static int locate_open_walking(const locate_root *root, const char *name) {
    int directory = root->fd;
    for (;;) {
        const size_t len = strcspn(name, "/");
        const bool last = name[len] == '\0';
        const int fd = locate_open_component(directory, name, len, last);
        const int error = errno;
        if (directory != root->fd) {
            close(directory);
        }
        errno = error;
        if (fd < 0 || last) {
            return fd;
        }
        directory = fd;
        name += len + 1;
    }
}

/* One attempt; in a directory by openat2 for as long as that is not refused. */
static int locate_try(locate_root *root, const char *name) {
    if (root->anywhere) {
        return openat(root->fd, name, LOCATE_FLAGS);
    }
    if (root->beneath) {
        const locate_how how = {.flags = LOCATE_FLAGS, .resolve = LOCATE_BENEATH | LOCATE_NO_MAGICLINKS};
        const int fd = (int)syscall(LOCATE_OPENAT2, root->fd, name, &how, sizeof how);
        if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return fd;
        }
        const int walked = locate_open_walking(root, name);
        /* Were it the file that is refused, and not the call, the walk would have met the same. */
        root->beneath = walked < 0 && errno == EPERM;
        return walked;
    }
    return locate_open_walking(root, name);
}

/* EAGAIN: a link was renamed under way, or a lease on the file has to be given up first. */
static int locate_open_name(locate_root *root, const char *name) {
    int fd = -1;
    for (unsigned tries = 0; fd < 0 && tries < LOCATE_TRIES_MAX;) {
        fd = locate_try(root, name);
        if (fd < 0 && errno != EAGAIN && errno != EINTR) {
            return -1;
        }
        tries += fd < 0 && errno == EAGAIN;
    }
    return fd;
}

static uint16_t locate_status(int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:        /* a link that may not be followed */
    case EXDEV:        /* a link that leads out of the directory */
    case ENAMETOOLONG: /* no file can have this name */
    case EINVAL:       /* nor this one, on a file system that is choosy */
    case ENXIO:        /* a socket, or a device that is not there */
    case ENODEV:
        return 404;
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        return 500;
    }
}

static void locate_fail(located *found, int error) {
    found->status = locate_status(error);
    found->error = error;
}

static void locate_close(located *found, int error) {
    close(found->fd);
    found->fd = -1;
    locate_fail(found, error);
}

/* Opens found->name, and looks at what it is. */
static void locate_open_found(locate_root *root, located *found, bool may_redirect) {
    found->fd = locate_open_name(root, found->name_len > 0 ? found->name : ".");
    if (found->fd < 0) {
        locate_fail(found, errno);
    } else if (fstat(found->fd, &found->stat) != 0) {
        locate_close(found, errno);
    } else if (S_ISREG(found->stat.st_mode)) {
        found->status = 200;
        found->error = 0;
    } else if (S_ISDIR(found->stat.st_mode)) {
        locate_close(found, EISDIR);
        found->status = may_redirect ? 301 : 404;
    } else {
        locate_close(found, ENODEV);
    }
}

void locate_open(locate_root *root, const locate_rules *rules, const uint8_t *path, size_t len, located *found) {
    bool slash;
    found->fd = -1;
    locate_fail(found, ENOENT);
    if (!locate_name(rules, path, len, found, &slash)) {
        return;
    }
    if (slash && (rules->index == NULL || !locate_push(found, rules->index, strlen(rules->index)))) {
        return;
    }
    locate_open_found(root, found, !slash && rules->index != NULL);
}

void locate_open_path(locate_root *root, const char *path, located *found) {
    found->fd = -1;
    found->name_len = strlen(path);
    if (found->name_len > LOCATE_NAME_MAX) {
        locate_fail(found, ENAMETOOLONG);
    } else if (found->name_len == 0) {
        locate_fail(found, ENOENT);
    } else {
        memcpy(found->name, path, found->name_len + 1);
        locate_open_found(root, found, false);
    }
}

void locate_open_sibling(locate_root *root, const located *base, const char *suffix, located *found) {
    const size_t suffix_len = strlen(suffix);
    found->fd = -1;
    locate_fail(found, ENAMETOOLONG);
    if (suffix_len > LOCATE_NAME_MAX - base->name_len) {
        return;
    }
    memcpy(found->name, base->name, base->name_len);
    memcpy(found->name + base->name_len, suffix, suffix_len + 1);
    found->name_len = base->name_len + suffix_len;
    locate_open_found(root, found, false);
}

bool locate_stat(const locate_root *root, const char *name, struct stat *now) {
    return fstatat(root->fd, name, now, 0) == 0;
}

static bool locate_is_same_time(struct timespec left, struct timespec right) {
    return left.tv_sec == right.tv_sec && left.tv_nsec == right.tv_nsec;
}

static bool locate_is_same_content(const struct stat *left, const struct stat *right) {
    return left->st_dev == right->st_dev && left->st_ino == right->st_ino && left->st_size == right->st_size &&
           locate_is_same_time(left->st_mtim, right->st_mtim);
}

bool locate_is_same(const struct stat *left, const struct stat *right) {
    return locate_is_same_content(left, right) && locate_is_same_time(left->st_ctim, right->st_ctim);
}

bool locate_is_whole(const struct stat *now, const struct stat *then) {
    /* One name less: that has changed the other time. */
    return locate_is_same_content(now, then) &&
           (now->st_nlink < then->st_nlink || locate_is_same_time(now->st_ctim, then->st_ctim));
}

bool locate_is_current(const struct stat *coded, const struct stat *base) {
    return coded->st_mtim.tv_sec > base->st_mtim.tv_sec ||
           (coded->st_mtim.tv_sec == base->st_mtim.tv_sec && coded->st_mtim.tv_nsec >= base->st_mtim.tv_nsec);
}
