"""The framing of a chunked body, looked at before h11: what passes is given on in its plainest form.

Owns:  the grammar of chunk-size lines and trailer lines, and what they may cost.
Knows: RFC 9112 section 7.1; that h11 looks only for the end of a chunk-size line, and refuses some that are legal.
Never: keeps content; gives on an extension, which nobody here has a use for.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from tinybeam.config import Config
from tinybeam.portable.head import refuse_line
from tinybeam.portable.refusal import Refused

_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_QUOTED: Final = rb'"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e\x80-\xff])*+"'
_SIZE: Final = re.compile(
    rb"([0-9A-Fa-f]++)(?:[ \t]*+;[ \t]*+"
    + _TOKEN
    + rb"(?:[ \t]*+=[ \t]*+(?:"
    + _TOKEN
    + rb"|"
    + _QUOTED
    + rb"))?)*+\r\n"
)
# How such a line may begin: a size, and nothing that ends a line.
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]++(?:[ \t;][\t\x20-\x7e\x80-\xff]*+)?+\r?")
_DIGITS: Final = re.compile(rb"[0-9A-Fa-f]*+")
_TRAILER: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[\t\x20-\x7e\x80-\xff]*+\r\n")
# A chunk of any size excuses this much of its own line, so that plain small chunks never count as overhead.
_LINE_BYTES_FREE: Final = 16
_SHORT_BYTES: Final = 4096


class _Step(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()
    END = enum.auto()


class Chunks:
    """One chunked body."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._step = _Step.SIZE
        # A line that is not whole yet.
        self._line = bytearray()
        # What h11 is to see beside content.
        self._plain: list[bytes] = []
        # What is left of a chunk, what all announced so far come to, and what their lines have cost.
        self._left = 0
        self._total = 0
        self._overhead = 0
        self._trailer_bytes = 0
        self._trailer_count = 0
        # The largest body that is taken; an offered request is given its own.
        self.bytes_max = config.body_bytes_max

    def read(self, octets: bytes, at: int) -> tuple[bytes, int]:
        """What h11 is to see of the octets from `at` on, and up to where they are of this body. Raises Refused."""
        content: list[bytes] = []
        self._plain.clear()
        while at < len(octets) and self._step is not _Step.END:
            if self._step is _Step.DATA:
                piece = octets[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                content.append(piece)
                if self._left == 0:
                    self._step = _Step.DATA_END
            else:
                at = self._read_line(octets, at)
        # As one chunk: where the client has cut its content means nothing.
        joined = b"".join(content)
        chunk = b"%x\r\n%b\r\n" % (len(joined), joined) if joined else b""
        return chunk + b"".join(self._plain), at

    def _read_line(self, octets: bytes, at: int) -> int:
        """Reads on in a line, and judges it once it is whole, or as much of it as there is."""
        most = at + 2 - len(self._line) if self._step is _Step.DATA_END else len(octets)
        end = octets.find(b"\n", at, most) + 1
        self._line += octets[at : end or most]
        line = bytes(self._line)
        if end:
            self._line.clear()
        match self._step:
            case _Step.SIZE:
                self._on_size_line(line, whole=end > 0)
            case _Step.TRAILER:
                self._on_trailer_line(line, whole=end > 0)
            case _ if not b"\r\n".startswith(line):
                raise Refused(400, "no CRLF after the content of a chunk (RFC 9112 §7.1)")
            case _ if end:
                self._step = _Step.SIZE
        return end or min(most, len(octets))

    def _on_size_line(self, line: bytes, *, whole: bool) -> None:
        """Refuses what is wrong in as much of a chunk-size line as has come."""
        digits = _DIGITS.match(line)
        assert digits is not None
        if not digits[0]:
            raise Refused(400, "a chunk does not begin with its size (RFC 9112 §7.1)")
        if len(line.rstrip(b"\r\n")) > self._config.chunk_extension_bytes_max:
            raise Refused(413, "a chunk-size line is too long (RFC 9112 §7.1.1)")
        size = int(digits[0], 16)
        if self._total + size > self.bytes_max:
            raise Refused(413, "the chunks are larger than the body may be (RFC 9110 §15.5.14)")
        if (_SIZE if whole else _SIZE_BEGUN).fullmatch(line) is None:
            raise Refused(400, "a chunk-size line is malformed (RFC 9112 §7.1)")
        if whole:
            self._on_size(size, len(line) - 2)

    def _on_size(self, size: int, line_bytes: int) -> None:
        """A chunk of this size begins."""
        # Long lines before small chunks cost us and carry nothing: their excess over what the chunks carry is summed up
        # and bounded, however many lines it is spread over.
        self._overhead = max(0, self._overhead + line_bytes - size - _LINE_BYTES_FREE)
        if self._overhead > self._config.chunk_extension_bytes_max:
            raise Refused(413, "more chunk extensions than content (RFC 9112 §7.1.1)")
        self._total += size
        self._left = size
        self._step = _Step.DATA if size else _Step.TRAILER
        if not size:
            self._plain.append(b"0\r\n")

    def _on_trailer_line(self, line: bytes, *, whole: bool) -> None:
        """Refuses what is wrong in as much of a trailer line, or of the empty one behind them, as has come."""
        if b"\r\n".startswith(line):
            if whole:
                self._step = _Step.END
                self._plain.append(line)
            return
        most = self._config.header_bytes_max - self._trailer_bytes
        if len(line) > most:
            _refuse_trailer(line[:most])
            raise Refused(431, "the trailer section is too large (RFC 9110 §6.5)")
        if self._trailer_count == self._config.header_fields_max:
            raise Refused(431, "too many trailer fields (RFC 9110 §6.5)")
        if whole and _TRAILER.fullmatch(line):
            self._trailer_bytes += len(line)
            self._trailer_count += 1
            self._plain.append(line)
        elif whole or len(line) <= _SHORT_BYTES:
            # So that a long line costs linear time, it is looked at once it is whole.
            _refuse_trailer(line)


def _refuse_trailer(line: bytes) -> None:
    """Raises Refused if something is wrong in as much of a line as has come."""
    try:
        refuse_line(line, 0, len(line))
    except Refused as refused:
        raise Refused(400, "a trailer line is malformed (RFC 9112 §5, §7.1.2)") from refused
