/* The hook for protocols that a connection may switch to (RFC 9110 §7.8).
 *
 * Owns:  the choice of a protocol from a request's Upgrade fields.
 * Knows: the table of protocols that the room was given; it is empty until one is built.
 * Never: switches by itself: the handler does, by answering 101.
 */
#ifndef TINYBEAM_PROTOCOL_H
#define TINYBEAM_PROTOCOL_H

#include "parser.h"
#include "room.h"

/* The first protocol that the client asks for and the table has: 1 + its index; 0 when there is none. */
uint8_t protocol_find(const conn_protocol *protocols, uint32_t count, const parser_request *request);

#endif
