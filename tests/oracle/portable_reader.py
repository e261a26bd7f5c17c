"""The portable engine's reading of a connection, in the form that readings are compared in.

Owns:  the way from octets through head.py and message.py to a Reading.
Knows: the limits of oracle.c.
Never: opens a socket.
"""

from __future__ import annotations

from collections.abc import Sequence

from readings import Message, Reading

from tinybeam.config import Config
from tinybeam.portable.head import read_head
from tinybeam.portable.message import Message as Incoming
from tinybeam.portable.refusal import Refused

LIMITS = Config(
    request_line_bytes_max=8192,
    header_bytes_max=65536,
    header_fields_max=100,
    body_bytes_max=1 << 20,
    chunk_extension_bytes_max=256,
)


def read_by_portable(pieces: Sequence[bytes]) -> Reading:
    """Reads a whole connection, which comes in these pieces."""
    reading = Reading([], "more")
    kept, at = b"", 0
    incoming: Incoming | None = None
    try:
        for piece in pieces:
            kept += piece
            while reading.end == "more":
                if incoming is None:
                    head = read_head(kept, LIMITS) if kept else None
                    if head is None:
                        break
                    incoming = Incoming(head, LIMITS)
                    reading.cut_off = told(incoming)
                    kept, at = kept[head.end :], at + head.end
                if not incoming.complete:
                    used = incoming.read(kept, 0)
                    kept, at = kept[used:], at + used
                reading.cut_off = told(incoming)
                if not incoming.complete:
                    break
                reading.requests.append(reading.cut_off)
                reading.stops.append(at)
                if not incoming.head.framing.keep_alive:
                    reading.end = "close"
                incoming = reading.cut_off = None
    except Refused as refused:
        reading.end, reading.why = "refused", f"{refused.status} {refused.reason}"
    return reading


def told(incoming: Incoming) -> Message:
    """As much of a request as has come."""
    head = incoming.head
    _, _, _, _, fields, _, prefix, body, *rest = incoming.record(0, b"")
    target = head.octets.split(b" ", 2)[1]
    return Message(
        head.method,
        target,
        b"1.0" if head.http10 else b"1.1",
        pairs(fields),
        bytes(body),
        pairs(rest[0]) if rest else [],
        head.framing.expect_continue,
    )


def pairs(block: bytes) -> list[tuple[bytes, bytes]]:
    lines = (line.partition(b":") for line in block.split(b"\n")[1:-1])
    return [(name, value) for name, _, value in lines]
