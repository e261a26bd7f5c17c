"""Heads and bodies: cut anywhere they are read the same, and what each costs grows with its octets.

What is refused, and why, is compared with the native parser in tests/oracle.
"""

from __future__ import annotations

import pytest

from tinybeam.config import Config
from tinybeam.portable import chunks, intake
from tinybeam.portable.authority import is_authority
from tinybeam.portable.head import read_head
from tinybeam.portable.message import Message
from tinybeam.portable.refusal import Refused

CONFIG = Config()
HEAD = b"POST /a%20b?c=d HTTP/1.1\r\nHost: t:80\r\nX-A:  b \r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b'5;a="q\\"";b\r\nhello\r\n0000A \t; c\r\n, world!!!\r\n0\r\nT: u\r\n\r\n'
BAD = (
    b"GET  / HTTP/1.1\r\n",
    b"GET / HTTP/1.1\n",
    b"GET /%zz HTTP/1.1\r\n",
    b"GET http://u@h/ HTTP/1.1\r\n",
    b"GET ftp://h/ HTTP/1.1\r\n",
    b"CONNECT h HTTP/1.1\r\n",
    b"GET * HTTP/1.1\r\n",
    b"GET / HTTP/2.0\r\n",
    b"GET / HTTP/1.1\r\n Host: t\r\n",
    b"GET / HTTP/1.1\r\nHost : t\r\n",
    b"GET / HTTP/1.1\r\nHost: t\nX: y\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nX: \x00\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nHost: t\r\n",
    b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 1, 1\r\n",
    b"\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n",
)


def message(head: bytes, config: Config = CONFIG) -> Message:
    read = read_head(head, config)
    assert read is not None
    return Message(read, config)


def test_a_head_is_not_read_before_it_is_whole() -> None:
    assert [read_head(HEAD[:end], CONFIG) for end in range(len(HEAD))] == [None] * len(HEAD)
    head = read_head(HEAD + b"rest", CONFIG)
    assert head is not None
    assert (head.method, head.target, head.end) == (b"POST", (b"/a%20b", b"c=d", b""), len(HEAD))


@pytest.mark.parametrize("octets", BAD)
def test_a_bad_head_is_refused_at_its_first_wrong_octet_and_from_then_on(octets: bytes) -> None:
    reasons = []
    for end in range(len(octets) + 1):
        try:
            assert read_head(octets[:end], CONFIG) is None
            assert not reasons
        except Refused as refused:
            reasons.append((refused.status, refused.reason))
    assert len(set(reasons)) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_chunked_body_is_read_the_same_in_pieces_of_any_size(size: int) -> None:
    read = message(HEAD)
    for at in range(0, len(BODY), size):
        piece = BODY[at : at + size]
        assert read.read(piece, 0) == len(piece)
    assert read.complete
    assert read.record(7, b"")[7:] == [b"hello, world!!!", b"\nt:u\n"]


def test_nothing_behind_a_body_is_taken() -> None:
    assert message(HEAD).read(BODY + b"GET", 0) == len(BODY)
    assert message(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n").read(b"abcd", 0) == 3


def test_a_record_is_that_of_the_contract() -> None:
    read = message(b"GET http://h/p HTTP/1.1\r\nHost: h\r\nX-A:  b \r\n\r\n")
    assert read.complete
    assert read.record(7, b"peer") == [7, "GET", "/p", None, b"\nhost:h\nx-a:b\n", b"peer", "http://h", b""]
    assert read.record(7, b"", offered=True)[7:] == [b"", b"\n", True]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"g\r\n", 400),
        (b"5 5\r\n", 400),
        (b"5;\r\n", 400),
        (b"5\n", 400),
        (b"5\rhello\r\n", 400),
        (b"1\r\nxy", 400),
        (b"1;" + b"a" * 300, 413),
        (b"f" * 20, 413),
        (b"0\r\nT : u\r\n\r\n", 400),
        (b"0\r\n" + b"T: u\r\n" * 101, 431),
        (b"1;" + b"a" * 200 + b"\r\nx\r\n1;" + b"a" * 200 + b"\r\n", 413),
    ],
)
def test_what_is_wrong_in_a_chunked_body_is_refused(body: bytes, status: int) -> None:
    with pytest.raises(Refused) as caught:
        message(HEAD).read(body, 0)
    assert caught.value.status == status


def test_a_body_may_be_as_long_as_was_allowed_and_no_longer() -> None:
    read = message(HEAD, Config(body_bytes_max=4))
    read.allow(5)
    read.read(b"5\r\nhello\r\n", 0)
    with pytest.raises(Refused) as caught:
        read.read(b"1\r\n", 0)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("host", "good"),
    [
        (b"[::ffff:127.0.0.1]", True),
        (b"[v1.a:b]:1", True),
        (b"a%20b", True),
        (b"h:65535", True),
        (b"h:65536", False),
        (b"h:000080", False),
        (b"[fe80::1%25eth0]", False),
        (b"[1:2:3:4:5:6:7:8:9]", False),
        (b"", False),
        (b"h:x", False),
    ],
)
def test_a_host_and_port_are_told_from_what_is_none(host: bytes, good: bool) -> None:
    assert is_authority(host) is good


# What it costs.


def test_a_head_that_drips_in_is_parsed_a_few_times_only() -> None:
    class Conn:
        seen = 0
        inbox = bytearray()

    parsed = 0
    conn = Conn()
    octets = b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"y" * 60_000
    for at in range(len(octets)):
        conn.inbox += octets[at : at + 1]
        if intake._is_worth_parsing(conn, 1):  # type: ignore[arg-type]
            parsed += 1
            conn.seen = len(conn.inbox)
    assert parsed < 25
    conn.inbox += b"\r"
    assert not intake._is_worth_parsing(conn, 1)  # type: ignore[arg-type]
    conn.inbox += b"\n\r"
    assert intake._is_worth_parsing(conn, 2)  # type: ignore[arg-type]


def test_a_long_trailer_line_is_looked_at_when_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    monkeypatch.setattr(chunks, "refuse_line", lambda octets, at, stop: looked.append(stop))
    read = message(HEAD)
    read.read(b"0\r\nT: ", 0)
    for _ in range(60_000):
        read.read(b"u", 0)
    assert len(looked) < 5000
    read.read(b"\r\n\r\n", 0)
    assert read.complete
