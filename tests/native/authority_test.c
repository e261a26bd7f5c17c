/* Hosts and ports: RFC 3986 section 3.2.2, what it allows and what it does not. */
#include "authority.h"

#include "check.h"
#include "guard.h"

typedef struct authority_case {
    const char *text;
    bool optional; /* valid where the port is optional */
    bool required; /* valid where it is required */
} authority_case;

static const authority_case cases[] = {
    {"a", true, false},
    {"example.com", true, false},
    {"example.com:80", true, true},
    {"a:", true, false},
    {"a:0", true, true},
    {"a:65535", true, true},
    {"a:65536", false, false},
    {"a:000080", false, false},
    {"a:8x", false, false},
    {"a:-1", false, false},
    {"a:80:90", false, false},
    {"", false, false},
    {":80", false, false},
    {"a_b", true, false},
    {"127.0.0.1:8000", true, true},
    {"999.1.1.1", true, false}, /* not an address, but a name */
    {"a!$&'()*+;=b~", true, false},
    {"a%41b", true, false},
    {"a%41", true, false},
    {"a%4", false, false},
    {"a%", false, false},
    {"a%4g", false, false},
    {"a,b", false, false}, /* a legal name, but some read it as two hosts */
    {"a b", false, false},
    {"a/b", false, false},
    {"a?b", false, false},
    {"a#b", false, false},
    {"u@a", false, false},
    {"http://a", false, false},
    {"a\\b", false, false},
    {"a\xc3\xa9", false, false},
    {"a[b]", false, false},
    {"[::1]", true, false},
    {"[::1]:80", true, true},
    {"[::1]:", true, false},
    {"[::1]80", false, false},
    {"[::1]:x", false, false},
    {"[::1", false, false},
    {"::1", false, false},
    {"[]", false, false},
    {"[::]", true, false},
    {"[1:2:3:4:5:6:7:8]", true, false},
    {"[1:2:3:4:5:6:7]", false, false},
    {"[1:2:3:4:5:6:7:8:9]", false, false},
    {"[1::8]", true, false},
    {"[1::]", true, false},
    {"[1:2:3:4:5:6:7::]", true, false},
    {"[::2:3:4:5:6:7:8]", true, false},
    {"[1::2:3:4:5:6:7:8]", false, false},
    {"[1::2::3]", false, false},
    {"[:::]", false, false},
    {"[:1]", false, false},
    {"[1:]", false, false},
    {"[::1:]", false, false},
    {"[1:2:3:4:5:6:7:8:]", false, false},
    {"[1-2-3-4-5-6-7-8]", false, false},
    {"[12345::]", false, false},
    {"[g::]", false, false},
    {"[::ffff:192.0.2.1]", true, false},
    {"[1:2:3:4:5:6:192.0.2.1]", true, false},
    {"[1:2:3:4:5:6:7:192.0.2.1]", false, false},
    {"[1:2:3:4:5::192.0.2.1]", true, false},
    {"[1:2:3:4:5:6::192.0.2.1]", false, false},
    {"[::192.0.2.1:1]", false, false},
    {"[::192.0.2]", false, false},
    {"[::255.255.255.255]", true, false},
    {"[::192.0.2.256]", false, false},
    {"[::192.0-2.1]", false, false},
    {"[::192.0.2.01]", false, false},
    {"[::192.0.2.1.]", false, false},
    {"[192.0.2.1]", false, false},
    {"[fe80::1%25eth0]", false, false}, /* RFC 6874 zones mean something on one machine only */
    {"[v1.a:b]", true, false},
    {"[V1f.x]:1", true, true},
    {"[v.x]", false, false},
    {"[v1.]", false, false},
    {"[v1x]", false, false},
    {"[v1xy]", false, false},
    {"[v1.a@b]", false, false},
    {"[v1.%41]", false, false},
};

static void a_host_is_valid_exactly_where_the_grammar_says_so(void) {
    guard buffer = guard_open(256);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = strlen(cases[i].text);
        const uint8_t *octets = guard_put(&buffer, cases[i].text, len);
        check_state.subject = cases[i].text;
        CHECK_INT(authority_valid(octets, len, AUTHORITY_PORT_OPTIONAL), cases[i].optional);
        CHECK_INT(authority_valid(octets, len, AUTHORITY_PORT_REQUIRED), cases[i].required);
    }
    guard_close(&buffer);
}

static void nothing_but_a_legal_octet_makes_a_name_of_one_octet(void) {
    for (int octet = 0; octet < 256; octet++) {
        const uint8_t name[] = {'a', (uint8_t)octet};
        const bool legal = octet > 0 && octet < 128 && strchr("!$&'()*+;=-._~:", octet) != NULL;
        const bool letter = (octet >= '0' && octet <= '9') || ((octet | 32) >= 'a' && (octet | 32) <= 'z');
        CHECK_INT(authority_valid(name, 2, AUTHORITY_PORT_OPTIONAL), legal || letter);
    }
}

int main(void) {
    RUN(a_host_is_valid_exactly_where_the_grammar_says_so);
    RUN(nothing_but_a_legal_octet_makes_a_name_of_one_octet);
    return check_end();
}
