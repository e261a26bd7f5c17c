/* Accept-Encoding (RFC 9110 §12.5.3): which of the forms on disk is sent. */
#include "coding.h"

#include "asking.h"

enum { BR = 1 << CODING_BR, ZSTD = 1 << CODING_ZSTD, GZIP = 1 << CODING_GZIP, ALL = BR | ZSTD | GZIP };

typedef struct coding_case {
    const char *lines;
    unsigned available;
    coding wanted;
} coding_case;

#define ACCEPT "Accept-Encoding: "

static const coding_case cases[] = {
    {"", ALL, CODING_IDENTITY},
    {ACCEPT "\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip\r\n", BR | ZSTD, CODING_IDENTITY},
    {ACCEPT "gzip\r\n", 0, CODING_IDENTITY},
    {ACCEPT "gzip, deflate, br, zstd\r\n", ALL, CODING_BR}, /* as browsers say; ours is the choice */
    {ACCEPT "gzip, deflate, br, zstd\r\n", GZIP | ZSTD, CODING_ZSTD},
    {ACCEPT "gzip, deflate, br\r\n", GZIP, CODING_GZIP},
    {ACCEPT "gzip\r\n" ACCEPT "br\r\n", ALL, CODING_BR},
    {ACCEPT "GZip\r\n", ALL, CODING_GZIP},
    {ACCEPT "x-gzip\r\n", ALL, CODING_GZIP},
    {ACCEPT "X-GZIP;q=0.5, br;q=0.4\r\n", ALL, CODING_GZIP},
    {ACCEPT "deflate, compress\r\n", ALL, CODING_IDENTITY},
    /* q-values */
    {ACCEPT "gzip;q=1.0, br;q=0.5\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip;q=0.5, br;q=0.501\r\n", GZIP | BR, CODING_BR},
    {ACCEPT "br;q=0.001\r\n", ALL, CODING_BR},
    {ACCEPT "br;q=0\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "br;q=0.000, gzip;Q=0.1\r\n", ALL, CODING_GZIP},
    {ACCEPT "br ; q=0.2 , gzip\t;\tq=0.3\t,\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip;q=1.000\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip;q=1.\r\n", ALL, CODING_GZIP},
    {ACCEPT ",,gzip,,\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip;q=0, gzip\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip, gzip;q=0\r\n", ALL, CODING_IDENTITY},
    /* "*" and identity */
    {ACCEPT "*\r\n", ALL, CODING_BR},
    {ACCEPT "*\r\n", GZIP, CODING_GZIP},
    {ACCEPT "*;q=0\r\n", ALL, CODING_IDENTITY}, /* none is acceptable */
    {ACCEPT "*;q=0, gzip\r\n", ALL, CODING_GZIP},
    {ACCEPT "gzip, *;q=0\r\n", BR, CODING_IDENTITY},
    {ACCEPT "br;q=0, *;q=0.1\r\n", ALL, CODING_ZSTD},
    {ACCEPT "identity\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "identity, gzip;q=0.5\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "identity;q=0.5, gzip;q=0.6\r\n", ALL, CODING_GZIP},
    {ACCEPT "identity, gzip\r\n", ALL, CODING_GZIP}, /* liked equally: the smaller one */
    {ACCEPT "identity;q=0, gzip;q=0.1\r\n", ALL, CODING_GZIP},
    {ACCEPT "identity;q=0\r\n", ALL, CODING_IDENTITY}, /* none is acceptable: better than a 406 */
    {ACCEPT "*;q=0.5, identity;q=0.6\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "*;q=0.5, gzip;q=0.4\r\n", GZIP, CODING_IDENTITY}, /* "*" is also identity */
    /* Malformed elements are left out, the others count. */
    {ACCEPT "gzip;q=2\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=1.001\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=0.1234\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=.5\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=-1\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q =1\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;level=9\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip br\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip/br\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "\"gzip\"\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzipp, gzi, brr, zstandard\r\n", ALL, CODING_IDENTITY},
    {ACCEPT "gzip;q=x, br;q=0.1\r\n", ALL, CODING_BR},
    {ACCEPT "\xff, gzip\r\n", ALL, CODING_GZIP},
    {ACCEPT ";q=1, gzip\r\n", ALL, CODING_GZIP},
};

static void each_client_gets_what_it_likes_best(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        coding_wish wish;
        check_state.subject = cases[i].lines;
        coding_read(&wish, asking_for("GET", cases[i].lines));
        CHECK_INT(coding_choose(&wish, cases[i].available), cases[i].wanted);
        /* Whether identity is named among those that there are makes no difference: there always is one. */
        CHECK_INT(coding_choose(&wish, cases[i].available | 1 << CODING_IDENTITY), cases[i].wanted);
    }
}

static void codings_have_a_token_and_a_suffix(void) {
    CHECK_INT(strcmp(coding_token(CODING_ZSTD), "zstd"), 0);
    CHECK_INT(strcmp(coding_suffix(CODING_ZSTD), ".zst"), 0);
    CHECK_INT(strcmp(coding_suffix(CODING_GZIP), ".gz"), 0);
    CHECK_INT(strcmp(coding_suffix(CODING_BR), ".br"), 0);
    CHECK(coding_token(CODING_IDENTITY) == NULL);
    CHECK_INT(strcmp(coding_suffix(CODING_IDENTITY), ""), 0);
}

int main(void) {
    RUN(each_client_gets_what_it_likes_best);
    RUN(codings_have_a_token_and_a_suffix);
    return check_end();
}
