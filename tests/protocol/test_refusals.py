"""What the engine refuses by itself: none of it reaches Python, and each refusal ends its connection.

RFC 9110 sections 15.5.1 (400), 15.5.14 (413), 15.5.15 (414), 15.6.2 (501), 15.6.6 (505); RFC 6585 section 5 (431).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tinybeam.server import RunningServer

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.protocol.conftest import CountingApp

HOST = b"Host: t\r\n"
LINE = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST

MALFORMED = {
    "no method": b" / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that is no token": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "a control character in the target": b"GET /\x01 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target without a slash": b"GET text HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "a version that is none": b"GET / HTTQ/1.1\r\n" + HOST + b"\r\n",
    "no Host": LINE + b"\r\n",
    "a second Host": LINE + HOST + HOST + b"\r\n",
    "a Host that is none": LINE + b"Host: a b\r\n\r\n",
    "a space before the colon": LINE + HOST + b"Name : value\r\n\r\n",
    "a folded line": LINE + HOST + b"Name: value\r\n more\r\n\r\n",
    "a NUL in a value": LINE + HOST + b"Name: a\0b\r\n\r\n",
    "a bare CR in a value": LINE + HOST + b"Name: a\rb\r\n\r\n",
    "a field without a colon": LINE + HOST + b"Name\r\n\r\n",
    "a field without a name": LINE + HOST + b": value\r\n\r\n",
    "a length that is no number": POST + b"Content-Length: 1x\r\n\r\n",
    "a signed length": POST + b"Content-Length: +1\r\n\r\nx",
    "two lengths": POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "a length and a transfer coding": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a transfer coding that does not end chunked": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n",
    "a chunk size that is no number": POST + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


def refused(conn: RawConn, octets: bytes) -> int:
    """Sends them; the status of the one answer, after which the connection ends."""
    conn.send(octets)
    reply = conn.reply()
    assert reply.headers["connection"] == "close"
    assert reply.headers["content-type"].startswith("text/plain")
    conn.end()
    assert conn.rest() == b""
    return reply.status


def reached_nothing(app: CountingApp, running: RunningServer) -> bool:
    stats = running.stats()
    return app.seen == [] and stats["requests"] == 0 and stats["requests_refused"] == 1


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
def test_malformed_requests_are_refused_with_400(
    octets: bytes, conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, octets) == 400
    assert reached_nothing(app, running)


def test_a_refusal_names_the_section_that_was_broken(conn: RawConn) -> None:
    conn.send(MALFORMED["no Host"])
    assert b"RFC 9112" in conn.reply().body


def test_what_follows_a_refused_request_is_not_looked_at(conn: RawConn, app: CountingApp) -> None:
    conn.send(MALFORMED["two lengths"] + LINE + HOST + b"\r\n")
    assert conn.reply().status == 400
    assert conn.rest() == b""
    assert app.seen == []


@pytest.mark.parametrize("settings", [{"body_bytes_max": 1000}])
@pytest.mark.parametrize(
    "octets",
    [
        POST + b"Content-Length: 1001\r\n\r\n",
        POST + b"Content-Length: 99999999999999999999\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1001,
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1f4\r\n%b\r\n" % (b"x" * 500) * 2 + b"1\r\nx\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    ],
    ids=["length", "huge length", "chunk", "chunks together", "huge chunk"],
)
def test_a_body_that_is_too_large_is_refused_with_413(
    octets: bytes, conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, octets) == 413
    assert reached_nothing(app, running)


@pytest.mark.parametrize("settings", [{"body_bytes_max": 1000}])
def test_a_body_of_exactly_the_limit_is_taken(conn: RawConn) -> None:
    conn.post("/", b"x" * 1000)
    assert conn.reply().body == b"x" * 1000
    conn.send(POST + b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n" + b"y" * 1000 + b"\r\n0\r\n\r\n")
    assert conn.reply().body == b"y" * 1000


@pytest.mark.parametrize("settings", [{"request_line_bytes_max": 100}])
@pytest.mark.parametrize("ending", [b" HTTP/1.1\r\nHost: t\r\n\r\n", b""], ids=["whole", "unfinished"])
def test_a_request_line_that_is_too_long_is_refused_with_414(
    ending: bytes, conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, b"GET /" + b"x" * 100 + ending) == 414
    assert reached_nothing(app, running)


@pytest.mark.parametrize("settings", [{"header_bytes_max": 200, "header_fields_max": 5}])
@pytest.mark.parametrize(
    "octets",
    [
        LINE + HOST + b"Name: " + b"x" * 200 + b"\r\n\r\n",
        LINE + HOST + b"Name: " + b"x" * 400,
        LINE + HOST + b"a:b\r\n" * 5 + b"\r\n",
    ],
    ids=["octets", "unfinished", "fields"],
)
def test_too_many_header_fields_are_refused_with_431(
    octets: bytes, conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, octets) == 431
    assert reached_nothing(app, running)


def test_a_transfer_coding_that_we_do_not_know_is_refused_with_501(
    conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n") == 501
    assert reached_nothing(app, running)


@pytest.mark.parametrize("version", [b"2.0", b"3.0", b"0.9"])
def test_another_major_version_is_refused_with_505(
    version: bytes, conn: RawConn, app: CountingApp, running: RunningServer
) -> None:
    assert refused(conn, b"GET / HTTP/" + version + b"\r\n" + HOST + b"\r\n") == 505
    assert reached_nothing(app, running)


def test_a_refused_connection_costs_no_other(
    running: RunningServer, connect: Callable[[str], RawConn], app: CountingApp
) -> None:
    good = connect(running.url)
    for _ in range(50):
        connect(running.url).send(MALFORMED["TLS"])
        good.get("/text")
        assert good.reply().body == b"some text"
    assert app.seen == ["GET /text"] * 50


def test_trace_is_refused_and_the_methods_that_there_are_are_named(conn: RawConn, app: CountingApp) -> None:
    """RFC 9110 sections 9.3.8 and 15.5.6."""
    conn.send(b"TRACE / HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n")
    reply = conn.reply()
    assert reply.status == 405
    assert "GET, HEAD" in reply.headers["allow"]
    assert b"secret" not in conn.rest()
    assert app.seen == []
