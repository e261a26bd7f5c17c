/* Files for a test, in a folder of its own beneath the working directory.
 *
 * Owns:  the folder's name, and the removal of all that is in it.
 * Knows: paths relative to the folder.
 * Never: leaves anything behind.
 */
#ifndef FOLDER_H
#define FOLDER_H

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static char folder_name[32];

static inline const char *folder_path(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder_name, name);
    return path;
}

static inline void folder_make(const char *name) {
    CHECK_INT(mkdir(folder_path(name), 0755), 0);
}

static inline void folder_write(const char *name, const void *octets, size_t len) {
    FILE *file = fopen(folder_path(name), "wb");
    if (CHECK(file != NULL)) {
        CHECK_INT(fwrite(octets, 1, len, file), len);
        fclose(file);
    }
}

static inline void folder_write_text(const char *name, const char *text) {
    folder_write(name, text, strlen(text));
}

/* Sets the time of the last modification. */
static inline void folder_date(const char *name, int64_t second, long nanosecond) {
    const struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second, .tv_nsec = nanosecond}};
    CHECK_INT(utimensat(AT_FDCWD, folder_path(name), times, 0), 0);
}

static inline void folder_open(void) {
    strcpy(folder_name, "folder-XXXXXX");
    CHECK(mkdtemp(folder_name) != NULL);
}

static inline int folder_remove(const char *path, const struct stat *stat, int kind, struct FTW *place) {
    (void)stat;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void folder_close(void) {
    CHECK_INT(nftw(folder_name, folder_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
