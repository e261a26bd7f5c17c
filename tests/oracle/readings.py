"""What each of the two makes of the octets of a connection: a list of requests, and how it ended.

Owns:  the form that both are brought into, and the two readers.
Knows: oracle.c's records through ctypes; h11's events.
Never: decides who is right.
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from pathlib import Path

import h11

Fields = list[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Message:
    """One request; field names are lower-cased."""

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    body: bytes
    trailers: Fields


@dataclass(frozen=True)
class Reading:
    """`end` is "more", "close" or "refused"; then `why` says why."""

    requests: list[Message]
    end: str
    why: str = ""


class Ours:
    """The engine's reading, from the library that was compiled of oracle.c."""

    def __init__(self, library: Path) -> None:
        self._run = ctypes.CDLL(str(library)).oracle_run
        self._run.restype = ctypes.c_size_t
        self._run.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p]

    def read(self, octets: bytes) -> Reading:
        """Reads a whole connection."""
        into = ctypes.create_string_buffer(16 * len(octets) + 4096)
        length = self._run(octets, len(octets), into)
        return _Records(into.raw[:length]).reading()


class _Records:
    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    def _take(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._octets, self._at)
        self._at += struct.calcsize(form)
        return values

    def _octets_of(self, length: int) -> bytes:
        self._at += length
        return self._octets[self._at - length : self._at]

    def _text(self) -> bytes:
        return self._octets_of(self._take(">I")[0])

    def reading(self) -> Reading:
        requests = []
        while (kind := self._take(">B")[0]) == ord("R"):
            version, _, fields, trailers_len, body_len = self._take(">BBHII")
            method, target = self._text(), self._text()
            pairs = [(self._text().lower(), self._text()) for _ in range(fields)]
            lines = self._octets_of(trailers_len).split(b"\r\n")[:-1]
            trailers = [
                (name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)
            ]
            body = self._octets_of(body_len)
            requests.append(Message(method, target, b"1.%d" % version, pairs, body, trailers))
        if kind == ord("E"):
            status = self._take(">H")[0]
            return Reading(requests, "refused", f"{status} {self._text().decode()}")
        return Reading(requests, "close" if kind == ord("C") else "more")


def read_by_h11(octets: bytes) -> Reading:
    """h11's reading. Every request is answered 404, so that the next one can come and nothing switches protocols."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=65536 + 8192)
    requests: list[Message] = []
    connection.receive_data(octets)
    try:
        while True:
            request = connection.next_event()
            if not isinstance(request, h11.Request):
                return Reading(requests, "close" if request is h11.PAUSED else "more")
            body = b""
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
            if not isinstance(event, h11.EndOfMessage):
                return Reading(requests, "more")
            fields, trailers = list(request.headers), list(event.headers)
            requests.append(Message(request.method, request.target, request.http_version, fields, body, trailers))
            connection.send(h11.Response(status_code=404, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is h11.MUST_CLOSE or connection.their_state is not h11.DONE:
                return Reading(requests, "close")
            connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Reading(requests, "refused", f"{error.error_status_hint} {error}")
