/* Content types by the end of a name. */
#include "mime.h"

#include <ctype.h>

#include "answer.h"
#include "check.h"
/* The table itself, to look at each of its rows. */
#define mime_type mime_type_again
#include "mime.c"
#undef mime_type

#define UNKNOWN "application/octet-stream"

static void check_type(const char *name, const char *wanted) {
    const char *type = mime_type(name, strlen(name));
    check_state.subject = name;
    CHECK_TEXT(type, strlen(type), wanted);
}

static void a_name_has_the_type_of_its_extension(void) {
    check_type("index.html", "text/html; charset=utf-8");
    check_type("a/b.c/app.js", "text/javascript; charset=utf-8");
    check_type("app.mjs", "text/javascript; charset=utf-8");
    check_type("app.3f9a.css", "text/css; charset=utf-8");
    check_type("data.json", "application/json");
    check_type("logo.svg", "image/svg+xml");
    check_type("a.tar.gz", "application/gzip");
    check_type("LOGO.PNG", "image/png");
    check_type("Photo.JpEg", "image/jpeg");
    check_type("module.wasm", "application/wasm");
    check_type("site.webmanifest", "application/manifest+json");
    check_type("font.woff2", "font/woff2");
    check_type("a.7z", "application/x-7z-compressed");
}

static void what_is_not_known_is_octets(void) {
    static const char *const names[] = {
        "",         "a",     "README",         "a.",
        ".",        "..",    ".html",          "a/.html",
        "x.html/a", "html",  "a.htmlx",        "a.htm l",
        "a.xhtm",   "/",     "a.webmanifestx", "a.webmanifest.x",
        "a.\xff",   "a.js/", "a.unheard0",     "a.a.long.extensionthatisnot",
        "a..",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_type(names[i], UNKNOWN);
    }
    const char *type = mime_type("a.js\0.html", 10);
    CHECK_INT(strcmp(type, "text/html; charset=utf-8"), 0); /* its length is its length */
}

static void the_rows_are_in_order_and_each_is_found(void) {
    for (size_t i = 0; i < sizeof mime_rows / sizeof *mime_rows; i++) {
        const char *extension = mime_rows[i].extension, *type = mime_rows[i].type;
        char name[32], line[128];
        CHECK(i == 0 || strcmp(mime_rows[i - 1].extension, extension) < 0);
        snprintf(name, sizeof name, "a.%.20s", extension);
        check_type(name, type);
        for (char *letter = name; *letter != '\0'; letter++) {
            *letter = (char)toupper(*letter);
        }
        check_type(name, type);
        CHECK(strlen(type) <= MIME_TYPE_MAX && strchr(type, '/') != NULL);
        CHECK_INT(strncmp(type, "text/", 5) == 0, strstr(type, "; charset=utf-8") != NULL);
        snprintf(line, sizeof line, "Content-Type: %s\r\n", type);
        CHECK(answer_fields_valid((const uint8_t *)line, strlen(line)));
    }
}

int main(void) {
    RUN(a_name_has_the_type_of_its_extension);
    RUN(what_is_not_known_is_octets);
    RUN(the_rows_are_in_order_and_each_is_found);
    return check_end();
}
