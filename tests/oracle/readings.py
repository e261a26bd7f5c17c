"""What each of the two makes of the octets of a connection: a list of requests, and how it ended.

Owns:  the form that both are brought into, and the two readers.
Knows: oracle.c's records through ctypes; h11's events.
Never: decides who is right.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h11

Fields = list[tuple[bytes, bytes]]
Pieces = Sequence[bytes]


@dataclass
class Message:
    """One request; field names are lower-cased. `continues` is whether its client waits for 100 (Continue)."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    continues: bool = False


@dataclass
class Reading:
    """The whole requests, the one that is cut off, and how it ends: "more", "close", or "refused"; then `why` says why.

    The reading of the engine has also the octets at which its requests ended.
    """

    requests: list[Message]
    end: str
    why: str = ""
    cut_off: Message | None = None
    stops: list[int] = field(default_factory=list)


class Ours:
    """The engine's reader, in the library that was compiled of oracle.c."""

    def __init__(self, library: Path) -> None:
        self._run = ctypes.CDLL(str(library)).oracle_run
        self._run.restype = ctypes.c_size_t
        self._run.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p]

    def read(self, pieces: Pieces) -> Reading:
        """Reads a whole connection, which comes in these pieces."""
        octets = b"".join(pieces)
        stops, at = [], 0
        for piece in pieces:
            at += len(piece)
            stops.append(at)
        into = ctypes.create_string_buffer(16 * len(octets) + 4096)
        length = self._run(octets, struct.pack(f"={len(stops)}I", *stops), len(stops), into)
        return _Records(ctypes.string_at(into, length)).reading()


class _Records:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._octets, self._at)
        self._at += struct.calcsize(form)
        return values

    def _text(self) -> bytes:
        (length,) = self._take(">I")
        self._at += length
        return self._octets[self._at - length : self._at]

    def _head(self) -> Message:
        minor, _, continues, fields = self._take(">BBBH")
        method, target = self._text(), self._text()
        pairs = [(self._text().lower(), self._text()) for _ in range(fields)]
        return Message(method, target, b"1.%d" % minor, pairs, continues=bool(continues))

    def reading(self) -> Reading:
        requests: list[Message] = []
        stops: list[int] = []
        message: Message | None = None
        trailers = b""
        while (kind := chr(self._take(">B")[0])) in "RDTN":
            if kind == "R":
                message, trailers = self._head(), b""
                continue
            assert message is not None
            if kind == "D":
                message.body += self._text()
            elif kind == "T":
                trailers += self._text()
            else:
                stops += self._take(">I")
                lines = (line.partition(b":") for line in trailers.split(b"\r\n")[:-1])
                message.trailers = [(name.lower(), value.strip(b" \t")) for name, _, value in lines]
                requests.append(message)
                message = None
        if kind == "E":
            (status,) = self._take(">H")
            return Reading(requests, "refused", f"{status} {self._text().decode()}", message, stops)
        return Reading(requests, "close" if kind == "C" else "more", "", message, stops)


def read_by_h11(pieces: Pieces) -> Reading:
    """h11's reading. Every request is answered 404, so that the next one can come and nothing switches protocols."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536 + 8192)
    reading = Reading([], "more")
    try:
        for piece in pieces:
            connection.receive_data(piece)
            while (event := connection.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Request):
                    reading.cut_off = Message(
                        event.method,
                        event.target,
                        event.http_version,
                        list(event.headers),
                        continues=connection.they_are_waiting_for_100_continue,
                    )
                    continue
                assert reading.cut_off is not None, event
                if isinstance(event, h11.Data):
                    reading.cut_off.body += bytes(event.data)
                    continue
                assert isinstance(event, h11.EndOfMessage), event
                reading.cut_off.trailers = list(event.headers)
                reading.requests.append(reading.cut_off)
                reading.cut_off = None
                if not _goes_on(connection):
                    reading.end = "close"
                    return reading
    except h11.RemoteProtocolError as error:
        reading.end, reading.why = "refused", f"{error.error_status_hint} {error}"
    return reading


def _goes_on(connection: h11.Connection) -> bool:
    """Answers a request; whether another one may follow."""
    connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
        return False
    connection.start_next_cycle()
    return True
