/* A host and its port: the check, octet by octet.
 *
 * Owns:  the grammar of reg-name, IPv6address, IPvFuture and port.
 * Knows: RFC 3986 section 3.2; the classes in span.h.
 * Never: resolves, compares or normalises a host.
 */
#include "authority.h"

#include "span.h"

/* reg-name, which an IPv4 address is too: every dotted name of digits is also a name. */
static bool authority_is_name(const uint8_t *at, const uint8_t *stop) {
    for (;;) {
        at = span_run(at, stop, SPAN_REG_NAME);
        if (at == stop) {
            return true;
        }
        if (*at != '%' || stop - at < 3 || !span_is(at[1], SPAN_HEX) || !span_is(at[2], SPAN_HEX)) {
            return false;
        }
        at += 3;
    }
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ) */
static bool authority_is_future(const uint8_t *at, const uint8_t *stop) {
    if (at == stop || (*at | 0x20) != 'v') {
        return false;
    }
    const uint8_t *dot = span_run(at + 1, stop, SPAN_HEX);
    if (dot == at + 1 || dot == stop || *dot != '.' || dot + 1 == stop) {
        return false;
    }
    for (at = dot + 1; at < stop; at++) {
        if (*at != ':' && !span_is(*at, SPAN_REG_NAME)) {
            return false;
        }
    }
    return true;
}

/* Four numbers from 0 to 255 without leading zeros. */
static bool authority_is_ipv4(const uint8_t *at, const uint8_t *stop) {
    for (int part = 0; part < 4; part++) {
        if (part > 0) {
            if (at == stop || *at != '.') {
                return false;
            }
            at++;
        }
        const uint8_t *digits = at;
        unsigned value = 0;
        while (at < stop && at - digits < 3 && span_is(*at, SPAN_DIGIT)) {
            value = value * 10 + (unsigned)(*at - '0');
            at++;
        }
        if (at == digits || value > 255 || (*digits == '0' && at - digits > 1)) {
            return false;
        }
    }
    return at == stop;
}

/* Eight groups of 1 to 4 hex digits; one "::" stands for one group or more; the last two may be an IPv4 address. */
static bool authority_is_ipv6(const uint8_t *at, const uint8_t *stop) {
    int groups = 0;
    bool elided = false;
    if (stop - at >= 2 && at[0] == ':' && at[1] == ':') {
        elided = true;
        at += 2;
    }
    while (at < stop) {
        const uint8_t *end = span_run(at, stop, SPAN_HEX);
        if (end < stop && *end == '.') {
            groups += 2;
            return (elided ? groups <= 7 : groups == 8) && authority_is_ipv4(at, stop);
        }
        if (end == at || end - at > 4) {
            return false;
        }
        groups++;
        at = end;
        if (at == stop) {
            break;
        }
        if (*at != ':' || stop - at < 2) {
            return false;
        }
        at++;
        if (*at == ':') {
            if (elided) {
                return false;
            }
            elided = true;
            at++;
        }
    }
    return elided ? groups <= 7 : groups == 8;
}

/* Five digits say all that a port can be; so many more zeros would only hide one port behind another spelling. */
static bool authority_is_port(const uint8_t *at, const uint8_t *stop) {
    unsigned value = 0;
    if (stop - at > 5 || span_run(at, stop, SPAN_DIGIT) != stop) {
        return false;
    }
    for (; at < stop; at++) {
        value = value * 10 + (unsigned)(*at - '0');
    }
    return value <= 65535;
}

bool authority_valid(const uint8_t *octets, size_t len, authority_port port) {
    const uint8_t *stop = octets + len;
    const uint8_t *colon = octets;
    if (len > 0 && octets[0] == '[') {
        while (colon < stop && *colon != ']') {
            colon++;
        }
        if (colon == stop || !(authority_is_ipv6(octets + 1, colon) || authority_is_future(octets + 1, colon))) {
            return false;
        }
        colon++;
    } else {
        while (colon < stop && *colon != ':') {
            colon++;
        }
        if (colon == octets || !authority_is_name(octets, colon)) {
            return false;
        }
    }
    if (colon == stop) {
        return port == AUTHORITY_PORT_OPTIONAL;
    }
    if (*colon != ':' || (port == AUTHORITY_PORT_REQUIRED && colon + 1 == stop)) {
        return false;
    }
    return authority_is_port(colon + 1, stop);
}
