/* The header section: one pass over its lines.
 *
 * Owns:  the grammar of a field line, and the empty line that ends the section.
 * Knows: RFC 9112 sections 2.2 and 5; framing.h for the fields that mean something to us.
 * Never: merges, folds or rewrites a field.
 */
#include "fields.h"

#include "framing.h"
#include "span.h"

static bool fields_is_space(uint8_t octet) {
    return octet == ' ' || octet == '\t';
}

/* The octet at which a name ended is not the colon, or no name came before it. */
static const uint8_t *fields_on_bad_name(bool empty, uint8_t octet, parser_error *error) {
    if (fields_is_space(octet)) {
        return parser_refuse(error, 400,
                             empty ? "a field line begins with whitespace (RFC 9112 §2.2, §5.2)"
                                   : "whitespace between field name and colon (RFC 9112 §5.1)");
    }
    if (octet == '\n' && empty) {
        return parser_refuse(error, 400, "bare LF ends a line (RFC 9112 §2.2)");
    }
    if (octet == '\n' || octet == '\r') {
        return parser_refuse(error, 400, "a field line has no colon (RFC 9112 §5)");
    }
    return parser_refuse(error, 400, "a field name is not a token (RFC 9110 §5.1)");
}

/* The octet at which a value ended is neither of a value nor CR. */
static const uint8_t *fields_on_bad_value(uint8_t octet, parser_error *error) {
    return parser_refuse(error, 400,
                         octet == '\n' ? "bare LF ends a line (RFC 9112 §2.2)"
                                       : "control character in a field value (RFC 9110 §5.5)");
}

/* One field line with its CRLF. */
static const uint8_t *fields_on_line(const uint8_t *at, const uint8_t *stop, parser_field *field, parser_error *error) {
    field->name = at;
    at = span_run(at, stop, SPAN_TOKEN);
    if (at == stop) {
        return NULL;
    }
    if (*at != ':' || at == field->name) {
        return fields_on_bad_name(at == field->name, *at, error);
    }
    field->name_len = (uint32_t)(at - field->name);
    do {
        at++;
    } while (at < stop && fields_is_space(*at));
    field->value = at;
    at = span_value(at, stop);
    if (at == stop) {
        return NULL;
    }
    if (*at != '\r') {
        return fields_on_bad_value(*at, error);
    }
    if (stop - at < 2) {
        return NULL;
    }
    if (at[1] != '\n') {
        return parser_refuse(error, 400, "bare CR in a field line (RFC 9112 §2.2)");
    }
    const uint8_t *value_stop = at;
    while (value_stop > field->value && fields_is_space(value_stop[-1])) {
        value_stop--;
    }
    field->value_len = (uint32_t)(value_stop - field->value);
    return at + 2;
}

const uint8_t *fields_next(const uint8_t *at, const uint8_t *stop, const parser_limits *limits, parser_request *request,
                           parser_error *error) {
    const uint32_t count_max = limits->fields_max < PARSER_FIELDS_MAX ? limits->fields_max : PARSER_FIELDS_MAX;
    framing_state state = {0};
    uint32_t count = 0;
    request->content_length = 0;
    while (at < stop && *at != '\r') {
        if (count == count_max) {
            return parser_refuse(error, 431, "too many fields (RFC 9110 §5.4)");
        }
        at = fields_on_line(at, stop, &request->fields[count], error);
        if (at == NULL) {
            return NULL;
        }
        framing_on_field(&state, &request->fields[count], request, error);
        if (error->status != 0) {
            return NULL;
        }
        count++;
    }
    if (stop - at < 2) {
        return NULL;
    }
    if (at[1] != '\n') {
        return parser_refuse(error, 400, "a line begins with a bare CR (RFC 9112 §2.2)");
    }
    request->field_count = count;
    framing_on_end(&state, request, error);
    return error->status == 0 ? at + 2 : NULL;
}
