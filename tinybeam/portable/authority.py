r"""A host and its port: whether octets are one.

Owns:  the grammar of reg-name, IPv6address, IPvFuture and port.
Knows: RFC 3986 section 3.2; the standard library's reading of IPv6 addresses.
Never: resolves, compares or normalises a host.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

# A reg-name without a comma: some read a list there. An IPv4 address is one too.
_NAME: Final = re.compile(rb"(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+")
_FUTURE: Final = re.compile(rb"[vV][0-9A-Fa-f]+\.[A-Za-z0-9\-._~!$&'()*+;=:]+")
_IPV6: Final = re.compile(rb"[0-9A-Fa-f:.]+")
# Five digits say all that a port can be; more zeros would only hide a port behind another spelling.
_PORT: Final = re.compile(rb"[0-9]{0,5}")


def is_authority(octets: bytes, *, port_required: bool = False) -> bool:
    """Whether it is a host, with or without a port; with `port_required`, a port that is not empty has to be there.

    >>> [is_authority(host) for host in (b"a.example", b"[::1]:8000", b"127.0.0.1:", b"a b", b"[::1", b":80", b"a,b")]
    [True, True, True, False, False, False, False]
    """
    if octets.startswith(b"["):
        host, bracket, rest = octets[1:].partition(b"]")
        if not bracket or not (_is_ipv6(host) or _FUTURE.fullmatch(host)):
            return False
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = octets.partition(b":")
        if _NAME.fullmatch(host) is None:
            return False
    if not colon:
        return not port_required
    if colon != b":" or (port_required and not port):
        return False
    return _PORT.fullmatch(port) is not None and int(port or b"0") <= 65_535


def _is_ipv6(octets: bytes) -> bool:
    if _IPV6.fullmatch(octets) is None:
        return False  # a zone, for one, which no URI may have
    try:
        ipaddress.IPv6Address(octets.decode("ascii"))
    except ValueError:
        return False
    return True
