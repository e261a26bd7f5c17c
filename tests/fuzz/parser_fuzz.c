/* Invariant: the verdict on a head does not depend on where it is cut, and all that is accepted lies inside of it.
 *
 * Owns:  the comparison of a head that comes whole with the same head octet by octet.
 * Knows: parser.h.
 * Never: a judgement of its own about HTTP; the oracle's tests have that.
 */
#include "parser.h"

#include <strings.h>

#include "fuzz.h"

static const parser_limits limits = {.request_line_bytes_max = 200, .header_bytes_max = 600, .fields_max = 12};

static void check_field(const parser_field *field, const uint8_t *octets, size_t len) {
    FUZZ_CHECK(field->name_len > 0 && field->name >= octets && field->value + field->value_len <= octets + len);
    FUZZ_CHECK(field->name + field->name_len < field->value || field->value_len == 0 || field->name < field->value);
    for (uint32_t i = 0; i < field->name_len; i++) {
        FUZZ_CHECK(field->name[i] > ' ' && field->name[i] < 0x7f && field->name[i] != ':');
    }
    for (uint32_t i = 0; i < field->value_len; i++) {
        const uint8_t octet = field->value[i];
        FUZZ_CHECK((octet >= ' ' || octet == '\t') && octet != 0x7f);
    }
    if (field->value_len > 0) {
        const uint8_t first = field->value[0], last = field->value[field->value_len - 1];
        FUZZ_CHECK(first != ' ' && first != '\t' && last != ' ' && last != '\t');
    }
}

static void check_request(const parser_request *request, const uint8_t *octets, size_t used) {
    FUZZ_CHECK(request->method_len > 0 && request->method >= octets && request->path_len > 0);
    FUZZ_CHECK(request->target >= octets && request->target + request->target_len <= octets + used);
    FUZZ_CHECK(request->field_count <= limits.fields_max && request->minor_version <= 1);
    FUZZ_CHECK((request->framing == PARSER_BODY_LENGTH) == (request->content_length > 0));
    unsigned hosts = 0;
    for (uint32_t i = 0; i < request->field_count; i++) {
        check_field(&request->fields[i], octets, used);
        hosts += request->fields[i].name_len == 4 && strncasecmp((const char *)request->fields[i].name, "host", 4) == 0;
    }
    FUZZ_CHECK(hosts == 1 || (hosts == 0 && request->minor_version == 0));
    for (uint32_t i = 0; i < request->path_len; i++) {
        FUZZ_CHECK(request->path[i] > ' ' && request->path[i] < 0x7f);
    }
    FUZZ_CHECK(memcmp(octets + used - 4, "\r\n\r\n", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len) {
    static parser_request whole, part;
    parser_error whole_error, part_error;
    if (len > 2000) {
        return 0;
    }
    uint8_t *copy = fuzz_copy(octets, len);
    const ptrdiff_t verdict = len == 0 ? 0 : parser_next(copy, len, &limits, &whole, &whole_error);
    FUZZ_CHECK(verdict >= -1 && verdict <= (ptrdiff_t)len);
    FUZZ_CHECK(verdict >= 0 || (whole_error.status >= 400 && whole_error.status <= 505));
    if (verdict > 0) {
        check_request(&whole, copy, (size_t)verdict);
    }
    for (size_t cut = 1; cut <= len; cut++) {
        uint8_t *piece = fuzz_copy(octets, cut);
        const ptrdiff_t early = parser_next(piece, cut, &limits, &part, &part_error);
        free(piece);
        if (early == 0) {
            FUZZ_CHECK(cut < len || verdict == 0);
            continue;
        }
        FUZZ_CHECK((early > 0) == (verdict > 0) && (early < 0 || early == verdict));
        FUZZ_CHECK(early > 0 || part_error.status == whole_error.status);
        break;
    }
    free(copy);
    return 0;
}
