/* MessagePack at the border: every width, every cut, and lengths that lie (hazard 18). */
#include "term.h"

#include "check.h"
#include "guard.h"

#define OCTETS(literal) (literal), sizeof(literal) - 1

static term_reader reader_of(guard *page, const void *octets, size_t len) {
    const uint8_t *at = guard_put(page, octets, len);
    return (term_reader){.at = at, .end = at + len};
}

static void unsigned_integers_of_every_width_are_read(void) {
    static const struct {
        const char *octets;
        size_t len;
        uint64_t value;
    } rows[] = {
        {OCTETS("\x00"), 0},
        {OCTETS("\x7f"), 127},
        {OCTETS("\xcc\x80"), 128},
        {OCTETS("\xcc\x00"), 0},
        {OCTETS("\xcd\x01\x00"), 256},
        {OCTETS("\xce\x00\x01\x00\x00"), 65536},
        {OCTETS("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), UINT64_MAX},
        {OCTETS("\xcf\x80\x00\x00\x00\x00\x00\x00\x01"), 0x8000000000000001u},
    };
    guard page = guard_open(64);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t value = 1;
        term_reader reader = reader_of(&page, rows[i].octets, rows[i].len);
        CHECK(term_next_uint(&reader, &value));
        CHECK(value == rows[i].value && reader.at == reader.end);
        for (size_t cut = 0; cut < rows[i].len; cut++) {
            reader = reader_of(&page, rows[i].octets, cut);
            CHECK(!term_next_uint(&reader, &value));
        }
    }
    guard_close(&page);
}

static void what_is_no_unsigned_integer_is_refused(void) {
    guard page = guard_open(64);
    /* nil, false, true, negative fixint, int8 to int64, float, str, array, map, ext */
    static const uint8_t heads[] = {0xc0, 0xc2, 0xc3, 0xff, 0xe0, 0xd0, 0xd1, 0xd2,
                                    0xd3, 0xca, 0xcb, 0xa1, 0x91, 0x81, 0xd4};
    for (size_t i = 0; i < sizeof heads; i++) {
        uint8_t octets[16] = {heads[i]};
        uint64_t value;
        term_reader reader = reader_of(&page, octets, sizeof octets);
        CHECK(!term_next_uint(&reader, &value));
    }
    guard_close(&page);
}

static void check_octets(guard *page, const uint8_t *head, size_t head_len, size_t len) {
    static uint8_t octets[70000 + 8];
    memcpy(octets, head, head_len);
    for (size_t i = 0; i < len; i++) {
        octets[head_len + i] = (uint8_t)(i * 31);
    }
    const uint8_t *found;
    size_t found_len;
    term_reader reader = reader_of(page, octets, head_len + len);
    CHECK(term_next_octets(&reader, &found, &found_len));
    CHECK_MEM(found, found_len, octets + head_len, len);
    CHECK(reader.at == reader.end);
    /* The head alone, cut anywhere, and the octets but for the last. */
    for (size_t cut = 0; cut < head_len; cut++) {
        reader = reader_of(page, octets, cut);
        CHECK(!term_next_octets(&reader, &found, &found_len));
    }
    if (len > 0) {
        reader = reader_of(page, octets, head_len + len - 1);
        CHECK(!term_next_octets(&reader, &found, &found_len));
    }
}

static void strings_and_binaries_of_every_width_are_read(void) {
    guard page = guard_open(70000 + 8);
    for (uint8_t len = 0; len < 32; len++) {
        check_octets(&page, &(uint8_t){(uint8_t)(0xa0 | len)}, 1, len);
    }
    static const uint8_t heads[][2] = {{0xd9, 0xc4}, {0xda, 0xc5}, {0xdb, 0xc6}};
    for (unsigned kind = 0; kind < 2; kind++) {
        check_octets(&page, (uint8_t[]){heads[0][kind], 0}, 2, 0);
        check_octets(&page, (uint8_t[]){heads[0][kind], 255}, 2, 255);
        check_octets(&page, (uint8_t[]){heads[1][kind], 1, 0}, 3, 256);
        check_octets(&page, (uint8_t[]){heads[2][kind], 0, 1, 0, 1}, 5, 65537);
    }
    guard_close(&page);
}

static void nil_is_no_octets_at_all(void) {
    const uint8_t nil = 0xc0;
    term_reader reader = {.at = &nil, .end = &nil + 1};
    const uint8_t *octets = &nil;
    size_t len = 9;
    CHECK(term_next_octets(&reader, &octets, &len));
    CHECK(octets == NULL && len == 0);
}

static void a_length_that_lies_is_refused_before_it_is_believed(void) {
    static const struct {
        const char *octets;
        size_t len;
    } rows[] = {
        {OCTETS("\xdb\xff\xff\xff\xff"
                "a")},
        {OCTETS("\xc6\xff\xff\xff\xff"
                "a")},
        {OCTETS("\xc6\x80\x00\x00\x00"
                "a")},
        {OCTETS("\xc5\xff\xff"
                "a")},
        {OCTETS("\xd9\x02"
                "a")},
        {OCTETS("\xa2"
                "a")},
        {OCTETS("\xbf"
                "a")},
    };
    guard page = guard_open(64);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t *octets;
        size_t len;
        term_reader reader = reader_of(&page, rows[i].octets, rows[i].len);
        CHECK(!term_next_octets(&reader, &octets, &len));
    }
    guard_close(&page);
}

