/* The header section of a request, from the first field line to the empty line.
 *
 * Owns:  the grammar of a field line and the bounds of the array of fields.
 * Knows: RFC 9112 section 5; the request line is already in *request.
 * Never: reads at or after stop, or gives a meaning to a field.
 */
#ifndef TINYBEAM_FIELDS_H
#define TINYBEAM_FIELDS_H

#include "parser.h"

/* Parses the whole section, the empty line included. A step of the parser, as parser_refuse tells. */
const uint8_t *fields_next(const uint8_t *at, const uint8_t *stop, const parser_limits *limits, parser_request *request,
                           parser_error *error);

#endif
