"""The access log: one line for each answered request.

Owns:  the line's form.
Knows: the peer, the request line, the status, the body's length and the time it took.
Never: lets a control character from the wire into a log line, or an exception of the log out.
"""

from __future__ import annotations

import contextlib
import logging
from typing import Final

from tinybeam.http import Answer, Request

logger = logging.getLogger("tinybeam.access")

_QUOTE: Final = {ord('"'): '\\"', ord("\\"): "\\\\"}


def log_request(request: Request, answer: Answer, elapsed_s: float) -> None:
    """Logs `127.0.0.1:49152 "GET /users/42" 200 11 0.043ms`; "unix" stands for the peer of a unix socket.

    Never raises: a log that is set up wrongly must not cost the client its answer.
    """
    status, body = (200, answer[2]) if len(answer) == 3 else (answer[1], answer[3])
    length = len(body.encode("utf-8", "replace") if isinstance(body, str) else body or b"")
    log_line(request, status, length, elapsed_s)


def log_line(request: Request, status: int, length: int, elapsed_s: float) -> None:
    """The same of an answer of which this is known. Never raises."""
    try:
        _log(request, status, length, elapsed_s)
    except BaseException as error:  # noqa: BLE001 - a filter or a handler of the application's log may raise anything
        with contextlib.suppress(BaseException):
            logging.getLogger("tinybeam.server").error("the access log failed", exc_info=error)


def _log(request: Request, status: int, length: int, elapsed_s: float) -> None:
    peer = request.peer
    logger.info(
        '%s "%s %s" %d %d %.3fms',
        "unix" if peer is None else f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}",
        request.method.translate(_QUOTE),
        request.target.translate(_QUOTE),
        status,
        length,
        elapsed_s * 1000,
    )
