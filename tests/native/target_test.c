/* The four forms of a request target (RFC 9112 section 3.2), each cut at every octet. */
#include "verdict.h"

#define HOST " HTTP/1.1\r\nHost: a\r\n\r\n"

static const verdict_case cases[] = {
    {"root", OCTETS("GET /" HOST), 0},
    {"all of pchar", OCTETS("GET /-._~!$&'()*+,;=:@a/9%aF//" HOST), 0},
    {"all of query", OCTETS("GET /?-._~!$&'()*+,;=:@a/9%aF//??" HOST), 0},
    {"empty query", OCTETS("GET /?" HOST), 0},
    {"brackets in a query, as browsers send them", OCTETS("GET /?a[]=1&b={x|y}^`" HOST), 0},
    {"brackets in a path", OCTETS("GET /a[1]" HOST), 400},
    {"brace in a path", OCTETS("GET /{a}" HOST), 400},
    {"quote in a query", OCTETS("GET /?a=\"b\"" HOST), 400},
    {"angle in a query", OCTETS("GET /?<script>" HOST), 400},
    {"fragment", OCTETS("GET /a#b" HOST), 400},
    {"fragment after a query", OCTETS("GET /a?b#c" HOST), 400},
    {"backslash", OCTETS("GET /a\\..\\b" HOST), 400},
    {"backslash in a query", OCTETS("GET /?a\\b" HOST), 400},
    {"8-bit octet", OCTETS("GET /caf\xc3\xa9" HOST), 400},
    {"8-bit octet in a query", OCTETS("GET /?caf\xc3\xa9" HOST), 400},
    {"NUL", OCTETS("GET /a\0b" HOST), 400},
    {"DEL", OCTETS("GET /a\x7f" HOST), 400},
    {"HTAB", OCTETS("GET /a\tb" HOST), 400},
    {"VT as a space", OCTETS("GET /\vHTTP/1.1\r\n\r\n"), 400},
    {"bare CR", OCTETS("GET /a\rb" HOST), 400},
    {"LF", OCTETS("GET /a\nb" HOST), 400},
    {"percent with one digit", OCTETS("GET /%4" HOST), 400},
    {"percent without digits", OCTETS("GET /%" HOST), 400},
    {"percent with a bad digit", OCTETS("GET /%4x" HOST), 400},
    {"percent in a query", OCTETS("GET /?a=100%" HOST), 400},
    {"percent before a question mark", OCTETS("GET /%4?" HOST), 400},
    {"no leading slash", OCTETS("GET a/b" HOST), 400},
    {"query alone", OCTETS("GET ?a" HOST), 400},
    {"empty", OCTETS("GET " HOST), 400},
    {"absolute", OCTETS("GET http://a/x?y=1" HOST), 0},
    {"absolute, https, upper case", OCTETS("GET HTTPS://A:443/x" HOST), 0},
    {"absolute, mixed case", OCTETS("GET hTTp://[::1]:80/" HOST), 0},
    {"absolute without a path", OCTETS("GET http://a" HOST), 0},
    {"absolute with a query and no path", OCTETS("GET http://a?b" HOST), 0},
    {"absolute with another host", OCTETS("GET http://b/" HOST), 0},
    {"absolute without Host", OCTETS("GET http://b/ HTTP/1.1\r\n\r\n"), 400},
    {"absolute with a bad Host", OCTETS("GET http://b/ HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400},
    {"absolute, empty host", OCTETS("GET http:///x" HOST), 400},
    {"absolute, only a port", OCTETS("GET http://:80/x" HOST), 400},
    {"absolute, user information", OCTETS("GET http://u:p@a/" HOST), 400},
    {"absolute, bad port", OCTETS("GET http://a:8x0/" HOST), 400},
    {"absolute, comma", OCTETS("GET http://a,b/" HOST), 400},
    {"absolute, open bracket", OCTETS("GET http://[::1/" HOST), 400},
    {"absolute, fragment", OCTETS("GET http://a#b" HOST), 400},
    {"absolute, backslash", OCTETS("GET http://a\\b/" HOST), 400},
    {"absolute, one slash", OCTETS("GET http:/a/" HOST), 400},
    {"absolute, no colon", OCTETS("GET http//a/" HOST), 400},
    {"absolute, a control octet for the colon", OCTETS("GET http\x1a//a/" HOST), 400},
    {"absolute, scheme too long", OCTETS("GET httpss://a/" HOST), 400},
    {"absolute, another scheme", OCTETS("GET ftp://a/" HOST), 400},
    {"absolute, SIP", OCTETS("INVITE sip:a@b SIP/2.0\r\nVia: x\r\n\r\n"), 400},
    {"authority for CONNECT", OCTETS("CONNECT a:443" HOST), 0},
    {"authority for CONNECT, IPv6", OCTETS("CONNECT [::1]:443" HOST), 0},
    {"CONNECT without a port", OCTETS("CONNECT a" HOST), 400},
    {"CONNECT with an empty port", OCTETS("CONNECT a:" HOST), 400},
    {"CONNECT with a path", OCTETS("CONNECT /x" HOST), 400},
    {"CONNECT with a path after the port", OCTETS("CONNECT a:443/x" HOST), 400},
    {"CONNECT with user information", OCTETS("CONNECT u@a:443" HOST), 400},
    {"CONNECT with an asterisk", OCTETS("CONNECT *" HOST), 400},
    {"authority for GET", OCTETS("GET a:80" HOST), 400},
    {"asterisk for OPTIONS", OCTETS("OPTIONS *" HOST), 0},
    {"asterisk for GET", OCTETS("GET *" HOST), 400},
    {"asterisk and more", OCTETS("OPTIONS */" HOST), 400},
    {"asterisk and another octet for the space", OCTETS("OPTIONS */HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {"CONNECT and another octet for the space", OCTETS("CONNECT a:443/HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
    {"HTTP/2 preface", OCTETS("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400},
};

static void a_target_gets_its_verdict_however_it_is_cut(void) {
    VERDICT_CHECK(cases);
}

/* A target, and what is found in it. */
typedef struct parts_case {
    const char *line;
    const char *target;
    const char *prefix;
    const char *path;
    const char *query; /* NULL: none */
} parts_case;

static const parts_case parts[] = {
    {"GET /a/b", "/a/b", "", "/a/b", NULL},
    {"GET /a?", "/a?", "", "/a", ""},
    {"GET /a?b=c?d", "/a?b=c?d", "", "/a", "b=c?d"},
    {"GET //a", "//a", "", "//a", NULL},
    {"GET /%2e%2E/", "/%2e%2E/", "", "/%2e%2E/", NULL},
    {"GET HTTP://u:80/x?y", "HTTP://u:80/x?y", "HTTP://u:80", "/x", "y"},
    {"GET http://u", "http://u", "http://u", "/", NULL},
    {"GET https://u?q", "https://u?q", "https://u", "/", "q"},
    {"OPTIONS http://u", "http://u", "http://u", "*", NULL},
    {"OPTIONS http://u?", "http://u?", "http://u", "/", ""},
    {"OPTIONS *", "*", "", "*", NULL},
    {"OPTIONS /", "/", "", "/", NULL},
    {"CONNECT a.b:443", "a.b:443", "", "a.b:443", NULL},
};

static void a_target_is_taken_apart(void) {
    guard buffer = guard_open(256);
    static parser_request request;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char head[128];
        const int len = snprintf(head, sizeof head, "%s%s", parts[i].line, HOST);
        memset(&request, 0x5a, sizeof request); /* so that nothing is right by chance */
        check_state.subject = parts[i].line;
        CHECK_INT(verdict_once(&buffer, head, (size_t)len, &verdict_limits, &request), len);
        CHECK_TEXT(request.target, request.target_len, parts[i].target);
        CHECK_TEXT(request.target, request.prefix_len, parts[i].prefix);
        CHECK_TEXT(request.path, request.path_len, parts[i].path);
        CHECK_INT(request.query == NULL, parts[i].query == NULL);
        CHECK_TEXT(request.query, request.query_len, parts[i].query == NULL ? "" : parts[i].query);
    }
    guard_close(&buffer);
}

int main(void) {
    RUN(a_target_gets_its_verdict_however_it_is_cut);
    RUN(a_target_is_taken_apart);
    return check_end();
}
