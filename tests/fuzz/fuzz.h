/* What the fuzz targets share.
 *
 * Owns:  how a broken invariant is told, exact copies of octets, and the main that replays a corpus.
 * Knows: that libFuzzer brings a main of its own; -DFUZZ_REPLAY asks for ours.
 * Never: goes on after a broken invariant.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len);

static inline void fuzz_fail(const char *text, const char *file, int line) {
    fprintf(stderr, "%s:%d: broken: %s\n", file, line, text);
    abort();
}

/* A copy that ends where its memory ends, so that a read beyond it is seen. Free it. */
static inline uint8_t *fuzz_copy(const uint8_t *octets, size_t len) {
    uint8_t *copy = malloc(len > 0 ? len : 1);
    FUZZ_CHECK(copy != NULL);
    if (len > 0) {
        memcpy(copy, octets, len);
    }
    return copy;
}

/* The next octet of a script, 0 when it is over. */
typedef struct fuzz_script {
    const uint8_t *at;
    const uint8_t *end;
} fuzz_script;

static inline uint8_t fuzz_next(fuzz_script *script) {
    return script->at < script->end ? *script->at++ : 0;
}

#ifdef FUZZ_REPLAY
int main(int count, char **paths) {
    for (int i = 1; i < count; i++) {
        FILE *file = fopen(paths[i], "rb");
        FUZZ_CHECK(file != NULL);
        static uint8_t octets[1 << 20];
        const size_t len = fread(octets, 1, sizeof octets, file);
        fclose(file);
        LLVMFuzzerTestOneInput(octets, len);
    }
    printf("%d inputs\n", count - 1);
    return 0;
}
#endif

#endif
