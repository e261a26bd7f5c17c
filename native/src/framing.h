/* What the fields say about where a request ends and whether the connection goes on.
 *
 * Owns:  the rules for Host, Content-Length, Transfer-Encoding, Connection, Expect and Upgrade.
 * Knows: RFC 9112 sections 3.2, 6 and 9, RFC 9110 section 10.1.1; the version is already in *request.
 * Never: looks at any other field, or at octets outside of one.
 */
#ifndef TINYBEAM_FRAMING_H
#define TINYBEAM_FRAMING_H

#include "parser.h"

/* What the fields so far have said; starts as all zeros. Judged together only when the section has ended. */
typedef struct framing_state {
    bool host;
    bool length;
    bool codings;           /* a Transfer-Encoding line, whatever it says */
    bool codings_malformed; /* not a list of tokens, or chunked more than once */
    bool coding_unknown;
    bool chunked;
    bool chunked_last;
    bool option_close;
    bool option_keep_alive;
    bool option_upgrade;
    bool upgrade;
    bool expect;
} framing_state;

/* Both leave error->status 0 unless they refuse the request. */
void framing_on_field(framing_state *state, const parser_field *field, parser_request *request, parser_error *error);
void framing_on_end(const framing_state *state, parser_request *request, parser_error *error);

#endif
