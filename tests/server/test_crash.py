"""Crash reports: what is in them, what never is, and that writing one cannot crash."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from tinybeam import HTTPError, Request, Router
from tinybeam.router import Endpoint
from tinybeam.server.crash import answer_for, unavailable

LOG = logging.getLogger("tinybeam.crash")
REQUEST = Request(
    handle=0xBEEF,
    method="POST",
    path_raw="/users/7",
    query_raw="token=secret-query",
    fields_raw=b"\nauthorization:secret-header\n",
    body=b"secret-body",
)


def show(request: Request, id: int) -> str:
    return str(id)


@pytest.fixture
def endpoint() -> Endpoint:
    router = Router()
    router.post("/users/{id:int}")(show)
    return router.compile().endpoints[0]


@pytest.fixture
def filtering() -> Iterator[Callable[[Callable[[logging.LogRecord], bool]], None]]:
    """Adds filters to the log of crashes, until the test ends."""
    added: list[Callable[[logging.LogRecord], bool]] = []

    def add(one: Callable[[logging.LogRecord], bool]) -> None:
        added.append(one)
        LOG.addFilter(one)

    yield add
    for one in added:
        LOG.removeFilter(one)


def raised(error: BaseException) -> BaseException:
    """The error, with a traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


def test_the_client_is_told_nothing_of_what_broke(endpoint: Endpoint) -> None:
    answer = answer_for(REQUEST, endpoint, raised(ValueError("the password is 1234")))
    assert answer == (0xBEEF, 500, b"Content-Type: text/plain; charset=utf-8\r\n", "Internal Server Error")


def test_a_report_has_the_route_the_request_and_the_traceback(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    answer_for(REQUEST, endpoint, raised(SystemExit("why")))
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "beef" in record.getMessage()
    assert "POST /users/7" in record.getMessage()
    assert "POST /users/{id:int} (" in record.getMessage()
    assert "test_crash.py:" in record.getMessage()
    assert "in raised\n    raise error\nSystemExit: why" in caplog.text


def test_a_report_has_neither_the_body_nor_the_query_nor_the_headers(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    answer_for(REQUEST, endpoint, raised(ValueError()))
    assert "secret" not in caplog.text


def test_what_breaks_before_there_is_a_route_is_the_router_s(caplog: pytest.LogCaptureFixture) -> None:
    answer_for(REQUEST, None, raised(ValueError()))
    assert "in the router raised ValueError" in caplog.text


def test_an_http_error_is_told_to_the_client_and_not_reported(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    answer = answer_for(REQUEST, endpoint, HTTPError(404, "no such user"))
    assert (answer[1], answer[-1]) == (404, b"no such user")
    assert caplog.records == []


def test_an_http_error_that_cannot_be_sent_is_a_crash(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    assert answer_for(REQUEST, endpoint, HTTPError(404, headers={"X": "a\nb"}))[1] == 500
    assert "raised ValueError" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_log_that_raises_costs_the_client_nothing(
    error: type[BaseException],
    endpoint: Endpoint,
    filtering: Callable[[Callable[[logging.LogRecord], bool]], None],
) -> None:
    def refuse(record: logging.LogRecord) -> bool:
        raise error

    filtering(refuse)
    assert answer_for(REQUEST, endpoint, raised(ValueError()))[:2] == (0xBEEF, 500)


def test_an_exception_that_cannot_be_printed_is_reported_all_the_same(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise SystemExit

        __repr__ = __str__

    assert answer_for(REQUEST, endpoint, raised(UnprintableError()))[1] == 500


def test_a_request_that_nobody_can_run_is_answered_503() -> None:
    answer = unavailable(REQUEST, "try again later")
    assert (answer[0], answer[1], answer[-1]) == (0xBEEF, 503, "try again later")


def test_where_there_is_no_memory_to_show_it_to_anybody_the_client_is_told_all_the_same(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_memory(request: Request, result: object) -> object:
        raise MemoryError

    monkeypatch.setattr("tinybeam.server.crash.answer_seen", no_memory)
    request = Request(7, "GET", "/")
    request.before_send(lambda response: response)
    answer = answer_for(request, endpoint, raised(ValueError("broken")))
    assert answer is not None
    assert answer[:2] == (7, 500)
