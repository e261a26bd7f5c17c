/* Invariant: the name that is made of a path leads downwards, component by component, and is spelled in one way only.
 *
 * Owns:  a second reading of every name that was let through.
 * Knows: locate_name of locate.h.
 * Never: opens a file.
 */
#include "locate.h"

#include "fuzz.h"

static void check_name(const located *found, bool slash, bool hidden, size_t path_len) {
    FUZZ_CHECK(found->name_len <= LOCATE_NAME_MAX && found->name_len <= path_len);
    FUZZ_CHECK(strlen(found->name) == found->name_len && strchr(found->name, '\\') == NULL);
    FUZZ_CHECK(found->name_len > 0 || slash || path_len == 0);
    for (const char *at = found->name; found->name_len > 0;) {
        const size_t len = strcspn(at, "/");
        FUZZ_CHECK(len > 0 && len <= 255);
        FUZZ_CHECK(at[0] != '.' || hidden);
        FUZZ_CHECK(!(len == 1 && at[0] == '.') && !(len == 2 && at[0] == '.' && at[1] == '.'));
        if (at[len] == '\0') {
            return;
        }
        at += len + 1;
    }
}

/* Written out with every octet escaped, the name is found again. */
static void check_again(const located *found, const locate_rules *rules) {
    static located again;
    uint8_t *path = malloc(found->name_len * 3 + 1);
    FUZZ_CHECK(path != NULL);
    size_t len = 0;
    path[len++] = '/';
    for (size_t i = 0; i < found->name_len; i++) {
        const uint8_t octet = (uint8_t)found->name[i];
        if (octet == '/') {
            path[len++] = '/';
        } else {
            path[len++] = '%';
            path[len++] = (uint8_t)"0123456789abcdef"[octet >> 4];
            path[len++] = (uint8_t)"0123456789ABCDEF"[octet & 15];
        }
    }
    bool slash;
    FUZZ_CHECK(locate_name(rules, path, len, &again, &slash));
    FUZZ_CHECK(again.name_len == found->name_len && memcmp(again.name, found->name, again.name_len) == 0);
    FUZZ_CHECK(slash == (found->name_len == 0));
    free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    static located found;
    uint8_t *path = fuzz_copy(octets, len);
    bool open = false;
    for (int hidden = 1; hidden >= 0; hidden--) {
        const locate_rules rules = {.hidden = hidden != 0};
        bool slash;
        const bool named = locate_name(&rules, path, len, &found, &slash);
        if (named) {
            check_name(&found, slash, rules.hidden, len);
            check_again(&found, &rules);
        }
        FUZZ_CHECK(!named || rules.hidden || open); /* what is found with more hidden is found with less */
        open = named;
    }
    free(path);
    return 0;
}
