/* From the path of a request to an open file beneath a directory.
 *
 * Owns:  the reading of a path as a name, the one way in which files are opened, and which failure is which status.
 * Knows: RFC 3986 §2.1; openat2 where the kernel has it and lets us, else one component after the other.
 * Never: leaves the directory, waits for a FIFO, or opens anything but a regular file for long.
 *
 * A symbolic link is followed when it is relative and stays in the directory, where openat2 is to be had; where it is
 * not, none is. The directory itself may be a link: it is resolved once, when it is opened.
 */
#ifndef TINYBEAM_LOCATE_H
#define TINYBEAM_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

enum { LOCATE_NAME_MAX = 4095 };

typedef struct locate_root {
    int fd;
    bool beneath;  /* openat2 has not been refused so far */
    bool anywhere; /* there is no directory: names are paths of the program's own */
} locate_root;

typedef struct locate_rules {
    const char *index; /* the file that stands for a directory; NULL: directories are not found */
    bool hidden;       /* names that begin with a dot are found too */
} locate_rules;

typedef struct located {
    int fd;          /* open if the status is 200, else -1 */
    uint16_t status; /* 200; 301: a directory whose path lacks the slash at its end; 403, 404, 500, 503 */
    int error;       /* errno, if the status is not 200: EISDIR for a directory, ENODEV for what is neither */
    struct stat stat;
    size_t name_len;
    char name[LOCATE_NAME_MAX + 1]; /* beneath the directory, with a NUL */
} located;

/* Opens the directory. False, with errno, when it is none. */
bool locate_root_open(locate_root *root, const char *directory);
void locate_root_close(locate_root *root);
/* For paths that the program itself has made: locate_open_path takes them as they are, and follows every link. */
locate_root locate_root_anywhere(void);
/* Whether this can be an index: one plain name. */
bool locate_is_plain(const char *name);
/* Opens what a path names: the part of it behind the mount's prefix, still percent-encoded, "" or "/...". */
void locate_open(locate_root *root, const locate_rules *rules, const uint8_t *path, size_t len, located *found);
/* Opens a file by its name, as it is: where the root is a directory, without anything in it that leads out. */
void locate_open_path(locate_root *root, const char *path, located *found);
/* Opens a name that was found, with a suffix. */
void locate_open_sibling(locate_root *root, const located *base, const char *suffix, located *found);
/* The name of a path alone. False when it can name nothing here; *slash says that it means a directory. */
bool locate_name(const locate_rules *rules, const uint8_t *path, size_t len, located *found, bool *slash);
/* What stands at a name now. It opens nothing, and so may follow any link: compare it with what was opened. */
bool locate_stat(const locate_root *root, const char *name, struct stat *now);
/* Whether this is one file with the same content, as far as its inode, length and both times tell: the time of the last
 * modification can be set, and the other then tells that it was. */
bool locate_is_same(const struct stat *left, const struct stat *right);
/* The same of a file that is open: it may have been replaced or removed in its directory meanwhile, and is whole still.
 */
bool locate_is_whole(const struct stat *now, const struct stat *then);
/* Whether a coded form may stand for its file: one that is older was made of another. */
bool locate_is_current(const struct stat *coded, const struct stat *base);

#endif
