/* The hook for other protocols; see protocol.h.
 *
 * Owns:  the reading of an Upgrade field: a list of names, each with an optional version.
 * Knows: that the client's order is its preference.
 * Never: costs a request that asks for no upgrade anything.
 */
#include "protocol.h"

#include <string.h>

#include "span.h"

static uint8_t protocol_of(const conn_protocol *protocols, uint32_t count, const uint8_t *name, size_t len) {
    for (uint32_t i = 0; i < count; i++) {
        if (span_equals(name, len, protocols[i].token, strlen(protocols[i].token))) {
            return (uint8_t)(i + 1);
        }
    }
    return 0;
}

uint8_t protocol_find(const conn_protocol *protocols, uint32_t count, const parser_request *request) {
    for (uint32_t i = 0; i < request->field_count && count > 0; i++) {
        const parser_field *field = &request->fields[i];
        if (!span_equals(field->name, field->name_len, "upgrade", 7)) {
            continue;
        }
        const uint8_t *at = field->value;
        const uint8_t *stop = at + field->value_len;
        while (at < stop) {
            const uint8_t *end = span_run(at, stop, SPAN_TOKEN);
            const uint8_t found = protocol_of(protocols, count, at, (size_t)(end - at));
            const bool whole = end == stop || *end == ',' || *end == ' ' || *end == '\t' || *end == '/';
            if (found != 0 && whole) {
                return found;
            }
            const uint8_t *comma = memchr(end, ',', (size_t)(stop - end));
            at = comma == NULL ? stop : comma + 1;
            while (at < stop && (*at == ' ' || *at == '\t')) {
                at++;
            }
        }
    }
    return 0;
}
