"""What tests of uploads share: how they are sent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import RawConn

LARGE = os.urandom(1 << 20) * 3
CHUNKED = "Transfer-Encoding: chunked\r\n"
EXPECT = "Expect: 100-continue\r\n"


def post(conn: RawConn, path: str, length: int | None, extra: str = "", body: bytes = b"") -> None:
    framing = CHUNKED if length is None else f"Content-Length: {length}\r\n"
    conn.send(f"POST {path} HTTP/1.1\r\nHost: t\r\n{framing}{extra}\r\n".encode() + body)


def chunk(octets: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(octets), octets)
