"""Connections made up by a seed: requests in all their disguises, good ones and bad ones.

Owns:  the productions, and how often each is chosen.
Knows: RFC 9112 and what attackers do to it.
Never: an outcome: which of them are good is for the two readers to say.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

_METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "get", "G!T", "G(T", "G T", ""]
_TARGETS = [
    "/",
    "/a/b",
    "/a?b=c",
    "/a?",
    "/%41",
    "/%zz",
    "/%",
    "/a b",
    "/a#b",
    "//a",
    "/a\\b",
    "/caf\xe9",
    "/a\x01",
    "/a\x7f",
    "/|",
    "/?a[]={b}",
    "*",
    "http://h/p",
    "http://h",
    "http://h:80/?q",
    "http://h:x/",
    "http://h\x7f/",
    "http://u@h/",
    "https://h/",
    "HTTP://h/",
    "ftp://h/",
    "h:80",
    "",
    "a",
    "?a",
    "/'\"<>",
]
_VERSIONS = ["HTTP/1.1"] * 12 + [
    "HTTP/1.0",
    "HTTP/1.2",
    "HTTP/2.0",
    "HTTP/0.9",
    "http/1.1",
    "HTTP/1.10",
    "HTTP/11",
    "HTTP/1.",
    "",
]
_ENDS = ["\r\n"] * 60 + ["\n", "\r", "\r\r\n", "\n\r"]
_HOSTS = ["a"] * 8 + [
    "a:80",
    "[::1]:8",
    "127.0.0.1",
    "",
    "a,b",
    "a b",
    "u@a",
    "a:b",
    "a:",
    "[::1",
    "a/b",
    "%41",
    "a\x01",
    "h\xe9",
]
_LENGTHS = ["{n}"] * 10 + [
    "0{n}",
    "+{n}",
    "-{n}",
    " {n} ",
    "{n}, {n}",
    "{n},{n}",
    "{n},",
    ",{n}",
    "{n} {n}",
    "0x{n}",
    "{n}.0",
    "",
    "{n}a",
    "99999999999999999999999",
    "99999999999999999999999",
    "99999999999999999999999",
    "1e1",
    "\t{n}",
    "{m}",
]
_CODINGS = ["chunked"] * 10 + [
    "Chunked",
    "CHUNKED",
    " chunked ",
    "chunked,",
    ",chunked",
    "gzip, chunked",
    "chunked, gzip",
    "chunked, chunked",
    "identity",
    "xchunked",
    "chunkedx",
    "chunked;a=b",
    "\x0bchunked",
    "chunk\ted",
    "",
    '"chunked"',
    "chunked\x00",
    "gzip",
]
_SIZES = ["{n:x}"] * 14 + [
    "{n:X}",
    "0{n:x}",
    "00000000{n:x}",
    "+{n:x}",
    "-{n:x}",
    "0x{n:x}",
    " {n:x}",
    "{n:x} ",
    "{m:x}",
    "",
    "g",
    "{n:x}_",
    "ffffffffffffffff",
    "{n:x}\t",
]
_EXTENSIONS = [""] * 14 + [
    ";a",
    ";a=b",
    ';a="b"',
    "; a = b",
    ";",
    ";a=",
    ";=b",
    ';a="b',
    ";a[b]=c",
    ";a\x01=b",
    ";a;b=c",
    ';a="\\""',
    ';a="x\ry"',
    ";a\r",
    ";a=b c",
]
_NAMES = [
    "X-A",
    "Accept",
    "Cookie",
    "x",
    "!#$%&'*+-.^_`|~",
    "X A",
    "X-A ",
    " X-A",
    "X:",
    "",
    "X\x00",
    "X\xe9",
    "Con(tent",
    "\tX",
    'X"',
]
_VALUES = [
    "b",
    "a, b",
    "",
    " ",
    "  b\t",
    "b c",
    "\xe9",
    "b\x00c",
    "b\x01",
    "b\x7f",
    "b\rc",
    "b\r\n c",
    "b\n c",
    '"q"',
    "b\x0bc",
    "b\tc",
]
_CONNECTIONS = [
    "close",
    "keep-alive",
    "Close",
    "keep-alive, close",
    "close, x",
    "upgrade",
    "",
    ",",
    "clos",
    "close\t",
    "x;close",
]
_OTHERS = [
    "Expect: 100-continue",
    "Expect: x",
    "Expect:",
    "Upgrade: websocket",
    "Upgrade: h2c, x/1",
    "Trailer: A",
    "TE: trailers",
    "Keep-Alive: timeout=5",
]


# A body that has only just begun to be wrong.
_HALF = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-"


class Generator:
    """Makes one connection's octets for each seed; the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def connection(self) -> bytes:
        """One to three requests, perhaps with something before, between or behind them, perhaps cut off or damaged."""
        some = self._random
        text = "\r\n" * some.choice([0] * 20 + [1, 2]) + "\n" * some.choice([0] * 40 + [1])
        for _ in range(some.choice([1, 1, 1, 2, 3])):
            text += self._request()
        text += some.choice([""] * 30 + ["\r\n", "X", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", _HALF])
        octets = text.encode("latin-1")
        if some.random() < 0.08:
            octets = octets[: some.randrange(len(octets) + 1)]
        if some.random() < 0.08 and octets:
            at = some.randrange(len(octets))
            octets = (
                octets[:at]
                + bytes([some.choice([0, 9, 10, 13, 32, 58, 127, 255, some.randrange(256)])])
                + octets[at + some.randrange(2) :]
            )
        return octets

    def _rarely(self, choices: Sequence[str], usual: str, odds: float = 0.06) -> str:
        return self._random.choice(choices) if self._random.random() < odds else usual

    def _end(self) -> str:
        return self._rarely(_ENDS, "\r\n", 0.1)

    def _request(self) -> str:
        some = self._random
        method = self._rarely(_METHODS, some.choice(["GET", "POST"]))
        target = self._rarely(_TARGETS, some.choice(["/", "/a/b?c=d"]), 0.1)
        space = self._rarely(["  ", "\t", "", "\x0b"], " ", 0.02)
        version = self._rarely(_VERSIONS, "HTTP/1.1", 0.1)
        last = self._rarely([" ", "	"], "", 0.01)
        lines = [f"{method}{space}{target}{self._rarely(['  ', chr(9), ''], ' ', 0.02)}{version}{last}"]
        fields = self._fields()
        body, framing = self._body()
        fields += framing
        some.shuffle(fields)
        return "".join(line + self._end() for line in lines + fields) + self._end() + body

    def _fields(self) -> list[str]:
        some = self._random
        fields = [f"Host:{self._rarely(['', '  ', chr(9)], ' ')}{self._rarely(_HOSTS, 'a', 0.1)}"] * some.choice(
            [1] * 40 + [0, 2]
        )
        for _ in range(some.choice([0, 0, 1, 2])):
            name, value = self._rarely(_NAMES, "X-A", 0.15), self._rarely(_VALUES, "b", 0.25)
            fields.append(f"{name}:{self._rarely(['', '  ', chr(9)], ' ')}{value}")
        if some.random() < 0.1:
            fields.append(f"Connection: {some.choice(_CONNECTIONS)}")
        if some.random() < 0.06:
            fields.append(some.choice(_OTHERS))
        if some.random() < 0.01:
            fields.append(some.choice(["no colon", ": no name", " folded: x", "\tfolded"]))
        return fields

    def _body(self) -> tuple[str, list[str]]:
        """The octets of a body and the fields that frame it, which may not fit together."""
        some = self._random
        kind = some.choice(
            ["none", "none", "length", "length", "chunked", "chunked", "both", "neither"]
            if some.random() < 0.9
            else ["both"]
        )
        if kind == "none":
            return "", []
        content = "".join(some.choice("abc\r\n0") for _ in range(some.choice([0, 1, 5, 20])))
        fields = []
        if kind in ("length", "both"):
            name = self._rarely(["content-length", "Content-Length ", "Content_Length"], "Content-Length")
            fields.append(f"{name}: {self._filled(self._rarely(_LENGTHS, '{n}', 0.25), len(content))}")
            fields += [f"Content-Length: {self._filled('{m}', len(content))}"] * some.choice([0] * 30 + [1])
        if kind in ("chunked", "both"):
            name = self._rarely(["transfer-encoding", "Transfer-Encoding ", "Transfer_Encoding"], "Transfer-Encoding")
            fields.append(f"{name}: {self._rarely(_CODINGS, 'chunked', 0.25)}")
            fields += ["Transfer-Encoding: chunked"] * some.choice([0] * 30 + [1])
            return self._chunks(content), fields
        return content, fields

    def _filled(self, form: str, length: int) -> str:
        return form.replace("{n}", str(length)).replace("{m}", str(max(0, length + self._random.choice([-1, 0, 1]))))

    def _chunks(self, content: str) -> str:
        some = self._random
        text = ""
        while content:
            piece = content[: some.randrange(1, len(content) + 1)]
            content = content[len(piece) :]
            form = self._rarely(_SIZES, "{n:x}", 0.1)
            size = form.format(n=len(piece), m=len(piece) + some.choice([-1, 1]))
            text += f"{size}{self._rarely(_EXTENSIONS, '', 0.15)}{self._end()}{piece}{self._end()}"
        last = self._rarely(["00", "0x0", "", "-0", "000000"], "0", 0.05)
        text += f"{last}{self._rarely(_EXTENSIONS, '', 0.05)}{self._end()}"
        for _ in range(some.choice([0] * 8 + [1, 2])):
            text += f"{self._rarely(_NAMES, 'T', 0.2)}: {self._rarely(_VALUES, 'u', 0.2)}{self._end()}"
        return text + self._end()
