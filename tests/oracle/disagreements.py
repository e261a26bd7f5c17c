"""Where the engine and h11 read the same octets differently, and why we stand by our reading.

Owns:  the table; docs/h11-differences.md is made of it.
Knows: our reasons (native/src) and h11's messages, by what they begin with.
Never: a row that no seed comes to, or one that its own example does not: the tests would say so.
"""

# ruff: noqa: E501 - a table is read by its rows

from __future__ import annotations

import re
from dataclasses import dataclass

WE, H11, NOBODY = "we refuse", "h11 refuses", "nobody refuses"


@dataclass(frozen=True)
class Row:
    """`who` refuses what the other one accepts, or accepts as far as it goes.

    `why` begins the message; `shows` is found in the octets from where the message begins; `example` is short and such.
    With `later` the other one refuses it too, but only when a line or a section is whole.
    """

    who: str
    why: str
    shows: re.Pattern[bytes]
    example: bytes
    reason: str
    later: bool = False


def _shows(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.MULTILINE | re.IGNORECASE)


def _line(line: bytes) -> bytes:
    return line + b"\r\nHost: a\r\n\r\n"


def _fields(*lines: bytes, version: bytes = b"HTTP/1.1") -> bytes:
    return b"\r\n".join([b"GET / " + version, *lines, b"", b""])


def _chunks(octets: bytes) -> bytes:
    return _fields(b"Host: a", b"Transfer-Encoding: chunked") + octets


_TOKEN = rb"[\w!#$%&'*+.^`|~-]+"
_EXTENSION = rb'[ \t]*;[ \t]*%b([ \t]*=[ \t]*(%b|"([^"\\\0-\x08\n-\x1f\x7f]|\\[\t -~\x80-\xff])*"))?' % (_TOKEN, _TOKEN)

_TARGET = (
    (
        "400 the target is neither a path nor an http URI",
        rb"\A\s*\S+ (?!/|https?://|\*)",
        b"GET ftp://h/ HTTP/1.1",
        "RFC 9112 §3.2 knows four forms of a target; h11 takes any visible octets.",
    ),
    (
        "400 the target '*' is only for OPTIONS",
        rb"\A\s*(?!OPTIONS )\S+ \*",
        b"GET * HTTP/1.1",
        "RFC 9112 §3.2.4.",
    ),
    (
        "400 the target's host or port is not valid",
        rb"\A\s*(CONNECT|\S+ https?:)",
        b"CONNECT / HTTP/1.1",
        "RFC 9112 §3.2.3: CONNECT names a host and a port; RFC 9110 §4.2.1: the host of a URI is not empty.",
    ),
    (
        "400 an octet that this target may not have",
        rb"\A\s*(OPTIONS \*|CONNECT )[^ ]",
        b"OPTIONS *a HTTP/1.1",
        "RFC 9112 §3.2.3 and §3.2.4: nothing follows the asterisk or the port.",
    ),
    (
        "400 an octet that no target may have",
        rb"\A\s*\S+ [^ ]*[^\w/?%:@!$&'()*+,;=.~#-]",
        b"GET /| HTTP/1.1",
        "RFC 3986 §3.3; h11 takes any visible octets.",
    ),
    (
        "400 an octet that no authority may have",
        rb"\A\s*\S+ https?://[^ /?]*[^ /?\w:@!$&'()*+,;=.~%\[\]-]",
        b"GET http://h| HTTP/1.1",
        "RFC 3986 §3.2.",
    ),
    (
        "400 '%' without two hex digits",
        rb"\A\s*\S+ [^ ]*%(?![0-9a-f]{2})",
        b"GET /% HTTP/1.1",
        "RFC 3986 §2.1: there is no telling what it stands for.",
    ),
    (
        "400 a fragment in the target",
        rb"\A\s*\S+ [^ ]*#",
        b"GET /#a HTTP/1.1",
        "RFC 9112 §3.2: a client keeps it to itself.",
    ),
    (
        "400 user information in the target",
        rb"\A\s*\S+ [^ ]*@",
        b"GET http://u@h/ HTTP/1.1",
        "RFC 9110 §4.2.4: likely a phishing link, to be treated as an error.",
    ),
    (
        "505 a major version other than 1",
        rb"\A\s*[^\n]* HTTP/[02-9]\.",
        b"GET / HTTP/2.0",
        "RFC 9110 §15.6.6; h11 answers any version in its own.",
    ),
    (
        "501 a method longer than any",
        rb"\A\s*[^ ]{33}",
        b"M" * 33 + b" / HTTP/1.1",
        "RFC 9112 §3 advises 501, and no method is that long.",
    ),
    (
        "414 the request line is too long",
        rb"\A\s*[^\n]{8192}",
        b"GET /" + b"a" * 8192 + b" HTTP/1.1",
        "RFC 9112 §3; h11 has one limit for the whole head.",
    ),
)

