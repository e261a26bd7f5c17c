"""What happens when a handler raises: one place.

Owns:  the crash report, and the 500 that the client gets.
Knows: the request and its endpoint; that the log may fail too.
Never: tells the client what broke, lets an exception out, or logs the request's body, query or headers.
"""

from __future__ import annotations

import logging

from tinybeam.errors import HTTPError
from tinybeam.http import Answer, Request, answer
from tinybeam.router import Endpoint

logger = logging.getLogger("tinybeam.crash")

_TEXT_FIELDS = b"Content-Type: text/plain; charset=utf-8\r\n"


def answer_for(request: Request, endpoint: Endpoint | None, error: BaseException) -> Answer:
    """The answer for what a handler raised: an HTTPError's own, else 500 with a crash report in the log.

    Takes any BaseException: a SystemExit in a handler is a crash of that handler and of nothing else.
    """
    if isinstance(error, HTTPError):
        try:
            return answer(request.handle, error)
        except Exception as unsendable:  # noqa: BLE001 - its headers cannot be sent; that is a crash like another
            error = unsendable
    _report(request, endpoint, error)
    return request.handle, 500, _TEXT_FIELDS, "Internal Server Error"


def unavailable(request: Request, message: str) -> Answer:
    """The answer for a request that nobody could be found to run."""
    return request.handle, 503, _TEXT_FIELDS, message


def _report(request: Request, endpoint: Endpoint | None, error: BaseException) -> None:
    where = "the router" if endpoint is None else str(endpoint.route)
    try:
        logger.error(
            "request %s crashed: %s %s in %s raised %s",
            request.id,
            request.method,
            request.path_raw,
            where,
            type(error).__name__,
            exc_info=(type(error), error, error.__traceback__),
        )
    except BaseException:  # noqa: BLE001 - a log handler that raises must not cost the client its answer
        return