static void array_heads_of_every_width_are_read(void) {
    guard page = guard_open(64);
    static const struct {
        const char *octets;
        size_t len;
        uint32_t count;
    } rows[] = {
        {OCTETS("\x90"), 0},
        {OCTETS("\x9f"), 15},
        {OCTETS("\xdc\x01\x02"), 258},
        {OCTETS("\xdd\xff\xff\xff\xff"), UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t count = 1;
        term_reader reader = reader_of(&page, rows[i].octets, rows[i].len);
        CHECK(term_next_array(&reader, &count));
        CHECK_INT(count, rows[i].count);
        for (size_t cut = 0; cut < rows[i].len; cut++) {
            reader = reader_of(&page, rows[i].octets, cut);
            CHECK(!term_next_array(&reader, &count));
        }
    }
    uint32_t count;
    term_reader map = reader_of(&page, "\x81", 1);
    CHECK(!term_next_array(&map, &count));
    guard_close(&page);
}

/* Writes, reads back, and checks the first octet against the format's table. */
static void check_written(size_t len, uint8_t str_head, uint8_t bin_head) {
    static uint8_t octets[70000];
    static uint8_t out[70000 + TERM_HEAD_MAX];
    memset(octets, 'x', len);
    for (unsigned kind = 0; kind < 2; kind++) {
        uint8_t *end = kind == 0 ? term_write_str(out, octets, len) : term_write_bin(out, octets, len);
        CHECK(end - out <= (ptrdiff_t)len + TERM_HEAD_MAX);
        CHECK_INT(out[0], kind == 0 ? str_head : bin_head);
        term_reader reader = {.at = out, .end = end};
        const uint8_t *found;
        size_t found_len;
        CHECK(term_next_octets(&reader, &found, &found_len) && reader.at == end);
        CHECK_MEM(found, found_len, octets, len);
    }
}

static void what_is_written_is_read_again(void) {
    check_written(0, 0xa0, 0xc4);
    check_written(31, 0xbf, 0xc4);
    check_written(32, 0xd9, 0xc4);
    check_written(255, 0xd9, 0xc4);
    check_written(256, 0xdb, 0xc6);
    check_written(65536, 0xdb, 0xc6);
    uint8_t out[32];
    CHECK_MEM(out, (size_t)(term_write_uint64(out, 0x0102030405060708u) - out), "\xcf\1\2\3\4\5\6\7\x08", 9);
    CHECK_MEM(out, (size_t)(term_write_array32(out, 0x01020304) - out), "\xdd\1\2\3\4", TERM_ARRAY_HEAD_LEN);
    CHECK_MEM(out, (size_t)(term_write_array(out, 15) - out), "\x9f", 1);
    CHECK_MEM(out, (size_t)(term_write_nil(out) - out), "\xc0", 1);
}

int main(void) {
    RUN(unsigned_integers_of_every_width_are_read);
    RUN(what_is_no_unsigned_integer_is_refused);
    RUN(strings_and_binaries_of_every_width_are_read);
    RUN(nil_is_no_octets_at_all);
    RUN(a_length_that_lies_is_refused_before_it_is_believed);
    RUN(array_heads_of_every_width_are_read);
    RUN(what_is_written_is_read_again);
    return check_end();
}