_HEAD = (
    (
        "400 the request line does not end with a version",
        rb"\A\s*[^\r\n]* HTTP/\d\.\d\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        "RFC 9112 §2.2 allows a bare LF; two readings of where a line ends are two readings of a request.",
    ),
    (
        "400 bare LF ends a line",
        rb"(?<!\r)\n",
        _fields(b"Host: a\nX: b"),
        "The same, in a field line.",
    ),
    (
        "400 a field line begins with whitespace",
        rb"^[ \t]",
        _fields(b"Host: a", b" b"),
        "RFC 9112 §5.2: obs-fold is to be refused or replaced; h11 replaces it.",
    ),
    (
        "400 control character in a field value",
        rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]",
        _fields(b"Host: a", b"X: \x7f"),
        "RFC 9110 §5.5 calls it invalid, and lets no more than a trusting recipient keep it; h11 keeps all but NUL and spaces.",
    ),
    (
        "400 no Host",
        rb"\A\s*[^\r\n]* HTTP/1\.[2-9]\r\n(?!([^\r\n]+\r\n)*host:)",
        _fields(version=b"HTTP/1.2"),
        "RFC 9112 §3.2: every later minor version of 1 needs one too; h11 asks for it in 1.1 alone.",
    ),
    (
        "400 Host is not a host and port",
        rb"^host:(?![ \t]*(\[::1\]|([\w.~!$&'()*+;=-]|%[0-9a-f]{2})+)(:\d{0,4})?[ \t]*\r\n)",
        _fields(b"Host: a b"),
        "RFC 9112 §3.2: an invalid Host is a 400, and no http URI has an empty one (RFC 9110 §4.2.1); h11 does not look into it.",
    ),
    (
        "417 an expectation other than 100-continue",
        rb"^expect:(?![ \t,]*(100-continue[ \t,]*)*\r\n)",
        _fields(b"Host: a", b"Expect: b"),
        "RFC 9110 §10.1.1 allows it, and it tells the client at once; h11 leaves it to its user.",
    ),
    (
        "431 too many fields",
        rb"([^\n]+\n){100}",
        _fields(b"Host: a", *[b"X: b"] * 100),
        "RFC 9110 §5.4; h11 has one limit for the whole head.",
    ),
    (
        "431 the header section is too large",
        rb"[^\n]{60000}",
        _fields(b"Host: a", b"X: " + b"b" * 65536),
        "RFC 9110 §5.4; our limits are closer.",
    ),
)

_FRAMING = (
    (
        "400 both Transfer-Encoding and Content-Length",
        rb"^(transfer-encoding:[^\0]*^content-length|content-length:[^\0]*^transfer-encoding):",
        _fields(b"Host: a", b"Content-Length: 1", b"Transfer-Encoding: chunked"),
        "RFC 9112 §6.1: ought to be handled as an error; h11 takes the chunks and goes on, which is how requests are smuggled.",
    ),
    (
        "400 Transfer-Encoding in HTTP/1.0",
        rb"\A\s*[^\r\n]* HTTP/1\.0\r\n([^\r\n]+\r\n)*transfer-encoding:",
        _fields(b"Transfer-Encoding: chunked", version=b"HTTP/1.0"),
        "RFC 9112 §6.1: the framing of such a message is faulty.",
    ),
    (
        "400 more than one Content-Length",
        rb"^content-length:([^\n]*\n)+content-length:",
        _fields(b"Host: a", b"Content-Length: 1", b"Content-Length: 1"),
        "RFC 9112 §6.3 allows to merge equal ones, or to refuse them; whoever is next in line may not merge.",
    ),
    (
        "400 Content-Length is not a decimal number",
        rb"^content-length:(?![ \t]*[0-9]+[ \t]*\r\n)",
        _fields(b"Host: a", b"Content-Length: 1, 1"),
        "The same for a list of equal ones in one field.",
    ),
    (
        "413 Content-Length is more than any body has",
        rb"^content-length:[ \t]*[0-9]{20}",
        _fields(b"Host: a", b"Content-Length: 99999999999999999999"),
        "RFC 9110 §8.6: the number must not wrap around in a counter; in Python it does not.",
    ),
    (
        "413 Content-Length is more than the body may be",
        rb"^content-length:[ \t]*[0-9]{7}",
        _fields(b"Host: a", b"Content-Length: 1048577"),
        "RFC 9110 §15.5.14; h11 leaves the limit of a body to its user.",
    ),
    (
        "413 the chunks are larger",
        rb"^[0-9a-f]{6}",
        _chunks(b"100001\r\n"),
        "The same for chunks, before they come.",
    ),
    (
        "413 a chunk-size line is too long",
        rb"^[0-9a-f]+[^\r]{200}",
        _chunks(b"1;a=" + b"b" * 300),
        "RFC 9112 §7.1.1 asks for a limit of extensions.",
    ),
    (
        "413 more chunk extensions than content",
        rb"(^1;a=b+\r\nx\r\n){4}",
        _chunks(b"1;a=" + b"b" * 60 + b"\r\nx\r\n") + (b"1;a=" + b"b" * 60 + b"\r\nx\r\n") * 7,
        "The same for many lines, each of which is short.",
    ),
    (
        "400 a chunk-size line is malformed",
        rb"^[0-9a-f]+(?=[ \t;])(?!(%b)*\r\n)" % _EXTENSION,
        _chunks(b"1;\r\n"),
        "RFC 9112 §7.1.1: not of the grammar of an extension, or whitespace behind the size; h11 looks for the end of the line only.",
    ),
    (
        "400 bare CR in a chunk-size line",
        rb"^[0-9a-f]+;[^\r\n]*\r[^\n]",
        _chunks(b"1;a\rb\r\n"),
        "RFC 9112 §2.2: whoever ends the line there reads another chunk.",
    ),
    (
        "400 a trailer line is malformed",
        rb"^0[^\n]*\r\n([^\r\n]+\r\n)*([ \t]|[^\n]*([\x01-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n))",
        _chunks(b"0\r\nT: u\nV: w\r\n\r\n"),
        "The rules of the header section hold for trailers: no bare LF, no obs-fold, no control characters.",
    ),
    (
        "431 too many trailer fields",
        rb"^0[^\n]*\n([^\n]+\n){100}",
        _chunks(b"0\r\n" + b"T: u\r\n" * 101),
        "RFC 9110 §6.5; the limits of the header section hold for trailers.",
    ),
    (
        "431 the trailer section is too large",
        rb"^0[^\n]*\n([^\n]+\n)*[^\n]{60000}",
        _chunks(b"0\r\nT: " + b"u" * 65536),
        "RFC 9110 §6.5.",
    ),
)

