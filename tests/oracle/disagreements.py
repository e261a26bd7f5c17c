"""Where the engine and h11 read the same octets differently, and why we stand by our reading.

Owns:  the table; docs/h11-differences.md is made of it.
Knows: our reasons (native/src) and h11's messages, by what they begin with.
Never: a row that no seed comes to: the tests would say so.
"""

# ruff: noqa: E501 - a table is read by its rows

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`who` refuses what the other accepts or still waits for; `why` begins its message."""

    who: str
    why: str
    reason: str
    # Hardly any seed comes to it; the others have to be met by the tests.
    rare: bool = False


WE, H11 = "we refuse", "h11 refuses"

TABLE = (
    Row(
        WE,
        "400 both Transfer-Encoding and Content-Length",
        "RFC 9112 §6.1: ought to be handled as an error; h11 takes the chunks and goes on, which is how requests are smuggled.",
    ),
    Row(WE, "400 Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1: the framing of such a message is faulty."),
    Row(
        WE,
        "400 more than one Content-Length",
        "RFC 9112 §6.3 allows to merge equal ones; whoever is next in line may not.",
    ),
    Row(
        WE,
        "400 Content-Length is not a decimal number",
        "A list or an empty value; h11 merges equal members. Also refused as soon as it is seen, before the head has ended.",
    ),
    Row(
        WE,
        "413 Content-Length is more than any body has",
        "A length that no 64-bit counter holds; h11 takes it and waits for the body.",
    ),
    Row(WE, "413 the chunks are larger", "The body is over the limit; h11 leaves limits to its user."),
    Row(WE, "400 bare CR in a chunk-size line", "RFC 9112 §7.1; h11 takes it for a part of the extension."),
    Row(
        WE,
        "400 a chunk-size line is malformed",
        "RFC 9112 §7.1.1: an extension that is not of the grammar; h11 looks for the end of the line only.",
    ),
    Row(
        WE,
        "400 a chunk does not begin with its size",
        "Refused at the octet that is wrong; h11 waits for the end of the line.",
    ),
    Row(WE, "400 a trailer line is malformed", "Refused at the octet that is wrong; h11 waits for the whole section."),
    Row(
        WE,
        "400 bare LF ends a line",
        "RFC 9112 §2.2 allows it; two readings of a line's end are two readings of a request.",
    ),
    Row(WE, "400 bare CR in a field line", "RFC 9112 §2.2; h11 waits for the end of the head before it looks."),
    Row(WE, "400 a line begins with a bare CR", "RFC 9112 §2.2; refused at once, h11 waits."),
    Row(WE, "400 control character in a field value", "RFC 9110 §5.5 calls it invalid; h11 keeps some of them."),
    Row(
        WE,
        "400 a field line begins with whitespace",
        "RFC 9112 §5.2: obs-fold is to be refused or replaced; h11 replaces it.",
    ),
    Row(WE, "400 a field line has no colon", "Refused at the end of the line; h11 waits for the end of the head."),
    Row(
        WE, "400 a field name is not a token", "Refused at the octet that is wrong; h11 waits for the end of the head."
    ),
    Row(WE, "400 whitespace between field name and colon", "RFC 9112 §5.1; refused at once, h11 waits."),
    Row(WE, "400 Host is not a host and port", "RFC 9112 §3.2: an invalid Host is a 400; h11 does not look into it."),
    Row(WE, "400 more than one Host", "RFC 9112 §3.2; refused at the second one, h11 waits for the end of the head."),
    Row(WE, "400 no Host", "RFC 9112 §3.2 asks for it from HTTP/1.1 on; h11 asks for it in HTTP/1.1 only, not in 1.2."),
    Row(
        WE,
        "400 the method is not a token and a space",
        "Refused at the octet that is wrong; h11 waits for the end of the head.",
    ),
    Row(
        WE,
        "400 the request line does not end with a version",
        "Refused at the octet that is wrong; h11 waits for the end of the head.",
    ),
    Row(
        WE,
        "400 the target is neither a path nor an http URI",
        "RFC 9112 §3.2 knows four forms; h11 takes any visible octets.",
    ),
    Row(WE, "400 the target '*' is only for OPTIONS", "RFC 9112 §3.2.4."),
    Row(WE, "400 an octet that no target may have", "RFC 3986 §3.3; h11 takes any visible octets."),
    Row(WE, "400 '%' without two hex digits", "RFC 3986 §2.1: there is no telling what it stands for."),
    Row(WE, "400 the target's host or port is not valid", "RFC 9112 §3.2; h11 takes any visible octets, or waits."),
    Row(WE, "400 an octet that no authority may have", "RFC 3986 §3.2; h11 takes any visible octets, or waits."),
    Row(WE, "400 a fragment in the target", "RFC 9112 §3.2: a client keeps it to itself."),
    Row(
        WE, "400 user information in the target", "RFC 9110 §4.2.4: likely a phishing link; to be treated as an error."
    ),
    Row(
        WE, "417 an expectation other than 100-continue", "RFC 9110 §10.1.1 allows it, and it tells the client at once."
    ),
    Row(WE, "505 a major version other than 1", "RFC 9110 §15.6.6; h11 waits for the end of the head, or says 400."),
    Row(
        H11,
        "400 no request line received",
        "Empty lines before a request are skipped (RFC 9112 §2.2); h11 says so only of a whole head.",
    ),
    Row(
        WE,
        "400 an octet that this target may not have",
        "Refused at the octet that is wrong; h11 waits for more.",
        rare=True,
    ),
    Row(
        WE, "400 bare CR before the request line", "Refused at the octet that is wrong; h11 waits for more.", rare=True
    ),
    Row(
        WE,
        "400 chunked is not the one and last transfer coding",
        "Refused at the octet that is wrong; h11 waits for more.",
        rare=True,
    ),
    Row(
        WE,
        "400 no CRLF after the content of a chunk",
        "Refused at the octet that is wrong; h11 waits for more.",
        rare=True,
    ),
    Row(
        WE, "413 Content-Length is more than the body may be", "h11 leaves the limit of a body to its user.", rare=True
    ),
    Row(WE, "413 a chunk-size line is too long", "A limit of ours; h11's are others.", rare=True),
    Row(WE, "413 more chunk extensions than content", "A limit of ours; h11 has none.", rare=True),
    Row(WE, "414 the request line is too long", "A limit of ours; h11's are others.", rare=True),
    Row(WE, "431 ", "A limit of ours; h11's are others.", rare=True),
    Row(
        WE,
        "501 a transfer coding besides chunked",
        "Refused at the octet that is wrong; h11 waits for more.",
        rare=True,
    ),
    Row(WE, "501 a method longer than any", "RFC 9112 §3: ought to be a 501; h11 takes any token.", rare=True),
    Row(WE, "400 too many empty lines", "Refused at the octet that is wrong; h11 waits for more.", rare=True),
    Row(H11, "400 illegal request line", "The line is not whole yet; we wait for the octet that decides."),
    Row(
        H11,
        "400 illegal chunk header",
        "Whitespace around the semicolon of an extension is allowed (RFC 9112 §7.1.1, BWS).",
    ),
)

# What both accept, and tell differently.
SAME_MEANING = (
    "HTTP/1.2 is answered as 1.1 and told as 1.1 (RFC 9110 §6.2); h11 tells 1.2.",
    "h11 lower-cases the value of Transfer-Encoding.",
    "h11 closes every connection of HTTP/1.0; we keep it where the client asks for that (RFC 9112 §9.3).",
)


def document() -> str:
    """docs/h11-differences.md."""
    lines = [
        "# Where we read differently from h11",
        "",
        "The engine's parser is tested against h11 with connections made up by a seed (`tests/oracle`):",
        "both read the same octets, and every difference has to be one of these. A row that no seed comes to fails the test, but for those that are rare by nature.",
        "",
        "| who refuses | what is said | why we stand by it |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row.who.removesuffix(' refuse').removesuffix(' refuses')} | {row.why} | {row.reason} |" for row in TABLE
    ]
    lines += ["", "Told differently, but read the same:", ""]
    lines += [f"- {text}" for text in SAME_MEANING]
    return "\n".join(lines) + "\n"
