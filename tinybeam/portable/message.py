"""One request as h11 reads it, from its head to its last trailer.

Owns:  an h11 connection for one message, and the record that Python gets of it.
Knows: h11's events; what head.py and chunks.py have made sure of before.
Never: sees an octet that is not of this message; answers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

import h11

from tinybeam.config import Config
from tinybeam.portable.chunks import Chunks
from tinybeam.portable.head import Head
from tinybeam.portable.refusal import Refused

# The limits are ours, and are kept before h11 sees anything.
_NO_LIMIT: Final = 1 << 40
_ZEROS: Final = re.compile(rb"(\r\nContent-Length:[ \t]*+)0+(?=[0-9])", re.IGNORECASE)

# A request as MessagePack will have it, less its handle (native/include/tinybeam.h).
Record = list[Any]


class Message:
    """A request that is being read. `record` is whole when `complete` is true."""

    __slots__ = ("_body", "_chunks", "_fields", "_h11", "_left", "_trailers", "complete", "head", "length_max")

    def __init__(self, head: Head, config: Config) -> None:
        """Raises Refused when h11 does not take the head."""
        self.head = head
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=_NO_LIMIT)
        self._body = bytearray()
        self._fields = self._trailers = b"\n"
        self._left = head.framing.content_length
        self._chunks = Chunks(config) if head.framing.chunked else None
        self.length_max = config.body_bytes_max
        self.complete = False
        octets = head.octets
        if head.framing.zeros:
            # They are legal all the same.
            octets = _ZEROS.sub(rb"\1", octets, count=1)
        self._feed(octets)

    @property
    def announced(self) -> int:
        """How long its body is at least, as far as its head tells."""
        return self.head.framing.content_length

    @property
    def left(self) -> float:
        """How much of its body is still to come, as far as its head tells."""
        return 0 if self.complete else math.inf if self._chunks is not None else self._left

    @property
    def trailers(self) -> bytes:
        """The fields that came after the body, as the contract has them."""
        return self._trailers

    @property
    def fields(self) -> bytes:
        """The fields of its head, as the contract has them."""
        return self._fields

    def take_body(self) -> bytearray:
        """What of the body has come since it was taken last."""
        body, self._body = self._body, bytearray()
        return body

    def allow(self, body_bytes_max: int) -> None:
        """Lets the body be this long, instead of what the settings say."""
        self.length_max = body_bytes_max
        if self._chunks is not None:
            self._chunks.bytes_max = body_bytes_max

    def read(self, octets: bytes, at: int) -> int:
        """Takes what there is of the body, and returns where that ends. Raises Refused."""
        if self._chunks is not None:
            plain, at = self._chunks.read(octets, at)
        else:
            if self.announced > self.length_max:
                raise Refused(413, "Content-Length is more than the body may be (RFC 9110 §15.5.14)")
            plain = octets[at : at + self._left]
            self._left -= len(plain)
            at += len(plain)
        if plain:
            self._feed(plain)
        return at

    def record(self, handle: int, peer: bytes, *, offered: bool = False) -> Record:
        """The request's term; with `offered`, of its head alone."""
        target = self.head.target
        query = None if target.query is None else target.query.decode("ascii")
        record = [
            handle,
            self.head.method.decode("ascii"),
            target.path.decode("ascii"),
            query,
            self._fields,
            peer,
            target.prefix.decode("ascii"),
            b"" if offered else self._body,
        ]
        if offered:
            return [*record, self._trailers, True]
        return [*record, self._trailers] if len(self._trailers) > 1 else record

    @property
    def record_bytes(self) -> int:
        """About how many octets its term has."""
        return len(self.head.octets) + len(self._body) + len(self._trailers)

    def _feed(self, octets: bytes) -> None:
        """Lets h11 read, and keeps what it tells."""
        try:
            self._h11.receive_data(octets)
            while not self.complete:
                event = self._h11.next_event()
                if isinstance(event, h11.Data):
                    self._body += event.data
                elif isinstance(event, h11.Request):
                    self._fields = _block(event.headers)
                elif isinstance(event, h11.EndOfMessage):
                    self._trailers = _block(event.headers)
                    self.complete = True
                else:
                    return
        except h11.RemoteProtocolError as error:
            raise Refused(400, f"{error} (h11)") from error


def _block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    r"""b"\nname:value\nname:value\n" """
    return b"\n" + b"".join([b"%b:%b\n" % field for field in fields])
