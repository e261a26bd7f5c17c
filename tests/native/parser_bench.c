/* How fast the parser goes over typical heads. Not a test: it asserts nothing and prints ns and GB/s.
 *
 * Build it as below, and once more with -DSPAN_SCALAR to see what the vector loop is worth:
 *   cd native/src && cc -O2 -std=c11 -D_GNU_SOURCE -I. ../../tests/native/parser_bench.c \
 *       parser.c target.c authority.c fields.c framing.c -o /tmp/parser_bench && /tmp/parser_bench
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "parser.h"
#include "span.h"

#define ROUNDS 9 /* the best of these counts: the others were disturbed */

static const char browser[] =
    "GET /articles/2024/actors-and-sockets?page=2&sort=date&lang=en HTTP/1.1\r\n"
    "Host: www.example.com\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\n"
    "sec-ch-ua-mobile: ?0\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Referer: https://www.example.com/articles/2024/\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=4f1c2a9be0d84c7f9b6a1d3e5c7f9b6a; theme=dark; _ga=GA1.2.1234567890.1700000000; consent=yes\r\n"
    "\r\n";

static const char wrk[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n";

static const char post[] = "POST /echo HTTP/1.1\r\n"
                           "Host: 127.0.0.1:8000\r\n"
                           "User-Agent: python-requests/2.32.0\r\n"
                           "Accept-Encoding: gzip, deflate\r\n"
                           "Accept: */*\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: 1024\r\n"
                           "\r\n";

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void measure(const char *name, const char *head, size_t len) {
    const parser_limits limits = {8192, 65536, 100};
    const size_t count = 100000000 / len / 2;
    static parser_request request;
    parser_error error;
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        const double begun = now();
        for (size_t i = 0; i < count; i++) {
            const uint8_t *octets = (const uint8_t *)head;
            __asm__ volatile("" : "+r"(octets) : : "memory"); /* so that no round is optimised away */
            if (parser_next(octets, len, &limits, &request, &error) != (ptrdiff_t)len) {
                fprintf(stderr, "%s: refused\n", name);
                return;
            }
        }
        const double seconds = (now() - begun) / (double)count;
        best = seconds < best ? seconds : best;
    }
    printf("%-8s %4zu octets %2" PRIu32 " fields  %7.1f ns  %5.2f GB/s  (vector: %s)\n", name, len, request.field_count,
           best * 1e9, (double)len / best * 1e-9, SPAN_VECTOR);
}

int main(void) {
    measure("browser", browser, sizeof browser - 1);
    measure("wrk", wrk, sizeof wrk - 1);
    measure("post", post, sizeof post - 1);
    return 0;
}
