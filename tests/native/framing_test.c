/* Host, lengths, codings, persistence and expectations, each head cut at every octet. */
#include "verdict.h"

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define END "\r\n\r\n"

static const verdict_case host_cases[] = {
    {"one", OCTETS(GET "Host: a" END), 0},
    {"none", OCTETS(GET "X: y" END), 400},
    {"none in HTTP/1.0", OCTETS("GET / HTTP/1.0\r\nX: y" END), 0},
    {"none and no field at all", OCTETS("GET / HTTP/1.1\r\n\r\n"), 400},
    {"two", OCTETS(GET "Host: a\r\nHost: b" END), 400},
    {"two that are equal", OCTETS(GET "Host: a\r\nX: y\r\nhOST: a" END), 400},
    {"two in HTTP/1.0", OCTETS("GET / HTTP/1.0\r\nHost: a\r\nHost: a" END), 400},
    {"empty", OCTETS(GET "Host:" END), 400},
    {"tab and space around", OCTETS(GET "Host:\t a \t" END), 0},
    {"empty port", OCTETS(GET "Host: a:" END), 0},
    {"a list", OCTETS(GET "Host: a,b" END), 400},
    {"a URI", OCTETS(GET "Host: http://a/" END), 400},
    {"bad in HTTP/1.0", OCTETS("GET / HTTP/1.0\r\nHost: a b" END), 400},
    {"8-bit", OCTETS(GET "Host: a\xff" END), 400},
};

static const verdict_case length_cases[] = {
    {"zero", OCTETS(POST "Content-Length: 0" END), 0},
    {"leading zeros", OCTETS(POST "Content-Length: 0000000000000000000000005" END), 0},
    {"spaces around", OCTETS(POST "Content-Length: \t 5 \t" END), 0},
    {"the largest", OCTETS(POST "Content-Length: 18446744073709551615" END), 0},
    {"one more than the largest", OCTETS(POST "Content-Length: 18446744073709551616" END), 413},
    {"a digit more than the largest", OCTETS(POST "Content-Length: 99999999999999999999" END), 413},
    {"empty", OCTETS(POST "Content-Length:" END), 400},
    {"only spaces", OCTETS(POST "Content-Length: \t " END), 400},
    {"plus", OCTETS(POST "Content-Length: +5" END), 400},
    {"minus", OCTETS(POST "Content-Length: -0" END), 400},
    {"hexadecimal", OCTETS(POST "Content-Length: 0x5" END), 400},
    {"underscore", OCTETS(POST "Content-Length: 0_5" END), 400},
    {"a space inside", OCTETS(POST "Content-Length: 5 5" END), 400},
    {"quoted", OCTETS(POST "Content-Length: \"5\"" END), 400},
    {"no-break space",
     OCTETS(POST "Content-Length: \xa0"
                 "5" END),
     400},
    {"Arabic digit", OCTETS(POST "Content-Length: \xd9\xa5" END), 400},
    {"fraction", OCTETS(POST "Content-Length: 5.0" END), 400},
    {"list of equals", OCTETS(POST "Content-Length: 5, 5" END), 400},
    {"list of others", OCTETS(POST "Content-Length: 5,6" END), 400},
    {"list with an empty member", OCTETS(POST "Content-Length: ,5" END), 400},
    {"twice", OCTETS(POST "Content-Length: 5\r\nContent-Length: 6" END), 400},
    {"twice the same", OCTETS(POST "Content-Length: 5\r\ncONTENT-lENGTH: 5" END), 400},
    {"twice zero", OCTETS(POST "Content-Length: 0\r\nContent-Length: 0" END), 400},
    {"another name", OCTETS(POST "Content_Length: x" END), 0},
};

