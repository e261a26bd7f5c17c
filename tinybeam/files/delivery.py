"""What a request for a file gets: the status, the fields and the segments of the body.

Owns:  the choice between 200, 206, 304, 412 and 416, Content-Range, and the frame of multipart/byteranges.
Knows: RFC 9110 sections 13 to 15; that one range is never sent as multipart (15.3.7.2).
Never: reads the file or sends anything; whoever does sends the segments in their order.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from tinybeam.files.asked import Asked
from tinybeam.files.asset import Asset
from tinybeam.files.condition import Validators, judge
from tinybeam.files.ranges import Span, read_ranges

Segment = bytes | Span


class Delivery(NamedTuple):
    """`fields` are lines; a segment is a span of the file, or octets of the frame around the parts."""

    status: int
    fields: str
    segments: tuple[Segment, ...] = ()

    @property
    def length(self) -> int:
        """Of the body; of a HEAD as of the GET, though nothing of it is sent."""
        return sum(one.octets if isinstance(one, Span) else len(one) for one in self.segments)


def deliver(asked: Asked, file: Asset, now: float) -> Delivery:
    """The answer to a GET or HEAD."""
    status, ranged = judge(asked, Validators(file.etag, file.modified, now))
    if status != 200:
        # What is said of caching is about the file, and must not make a cache keep a 412.
        return Delivery(status, file.lasting if status == 304 else "")
    value = asked.single("range") if ranged else None
    spans = None if value is None else read_ranges(value, file.length)
    if spans is None:
        return Delivery(200, file.many + file.kind_field, (Span(0, file.length),) if file.length else ())
    if not spans:
        return Delivery(416, f"Accept-Ranges: bytes\r\nContent-Range: bytes */{file.length}\r\n")
    if len(spans) == 1:
        return Delivery(206, file.many + file.kind_field + _content_range(spans[0], file), (spans[0],))
    return _many(spans, file)


def _many(spans: list[Span], file: Asset) -> Delivery:
    # Nobody who writes files can foresee it.
    boundary = secrets.token_hex(8)
    segments: list[Segment] = []
    for span in spans:
        line_end = "\r\n" if segments else ""
        frame = f"{line_end}--{boundary}\r\n{file.kind_field}{_content_range(span, file)}\r\n"
        segments += frame.encode("latin-1"), span
    segments.append(f"\r\n--{boundary}--\r\n".encode())
    return Delivery(206, f"{file.many}Content-Type: multipart/byteranges; boundary={boundary}\r\n", tuple(segments))


def _content_range(span: Span, file: Asset) -> str:
    return f"Content-Range: bytes {span.first}-{span.first + span.octets - 1}/{file.length}\r\n"
