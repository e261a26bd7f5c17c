/* Runs of octets: the classes against the RFCs' own lists, and the vector loop against the plain one. */
#include "span.h"

#include "check.h"
#include "guard.h"

static bool is_in(const char *set, int octet) {
    return octet > 0 && octet < 128 && strchr(set, octet) != NULL;
}

#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define UNRESERVED DIGITS LETTERS "-._~"

static void the_classes_hold_what_the_rfcs_list(void) {
    for (int octet = 0; octet < 256; octet++) {
        const uint8_t o = (uint8_t)octet;
        CHECK_INT(span_is(o, SPAN_TOKEN), is_in(DIGITS LETTERS "!#$%&'*+-.^_`|~", octet));
        CHECK_INT(span_is(o, SPAN_PATH), is_in(UNRESERVED "!$&'()*+,;=:@/", octet));
        CHECK_INT(span_is(o, SPAN_QUERY), is_in(UNRESERVED "!$&'()*+,;=:@/?[]{}|^`", octet));
        CHECK_INT(span_is(o, SPAN_REG_NAME), is_in(UNRESERVED "!$&'()*+;=", octet));
        CHECK_INT(span_is(o, SPAN_AUTHORITY), is_in(UNRESERVED "!$&'()*+;=:[]%", octet));
        CHECK_INT(span_is(o, SPAN_HEX), is_in(DIGITS "abcdefABCDEF", octet));
        CHECK_INT(span_is(o, SPAN_DIGIT), is_in(DIGITS, octet));
        CHECK_INT(span_is(o, SPAN_VALUE), octet == '\t' || (octet >= 0x20 && octet != 0x7f));
    }
}

static void the_vector_loop_stops_where_the_plain_one_does(void) {
    guard buffer = guard_open(256);
    for (size_t len = 0; len <= 80; len++) {
        for (size_t place = 0; place < len; place++) {
            for (int octet = 0; octet < 256; octet++) {
                uint8_t *octets = buffer.end - len;
                memset(octets, 'v', len);
                octets[place] = (uint8_t)octet;
                const uint8_t *plain = span_value_scalar(octets, buffer.end);
                if (span_value(octets, buffer.end) != plain) {
                    CHECK_INT(span_value(octets, buffer.end) - octets, plain - octets);
                }
            }
        }
    }
    guard_close(&buffer);
}

static void the_first_of_two_wrong_octets_is_found_at_every_alignment(void) {
    guard buffer = guard_open(256);
    for (size_t offset = 0; offset < 64; offset++) {
        for (size_t place = 0; place < 99; place++) {
            char octets[100];
            memset(octets, 0xff, sizeof octets);
            octets[place] = '\r';
            octets[99] = '\n';
            const uint8_t *at = guard_put_aligned(&buffer, octets, sizeof octets, offset);
            CHECK_INT(span_value(at, at + sizeof octets) - at, place);
            CHECK_INT(span_value(at, at + place) - at, place);
        }
    }
    guard_close(&buffer);
}

static void letters_are_equal_in_either_case_and_nothing_else_is(void) {
    CHECK(span_equals((const uint8_t *)"Keep-ALIVE", 10, "keep-alive", 10));
    CHECK(!span_equals((const uint8_t *)"keep-alive", 9, "keep-alive", 10));
    CHECK(!span_equals((const uint8_t *)"keep\ralive", 10, "keep-alive", 10)); /* '\r' | 0x20 is '-' */
    CHECK(!span_equals((const uint8_t *)"host\0", 5, "host", 4));
    CHECK(span_equals((const uint8_t *)"", 0, "", 0));
    for (int octet = 0; octet < 256; octet++) {
        const uint8_t o = (uint8_t)octet;
        CHECK_INT(span_equals(&o, 1, "z", 1), octet == 'z' || octet == 'Z');
        CHECK_INT(span_equals(&o, 1, "[", 1), octet == '[');
    }
}

int main(void) {
    RUN(the_classes_hold_what_the_rfcs_list);
    RUN(the_vector_loop_stops_where_the_plain_one_does);
    RUN(the_first_of_two_wrong_octets_is_found_at_every_alignment);
    RUN(letters_are_equal_in_either_case_and_nothing_else_is);
    return check_end();
}
