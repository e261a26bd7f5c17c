"""What happens when a handler raises: one place.

Owns:  the crash report, and the 500 that the client gets.
Knows: the request and its endpoint; that the log may fail too.
Never: tells the client what broke, lets an exception out, or logs the request's body, query or headers.
"""

from __future__ import annotations

import contextlib
import logging

from tinybeam.errors import ClientDisconnected, HTTPError
from tinybeam.http import Answer, InParts, Request, answer, answer_seen
from tinybeam.process import Ended, MailboxFull, Visitor, this_thread
from tinybeam.router import Endpoint

logger = logging.getLogger("tinybeam.crash")

_TEXT_FIELDS = b"Content-Type: text/plain; charset=utf-8\r\n"


def answer_for(request: Request, endpoint: Endpoint | None, error: BaseException) -> Answer | None:
    """The answer for what a handler raised: an HTTPError's own, 503 for MailboxFull, else 500 with a crash report.

    Takes any BaseException: a SystemExit in a handler is a crash of that handler and of nothing else. InParts is none:
    the answer is begun then, and this is None where whoever begins it has sent the beginning.
    """
    if type(error) is InParts and endpoint is not None:
        try:
            begun: Answer | None = endpoint.streams.begin(request, endpoint, error.response)
        except Exception as cannot_begin:  # noqa: BLE001 - the source's __iter__ is the user's code
            error = cannot_begin
        else:
            return begun
    if request.before_sends:
        return _answer_seen(request, endpoint, error)
    if isinstance(error, HTTPError):
        try:
            return answer(request.handle, error)
        except Exception as unsendable:  # noqa: BLE001 - its headers cannot be sent; that is a crash like another
            error = unsendable
    status, message = _told(request, endpoint, error)
    return request.handle, status, _TEXT_FIELDS, message


def _answer_seen(request: Request, endpoint: Endpoint | None, error: BaseException) -> Answer | None:
    """The same, where somebody wants to see it before it is sent."""
    result = error if isinstance(error, HTTPError) else _told(request, endpoint, error)
    try:
        return answer_seen(request, result)
    except BaseException as unseen:  # noqa: BLE001 - one who saw it has raised, or it is in parts now, or unsendable
        if result is not error:
            request.before_sends.clear()
        return answer_for(request, endpoint, unseen)


def _told(request: Request, endpoint: Endpoint | None, error: BaseException) -> tuple[int, str]:
    """What the client is told of a crash: the status and the text. Reports it."""
    process = this_thread().process
    if isinstance(process, Visitor):
        process.failure = error
    if isinstance(error, ClientDisconnected):  # a result; who has only shut its side still reads this
        return 400, "the request was not whole"
    if isinstance(error, MailboxFull):  # it is nobody's fault; so is a request that the engine has no room for
        _report_full(request, endpoint, error)
        return 503, "too much waits to be done; try again later"
    if not isinstance(error, Ended):  # that is no fault of its own, and was reported by who ended it
        _report(request, endpoint, error)
    return 500, "Internal Server Error"


def unavailable(request: Request, message: str) -> Answer:
    """The answer for a request that nobody could be found to run."""
    return request.handle, 503, _TEXT_FIELDS, message


def report_overdue(request: Request, endpoint: Endpoint | None, age_ms: int, stack: str, state: str) -> None:
    """Logs a request that has met its deadline, and the Python stack that it is at. Never raises."""
    text = "request %s is overdue: %s %s in %s after %.1f s; the client was told 504, and %s"
    values = (request.id, request.method, request.path_raw, _where(endpoint), age_ms / 1000, state)
    try:
        if logger.isEnabledFor(logging.ERROR):
            record = logger.makeRecord(logger.name, logging.ERROR, "", 0, text, values, None, sinfo=stack or None)
            logger.handle(record)
    except BaseException:  # noqa: BLE001 - a log handler that raises must not cost anybody anything
        return


def report_broken(request: Request, endpoint: Endpoint, error: BaseException) -> None:
    """Logs that a body which comes in parts has come to a bad end. Never raises."""
    _report(request, endpoint, error)


def _report_full(request: Request, endpoint: Endpoint | None, error: MailboxFull) -> None:
    with contextlib.suppress(BaseException):  # as below
        values = (request.id, request.method, request.path_raw, _where(endpoint), error)
        logger.warning("request %s: %s %s in %s: %s; the client was told 503", *values)


def _where(endpoint: Endpoint | None) -> str:
    return "the router" if endpoint is None else str(endpoint.route)


def _report(request: Request, endpoint: Endpoint | None, error: BaseException) -> None:
    try:
        logger.error(
            "request %s crashed: %s %s in %s raised %s",
            request.id,
            request.method,
            request.path_raw,
            _where(endpoint),
            type(error).__name__,
            exc_info=(type(error), error, error.__traceback__),
        )
    except BaseException:  # noqa: BLE001 - a log handler that raises must not cost the client its answer
        return
