"""A client that talks to a running server through a socket.

Owns: one kept-alive connection, and making a new one when the server has closed it.
Knows: the standard library's HTTP client, and the URLs of a running server.
Never: sends a request twice; a test must be able to count them.
"""

from __future__ import annotations

import contextlib
import select
import socket
from http.client import HTTPConnection
from typing import Final
from urllib.parse import urlsplit

from tinybeam.http import Headers
from tinybeam.testing.client import Client, Fields
from tinybeam.testing.reply import Reply

# So that a handler that never answers fails its test instead of hanging it. Far above what any answer takes.
TIMEOUT_S: Final = 60

_UNIX: Final = "unix:"


class LiveClient(Client):
    """A client of the server at `url`: "http://127.0.0.1:8000", "http://[::1]:8000" or "unix:/path".

    Close it, or use it as a context manager. Raises OSError and http.client.HTTPException as that module does, when
    nobody listens, the connection breaks, or 60 seconds pass without an octet.
    """

    def __init__(self, url: str) -> None:
        self._conn: HTTPConnection
        if url.startswith(_UNIX):
            self.host = "localhost"
            self._conn = _UnixConnection(url.removeprefix(_UNIX))
        else:
            parts = urlsplit(url)
            self.host = parts.netloc
            self._conn = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)

    def __enter__(self) -> LiveClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the next request opens a new one."""
        self._conn.close()

    def exchange(self, method: str, target: str, fields: Fields, body: bytes) -> Reply:
        conn = self._conn
        if conn.sock is not None and _is_closed(conn.sock):
            conn.close()
        try:
            # Host and Accept-Encoding are ours to give, or not.
            conn.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in fields:
                conn.putheader(name, value)
            # A server may refuse a request before it has read the body, and close; its answer is still to be read.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                conn.endheaders(body or None)
            with conn.getresponse() as response:
                return Reply(response.status, Headers.of(response.getheaders()), response.read())
        except BaseException:
            # What is left on the connection belongs to a request that is over.
            conn.close()
            raise


class _UnixConnection(HTTPConnection):
    """The same over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)


def _is_closed(sock: socket.socket) -> bool:
    """Whether the server has closed this idle connection, or said something that nobody asked for."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
