"""Answers whose body is a file.

Owns:  what is logged of a file that cannot be sent.
Knows: the engine, which opens and sends it; which failure is which answer.
Never: holds a descriptor: the engine has it from its opening to its end.
"""

from __future__ import annotations

import contextlib
import logging
import os
from time import monotonic
from typing import Final

from tinybeam.errors import HTTPError
from tinybeam.http import Request, Response, file_fields, is_missing, refusal_of
from tinybeam.router import Endpoint
from tinybeam.server.access import log_line
from tinybeam.server.engines import AnyEngine

logger = logging.getLogger("tinybeam.server")

_CONDITIONAL: Final = ("GET", "HEAD")


def send_file(engine: AnyEngine, request: Request, endpoint: Endpoint, response: Response, *, access_log: bool) -> None:
    """Answers a request with its file. Raises HTTPError, or else OSError, when it cannot be opened or read."""
    started_s = monotonic()
    try:
        sent = _send(engine, request, response)
    except OSError as error:
        raise refused(request, endpoint, response, error) from error
    if access_log and sent is not None:
        status, length = sent
        log_line(request, status, length, monotonic() - started_s)


def _send(engine: AnyEngine, request: Request, response: Response) -> tuple[int, int] | None:
    file = response.from_file
    assert file is not None
    # Conditions and ranges are for the methods that read (RFC 9110 sections 13.2.1 and 14.2).
    asked = request.fields_raw if request.method in _CONDITIONAL else None
    said = file_fields(response.headers)
    return engine.send_file(request.handle, file, said, response.status, asked, head=request.method == "HEAD")


def refused(request: Request, endpoint: Endpoint, response: Response, error: OSError) -> OSError | HTTPError:
    """What to raise for a file that cannot be opened: what the client is told, or the error itself.

    Beneath a root it is the client who has named what is not there, and that is not logged: unless there is no root.
    """
    told, file = refusal_of(error), response.from_file
    if told is None or file is None:
        return error
    if request.before_sends is not None:
        # Plugs have seen the answer with the file and will not see this one: what they have added to it stays.
        told.headers += tuple(field for field in response.headers if not _is_about_content(field[0].lower()))
    missing = is_missing(error)
    if not missing or file.root is None or not os.path.isdir(file.root):
        values = (request.id, request.method, request.path_raw, endpoint.route, file, error.strerror, told.status)
        with contextlib.suppress(BaseException):  # a log handler that raises must not cost the client its answer
            text = "request %s: %s %s in %s: cannot send %s: %s; the client is told %d"
            logger.log(logging.INFO if missing else logging.WARNING, text, *values)
    return told


def _is_about_content(name: str) -> bool:
    return name.startswith("content-") or name in ("cache-control", "expires")
