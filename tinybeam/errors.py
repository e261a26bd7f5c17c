"""The errors of Tinybeam, sorted by whose fault they are and who acts on them.

Owns:  every exception class that Tinybeam raises on purpose.
Knows: nothing of HTTP, processes or the engine; it stands on the ground floor.
Never: a class for what is a result: an answer that a client did not wait for is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class TinybeamError(Exception):
    """The base of them all."""


class ConfigError(TinybeamError):
    """The caller asked for something that cannot work; raised while starting, never while serving."""


class NativeError(TinybeamError):
    """The engine refused a call; `code` is its negative TB_E... code (native/include/tinybeam.h)."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class HTTPError(TinybeamError):
    """Raise it in a handler to answer with its status; the message is told to the client as text/plain.

    Without a message the client is told the status's reason phrase. `headers`, a mapping or pairs, are added to the
    answer; one that cannot be sent (see `Response`) makes it a 500.
    Raises ValueError when the status is not an int from 300 to 599: an error is not a success.

    >>> str(HTTPError(404, "no such user"))
    '404 no such user'
    >>> HTTPError(405, "read only", headers={"Allow": "GET"}).headers
    (('Allow', 'GET'),)
    """

    def __init__(
        self, status: int, message: str = "", *, headers: Mapping[str, str] | Iterable[tuple[str, str]] = ()
    ) -> None:
        if isinstance(status, bool) or not isinstance(status, int) or not 300 <= status <= 599:
            raise ValueError(f"HTTPError needs a status from 300 to 599, not {status!r}")
        super().__init__(status, message)
        self.status = int(status)
        self.message = message
        self.headers = tuple(headers.items() if isinstance(headers, Mapping) else headers)

    def __str__(self) -> str:
        return f"{self.status} {self.message}".rstrip()


class ClientDisconnected(TinybeamError):  # noqa: N818 - nobody has made a mistake
    """The client has left: raised where a streamed body is made or read, so that the work stops. Let it through."""


class ExchangeError(TinybeamError):
    """A request was answered twice, or never: our bug."""


class ProcessError(TinybeamError):
    """No such process, a call that timed out, a full mailbox, or a supervisor that gave up."""
