"""The four forms of a request target: RFC 9112 section 3.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.protocol.conftest import CountingApp


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("GET / HTTP/1.1", "GET /"),
        ("GET /a/b?c=d&e HTTP/1.1", "GET /a/b?c=d&e"),
        ("GET /? HTTP/1.1", "GET /?"),
        ("GET /%2Fa%20b?%3F HTTP/1.1", "GET /%2Fa%20b?%3F"),
        ("GET /a//b/../c HTTP/1.1", "GET /a//b/../c"),
        ("GET http://example.org/a?b HTTP/1.1", "GET http://example.org/a?b"),
        ("OPTIONS * HTTP/1.1", "OPTIONS *"),
        ("PURGE /a HTTP/1.1", "PURGE /a"),
    ],
)
def test_a_target_reaches_the_app_as_it_was_sent(line: str, seen: str, conn: RawConn, app: CountingApp) -> None:
    conn.send(f"{line}\r\nHost: example.org\r\n\r\n".encode())
    assert conn.reply().status == 200
    assert app.seen == [seen]


def test_a_route_matches_the_path_of_an_absolute_target(conn: RawConn, app: CountingApp) -> None:
    conn.send(b"GET http://t/text HTTP/1.1\r\nHost: t\r\n\r\n")
    assert conn.reply().body == b"some text"
    assert app.seen == ["GET http://t/text"]


def test_a_constant_is_found_by_an_absolute_target_and_with_a_query(conn: RawConn, app: CountingApp) -> None:
    conn.send(b"GET http://t/constant HTTP/1.1\r\nHost: t\r\n\r\n")
    conn.send(b"GET /constant?a=b HTTP/1.1\r\nHost: t\r\n\r\n")
    assert [conn.reply().body for _ in range(2)] == [b"constant"] * 2


def test_methods_are_told_apart_by_case(conn: RawConn, app: CountingApp) -> None:
    """RFC 9110 section 9.1."""
    conn.send(b"get /text HTTP/1.1\r\nHost: t\r\n\r\n")
    assert conn.reply().body == b""  # the fallback's echo, and not the route's text
    assert app.seen == ["get /text"]


def test_a_constant_answers_only_get_and_head(conn: RawConn, app: CountingApp) -> None:
    conn.post("/constant", b"body")
    assert conn.reply().body == b"body"
    assert app.seen == ["POST /constant"]
