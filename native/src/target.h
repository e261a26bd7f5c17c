/* The request target: from octets to path, query and prefix.
 *
 * Owns:  the grammar of the four forms of a target.
 * Knows: RFC 9112 section 3.2, RFC 3986 section 3; the method is already in *request.
 * Never: decodes, normalises or shortens a path.
 */
#ifndef TINYBEAM_TARGET_H
#define TINYBEAM_TARGET_H

#include "parser.h"

/* Parses the target and the single space after it. A step of the parser, as parser_refuse tells. */
const uint8_t *target_next(const uint8_t *at, const uint8_t *stop, parser_request *request, parser_error *error);

#endif