static const verdict_case coding_cases[] = {
    {"chunked", OCTETS(POST "Transfer-Encoding: chunked" END), 0},
    {"chunked in any case", OCTETS(POST "tRANSFER-eNCODING: \tChUnKeD " END), 0},
    {"with a length", OCTETS(POST "Transfer-Encoding: chunked\r\nContent-Length: 5" END), 400},
    {"with a length before", OCTETS(POST "Content-Length: 5\r\nTransfer-Encoding: chunked" END), 400},
    {"with a length of zero", OCTETS(POST "Content-Length: 0\r\nTransfer-Encoding: chunked" END), 400},
    {"unknown with a length",
     OCTETS(POST "Content-Length: 5\r\nTransfer-Encoding: \xff"
                 "chunked" END),
     400},
    {"empty with a length", OCTETS(POST "Content-Length: 5\r\nTransfer-Encoding:" END), 400},
    {"in HTTP/1.0", OCTETS("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked" END), 400},
    {"gzip before chunked", OCTETS(POST "Transfer-Encoding: gzip, chunked" END), 501},
    {"gzip before chunked, in two lines", OCTETS(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked" END),
     501},
    {"gzip alone", OCTETS(POST "Transfer-Encoding: gzip" END), 400},
    {"chunked before gzip", OCTETS(POST "Transfer-Encoding: chunked, gzip" END), 400},
    {"chunked before identity, in two lines",
     OCTETS(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" END), 400},
    {"chunked twice", OCTETS(POST "Transfer-Encoding: chunked, chunked" END), 400},
    {"chunked twice, in two lines", OCTETS(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END), 400},
    {"chunked twice around another", OCTETS(POST "Transfer-Encoding: chunked, x, chunked" END), 400},
    {"empty", OCTETS(POST "Transfer-Encoding: " END), 400},
    {"empty and chunked, in two lines", OCTETS(POST "Transfer-Encoding:\r\nTransfer-Encoding: chunked" END), 400},
    {"empty member", OCTETS(POST "Transfer-Encoding: ,chunked" END), 400},
    {"empty member at the end", OCTETS(POST "Transfer-Encoding: chunked," END), 400},
    {"parameter", OCTETS(POST "Transfer-Encoding: chunked;q=1" END), 400},
    {"quoted", OCTETS(POST "Transfer-Encoding: \"chunked\"" END), 400},
    {"a tab inside", OCTETS(POST "Transfer-Encoding: chun\tked" END), 400},
    {"a longer word", OCTETS(POST "Transfer-Encoding: xchunked" END), 400},
    {"no-break space",
     OCTETS(POST "Transfer-Encoding: \xa0"
                 "chunked" END),
     400},
    {"another name", OCTETS(POST "Transfer_Encoding: gzip" END), 0},
    {"TE is another field", OCTETS(POST "TE: trailers, chunked" END), 0},
};

static const verdict_case expect_cases[] = {
    {"100-continue", OCTETS(POST "Expect: 100-continue" END), 0},
    {"in any case", OCTETS(POST "eXPECT: 100-CONTINUE" END), 0},
    {"empty", OCTETS(POST "Expect:" END), 0},
    {"unknown", OCTETS(POST "Expect: unicorn" END), 417},
    {"unknown in HTTP/1.0", OCTETS("POST / HTTP/1.0\r\nExpect: unicorn" END), 0},
    {"known and unknown", OCTETS(POST "Expect: 100-continue, x" END), 417},
    {"obfuscated", OCTETS(POST "Expect: x 100-continue" END), 417},
};

static void one_valid_host_is_asked_for(void) {
    VERDICT_CHECK(host_cases);
}
static void a_length_is_one_decimal_number(void) {
    VERDICT_CHECK(length_cases);
}
static void chunked_is_the_only_coding_and_excludes_a_length(void) {
    VERDICT_CHECK(coding_cases);
}
static void only_100_continue_may_be_expected(void) {
    VERDICT_CHECK(expect_cases);
}

/* A head, and what it says about the body and the connection. */
typedef struct meaning_case {
    const char *head;
    parser_framing framing;
    uint64_t length;
    bool keep_alive;
    bool expect_continue;
    bool upgrade;
} meaning_case;

static const meaning_case meanings[] = {
    {POST "X: y" END, PARSER_BODY_NONE, 0, true, false, false},
    {POST "Content-Length: 0" END, PARSER_BODY_NONE, 0, true, false, false},
    {POST "Content-Length: 0018446744073709551615" END, PARSER_BODY_LENGTH, UINT64_MAX, true, false, false},
    {GET "Host: a\r\nContent-Length: 7" END, PARSER_BODY_LENGTH, 7, true, false, false},
    {POST "Transfer-Encoding: chunked" END, PARSER_BODY_CHUNKED, 0, true, false, false},
    {POST "Connection: close" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Connection: keep-alive, CLOSE" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Connection: close, keep-alive" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Connection: keep-alive\r\nConnection: \tclose\t" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Connection: ,, x ,close," END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "User-Agent: close" END, PARSER_BODY_NONE, 0, true, false, false},
    {POST "Accept: */*\r\nContent-Length: 1" END, PARSER_BODY_LENGTH, 1, true, false, false},
    {POST "Accept: 100-continue\r\nContent-Length: 1" END, PARSER_BODY_LENGTH, 1, true, false, false},
    {POST "Connection: closed" END, PARSER_BODY_NONE, 0, true, false, false},
    {POST "Connection: clos, e" END, PARSER_BODY_NONE, 0, true, false, false},
    {POST "Connection: Transfer-Encoding, Host\r\nTransfer-Encoding: chunked" END, PARSER_BODY_CHUNKED, 0, true, false,
     false},
    {"GET / HTTP/1.0" END, PARSER_BODY_NONE, 0, false, false, false},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive" END, PARSER_BODY_NONE, 0, true, false, false},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Expect: 100-continue\r\nContent-Length: 5" END, PARSER_BODY_LENGTH, 5, true, true, false},
    {POST "Expect: 100-continue\r\nTransfer-Encoding: chunked" END, PARSER_BODY_CHUNKED, 0, true, true, false},
    {POST "Expect: 100-continue" END, PARSER_BODY_NONE, 0, true, false, false},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5" END, PARSER_BODY_LENGTH, 5, false, false, false},
    {GET "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket" END, PARSER_BODY_NONE, 0, true, false, true},
    {GET "Host: a\r\nUpgrade: websocket" END, PARSER_BODY_NONE, 0, true, false, false},
    {GET "Host: a\r\nConnection: upgrade" END, PARSER_BODY_NONE, 0, true, false, false},
    {"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x" END, PARSER_BODY_NONE, 0, false, false, false},
    {POST "Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 5" END, PARSER_BODY_LENGTH, 5, true, false, true},
};

static void a_head_means_what_its_fields_say_together(void) {
    guard buffer = guard_open(4096);
    static parser_request request;
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        const size_t len = strlen(meanings[i].head);
        memset(&request, 0x5a, sizeof request); /* so that nothing is right by chance */
        check_state.subject = meanings[i].head;
        CHECK_INT(verdict_once(&buffer, meanings[i].head, len, &verdict_limits, &request), len);
        CHECK_INT(request.framing, meanings[i].framing);
        CHECK(request.content_length == meanings[i].length);
        CHECK_INT(request.keep_alive, meanings[i].keep_alive);
        CHECK_INT(request.expect_continue, meanings[i].expect_continue);
        CHECK_INT(request.upgrade, meanings[i].upgrade);
    }
    guard_close(&buffer);
}

static void a_list_of_ten_thousand_codings_is_refused(void) {
    static char head[32768];
    static parser_request request;
    guard buffer = guard_open(sizeof head);
    size_t len = (size_t)snprintf(head, sizeof head, POST "Transfer-Encoding: ");
    for (int i = 0; i < 10000; i++) {
        memcpy(head + len, "x,", 2);
        len += 2;
    }
    len += (size_t)snprintf(head + len, sizeof head - len, "chunked\r\n\r\n");
    CHECK_INT(verdict_once(&buffer, head, len, &verdict_limits, &request), -501);
    guard_close(&buffer);
}

int main(void) {
    RUN(one_valid_host_is_asked_for);
    RUN(a_length_is_one_decimal_number);
    RUN(chunked_is_the_only_coding_and_excludes_a_length);
    RUN(only_100_continue_may_be_expected);
    RUN(a_head_means_what_its_fields_say_together);
    RUN(a_list_of_ten_thousand_codings_is_refused);
    return check_end();
}
