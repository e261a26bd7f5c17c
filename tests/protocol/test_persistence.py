"""How long a connection lasts: RFC 9112 section 9.3, 9.6 and 9.7."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.protocol.conftest import CountingApp

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def test_http_1_1_persists_without_being_asked(conn: RawConn) -> None:
    for _ in range(5):
        conn.get("/text")
        reply = conn.reply()
        assert reply.body == b"some text"
        assert "connection" not in reply.headers


@pytest.mark.parametrize("value", ["close", "CLOSE", "keep-alive, close", "close, te", "  close\t"])
def test_close_ends_the_connection_after_the_answer(value: str, conn: RawConn) -> None:
    conn.get("/text", extra=f"Connection: {value}\r\n")
    reply = conn.reply()
    assert (reply.body, reply.headers["connection"]) == (b"some text", "close")
    assert conn.rest() == b""


def test_a_second_connection_line_counts_too(conn: RawConn) -> None:
    conn.get("/text", extra="Connection: te\r\nConnection: close\r\n")
    assert conn.reply().headers["connection"] == "close"
    assert conn.rest() == b""


def test_nothing_after_a_request_that_closes_reaches_the_app(conn: RawConn, app: CountingApp) -> None:
    conn.send(b"GET /last HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n" + GET * 3)
    assert conn.reply().status == 200
    assert conn.rest() == b""
    assert app.seen == ["GET /last"]


def test_http_1_0_closes_by_default(conn: RawConn) -> None:
    conn.send(b"GET /text HTTP/1.0\r\n\r\n")
    reply = conn.reply()
    assert (reply.line, reply.body) == ("HTTP/1.1 200 OK", b"some text")
    assert reply.headers.get("connection", "close") == "close"
    assert conn.rest() == b""


def test_http_1_0_persists_when_asked_and_is_told_so(conn: RawConn) -> None:
    for _ in range(3):
        conn.send(b"GET /text HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        reply = conn.reply()
        assert (reply.body, reply.headers["connection"]) == (b"some text", "keep-alive")


def test_a_constant_follows_the_same_rules(conn: RawConn) -> None:
    conn.get("/constant")
    assert conn.reply().body == b"constant"
    conn.get("/constant", extra="Connection: close\r\n")
    assert conn.reply().headers["connection"] == "close"
    assert conn.rest() == b""


def test_empty_lines_before_a_request_line_are_skipped(conn: RawConn) -> None:
    """RFC 9112 section 2.2: after the body of an earlier request some clients send one."""
    conn.send(GET + b"\r\n" + GET)
    assert [conn.reply().status for _ in range(2)] == [200, 200]


def test_a_client_that_has_said_all_still_gets_its_answers(conn: RawConn, app: CountingApp) -> None:
    """Section 9.6: half a close is not a whole one."""
    conn.send(GET * 3)
    conn.end()
    assert [conn.reply().status for _ in range(3)] == [200] * 3
    assert conn.rest() == b""
    assert app.seen == ["GET /"] * 3


def test_a_connection_that_ends_between_requests_is_just_closed(conn: RawConn, app: CountingApp) -> None:
    conn.end()
    assert conn.rest() == b""
    assert app.seen == []


@pytest.mark.parametrize(
    "part",
    [b"GET / HT", b"GET / HTTP/1.1\r\nHost: t\r\n", b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nfou"],
)
def test_a_connection_that_ends_inside_a_request_runs_nothing(part: bytes, conn: RawConn, app: CountingApp) -> None:
    """Section 8: an incomplete message must not be handled as if it were complete."""
    conn.send(part)
    conn.end()
    rest = conn.rest()
    assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert app.seen == []
