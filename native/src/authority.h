/* A host and its port, as Host fields and request targets carry them.
 *
 * Owns:  the grammar of uri-host [ ":" port ].
 * Knows: RFC 3986 section 3.2 and the numbers a TCP port can have.
 * Never: resolves, compares or normalises a host.
 */
#ifndef TINYBEAM_AUTHORITY_H
#define TINYBEAM_AUTHORITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum authority_port { AUTHORITY_PORT_OPTIONAL, AUTHORITY_PORT_REQUIRED } authority_port;

/* Whether the octets are a host that is not empty and, where one follows, a port from 0 to 65535. The port may be
 * empty ("a:") where it is optional. User information and a comma in the name are refused: no list of hosts. */
bool authority_valid(const uint8_t *octets, size_t len, authority_port port);

#endif