_H11 = (
    (
        "400 no request line received",
        rb"\A\r\n",
        b"\r\n" + _line(b"GET / HTTP/1.1"),
        "RFC 9112 §2.2: an empty line or two before a request are skipped.",
    ),
    (
        "400 illegal request line",
        rb"\A\r(\n|\Z)",
        b"\r",
        "Half of such an empty line is no reason yet.",
    ),
    (
        "400 illegal chunk header",
        rb"^[0-9a-f]+[ \t]+;",
        _chunks(b"1 ;a\r\n"),
        "RFC 9112 §7.1.1: whitespace before the semicolon of an extension is bad, and to be parsed (BWS).",
    ),
    (
        "400 illegal chunk header",
        rb"^0[0-9a-f]{20}",
        _chunks(b"000000000000000000001\r\n"),
        "RFC 9112 §7.1 sets no limit to the digits; ours is that of the line.",
    ),
    (
        "400 bad Content-Length",
        rb"^content-length:[ \t]*0[0-9]{20}",
        _fields(b"Host: a", b"Content-Length: 000000000000000000001"),
        "RFC 9110 §8.6 sets no limit to the digits; what counts is the number.",
    ),
)

TABLE = (
    *(Row(WE, why, _shows(shows), _line(example), reason) for why, shows, example, reason in _TARGET),
    *(Row(WE, why, _shows(shows), example, reason) for why, shows, example, reason in (*_HEAD, *_FRAMING)),
    *(Row(H11, why, _shows(shows), example, reason) for why, shows, example, reason in _H11),
    Row(
        WE,
        "",
        _shows(rb""),
        b"GET / HTTP/1.1\r\nX Y",
        "We refuse at the first octet that is wrong; h11 looks when a line or a section is whole, and then refuses it too.",
        later=True,
    ),
)

# What both accept, and tell differently. The keys are what compare.py calls it.
SAME_MEANING = {
    "version": "HTTP/1.2 and later are told as 1.1, the version that they are answered in (RFC 9110 §6.2); h11 tells 1.2.",
    "fields": "h11 lower-cases the value of Transfer-Encoding.",
    "continues": "A client that expects 100 (Continue) but sends no body waits for nothing; h11 says that it waits.",
    "close": "h11 closes every connection of HTTP/1.0; we keep it where the client asks for that (RFC 9112 §9.3).",
}


def document() -> str:
    """docs/h11-differences.md."""
    lines = [
        "# Where we read differently from h11",
        "",
        "The engine's parser is tested against h11 with connections made up by a seed (`tests/oracle`):",
        "both read the same octets in the same pieces, and every difference has to be one of these: the same side refuses,",
        "for the same reason, and the octets show it. A row that no seed comes to fails the test. The limits are those of the test.",
        "",
        "| who refuses | what is said | for example | why we stand by our reading |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row.who.split()[0]} | {row.why or '(anything)'} | {_cell(row.example)} | {row.reason} |" for row in TABLE
    ]
    lines += ["", "Accepted by both, told differently, and meant the same:", ""]
    lines += [f"- {text}" for text in SAME_MEANING.values()]
    return "\n".join(lines) + "\n"


def _cell(octets: bytes) -> str:
    """The octets of an example, as they look in Python; the middle of a long one is left out."""
    text = repr(octets)[2:-1].replace("|", "\\|")
    return f"`{text}`" if len(text) < 140 else f"`{text[:100]}`…`{text[-20:]}`"
