"""What an answer carries: RFC 9110 sections 6.6.1, 8.6, 9.3.2, 10.2.4, 15.3.5, 15.4.5."""

from __future__ import annotations

import datetime
import email.utils
import re
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import RawConn
    from tests.protocol.conftest import CountingApp

DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
IMF_FIXDATE = re.compile(rf"({DAYS}), \d{{2}} ({MONTHS}) \d{{4}} \d{{2}}:\d{{2}}:\d{{2}} GMT")


def test_head_has_the_fields_of_get_and_no_content(conn: RawConn) -> None:
    conn.get("/text")
    get = conn.reply()
    conn.get("/text", method="HEAD")
    head = conn.reply("HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "9", b"")
    assert set(head.headers) == set(get.headers)
    conn.get("/text")  # and so the next response begins where this one ended
    assert conn.reply().body == b"some text"


def test_head_of_a_constant_has_no_content(conn: RawConn) -> None:
    conn.get("/constant", method="HEAD")
    assert conn.reply("HEAD").headers["content-length"] == "8"
    conn.get("/constant")
    assert conn.reply().body == b"constant"


def test_head_of_what_does_not_exist_has_no_content(conn: RawConn) -> None:
    conn.send(b"HEAD / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    assert conn.rest().endswith(b"\r\n\r\n")


def test_204_has_neither_content_nor_a_length(conn: RawConn) -> None:
    conn.get("/none")
    reply = conn.reply()
    assert reply.status == 204
    assert not {"content-length", "transfer-encoding"} & set(reply.headers)
    conn.get("/text")
    assert conn.reply().body == b"some text"


def test_304_has_no_content(conn: RawConn) -> None:
    conn.get("/not-modified")
    reply = conn.reply()
    assert (reply.status, reply.headers["etag"]) == (304, '"1"')
    assert reply.headers.get("content-length", "0") == "0"
    conn.get("/text")
    assert conn.reply().body == b"some text"


@pytest.mark.parametrize("path", ["/text", "/none", "/not-modified", "/constant"])
def test_every_answer_has_a_date_of_now(path: str, conn: RawConn) -> None:
    before = int(time.time())
    conn.get(path)
    date = conn.reply().headers["date"]
    assert IMF_FIXDATE.fullmatch(date)
    told = email.utils.parsedate_to_datetime(date)
    # The engine takes the kernel's coarse clock, which is at most a tick behind.
    assert before - 1 <= told.timestamp() <= time.time()
    assert told.strftime("%a") == date[:3]
    assert told.tzinfo == datetime.UTC


def test_a_refusal_has_a_date_too(conn: RawConn) -> None:
    conn.send(b"nonsense\r\n\r\n")
    reply = conn.reply()
    assert reply.status == 400
    assert IMF_FIXDATE.fullmatch(reply.headers["date"])


@pytest.mark.parametrize("path", ["/text", "/constant"])
def test_no_version_is_told(path: str, conn: RawConn) -> None:
    """Section 10.2.4: details of the software make it easier to attack."""
    conn.get(path)
    assert not re.search(r"\d", conn.reply().headers.get("server", ""))


def test_the_status_line_says_http_1_1_and_the_reason(conn: RawConn) -> None:
    conn.get("/text")
    assert conn.reply().line == "HTTP/1.1 200 OK"
    conn.get("/none")
    assert conn.reply().line == "HTTP/1.1 204 No Content"


def test_a_large_answer_arrives_whole(conn: RawConn, app: CountingApp) -> None:
    """Larger than the socket's buffers, to a client that reads nothing until all was sent."""
    body = bytes(range(256)) * (16 << 10)
    conn.post("/", body)
    assert conn.reply().body == body
