"""How a request's content arrives: RFC 9112 sections 6 and 7.1, RFC 9110 section 10.1.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.protocol.conftest import CountingApp

POST = b"POST / HTTP/1.1\r\nHost: t\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
EXPECT = POST + b"Expect: 100-continue\r\n"


def test_content_of_every_octet_arrives_as_it_was_sent(conn: RawConn) -> None:
    body = bytes(range(256)) * 3
    conn.post("/", body)
    assert conn.reply().body == body


def test_no_length_is_no_content(conn: RawConn) -> None:
    conn.send(POST + b"\r\n")
    assert conn.reply().body == b""


def test_the_same_length_twice_is_one_length(conn: RawConn, app: CountingApp) -> None:
    """Section 6.3: it may be taken for one, or refused; but it must not be two requests."""
    conn.send(POST + b"Content-Length: 3, 3\r\n\r\nabc")
    reply = conn.reply()
    assert (reply.status, reply.body) == (200, b"abc") or reply.status == 400


@pytest.mark.parametrize(
    ("octets", "body"),
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n", b"0123456789" * 2),
        (b"3;name=value\r\nabc\r\n0;last\r\n\r\n", b"abc"),
        (b'3;name="a;b\\"c"\r\nabc\r\n0\r\n\r\n', b"abc"),
        (b"3\r\nabc\r\n0\r\nTrailer: value\r\nAnother: one\r\n\r\n", b"abc"),
        (b"4\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n\r\n"),
    ],
)
def test_chunks_are_put_together(octets: bytes, body: bytes, conn: RawConn) -> None:
    conn.send(CHUNKED + octets)
    assert conn.reply().body == body
    conn.get("/text")  # and what follows them is the next request
    assert conn.reply().body == b"some text"


def test_chunks_that_come_octet_by_octet_are_the_same(conn: RawConn, app: CountingApp) -> None:
    for octet in CHUNKED + b"3;a=b\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nT: v\r\n\r\n":
        conn.send(bytes([octet]))
    assert conn.reply().body == b"abc0123456789abcdef"
    assert app.seen == ["POST /"]


def test_a_body_in_many_chunks_arrives_whole(conn: RawConn) -> None:
    body = bytes(range(256)) * 4096
    chunks = [body[at : at + 1000] for at in range(0, len(body), 1000)]
    conn.send(CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n")
    assert conn.reply().body == body


def test_a_client_that_expects_100_gets_it_before_it_sends(conn: RawConn) -> None:
    conn.send(EXPECT + b"Content-Length: 4\r\n\r\n")
    assert conn.reply().line == "HTTP/1.1 100 Continue"
    conn.send(b"body")
    assert conn.reply().body == b"body"


def test_100_comes_before_chunks_too(conn: RawConn) -> None:
    conn.send(EXPECT + b"Transfer-Encoding: chunked\r\n\r\n")
    assert conn.reply().status == 100
    conn.send(b"4\r\nbody\r\n0\r\n\r\n")
    assert conn.reply().body == b"body"


def test_no_100_for_content_that_has_come_already(conn: RawConn) -> None:
    """RFC 9110 section 10.1.1 allows to leave it out, and a client that did not wait has no use for it."""
    conn.send(EXPECT + b"Content-Length: 4\r\n\r\nbody")
    assert conn.reply().body == b"body"


def test_no_100_where_there_is_no_content(conn: RawConn) -> None:
    conn.get("/text", extra="Expect: 100-continue\r\n")
    assert conn.reply().body == b"some text"


def test_no_100_for_http_1_0(conn: RawConn) -> None:
    conn.send(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    conn.send(b"body")
    assert conn.reply().body == b"body"


@pytest.mark.parametrize("settings", [{"body_bytes_max": 10}])
def test_a_body_that_would_be_refused_is_refused_instead_of_asked_for(conn: RawConn) -> None:
    conn.send(EXPECT + b"Content-Length: 11\r\n\r\n")
    assert conn.reply().status == 413
    assert conn.rest() == b""


@pytest.mark.parametrize("settings", [{"body_bytes_max": 10}])
def test_a_client_that_sends_on_after_its_refusal_can_read_it(conn: RawConn) -> None:
    """RFC 9112 section 9.6: a close over unread octets would take the answer from under the client."""
    conn.send(POST + b"Content-Length: 300000\r\n\r\n" + b"x" * 300_000)
    assert conn.reply().status == 413
    conn.end()
    assert conn.rest() == b""


def test_100_waits_behind_the_answers_before_it(conn: RawConn) -> None:
    conn.send(b"GET /text HTTP/1.1\r\nHost: t\r\n\r\n" + EXPECT + b"Content-Length: 4\r\n\r\n")
    assert [conn.reply().status for _ in range(2)] == [200, 100]
    conn.send(b"body")
    assert conn.reply().body == b"body"
