"""One request, from its match to its answer, with whatever it raises held.

Owns:  the calling convention of endpoints, and that every request gets exactly one answer.
Knows: the route table, answers, crashes.
Never: lets anything a handler raises past it, BaseException included.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinybeam.http import Answer, Request, answer, answer_seen
from tinybeam.router import Endpoint, RouteTable
from tinybeam.server.crash import answer_for


def run_endpoint(endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer | None:
    """Runs a matched request; never raises. None when its answer was begun, and goes on by itself."""
    try:
        result = endpoint.handler(request, *values)
        return answer(request.handle, result) if request.before_sends is None else answer_seen(request, result)
    except BaseException as error:  # noqa: BLE001 - see the module's "Never"
        return answer_for(request, endpoint, error)


def run_request(
    table: RouteTable,
    request: Request,
    run_async: Callable[[Endpoint, Request, tuple[Any, ...]], Answer | None] = run_endpoint,
) -> Answer | None:
    """Matches and runs a request; never raises. `run_async` runs one whose handler is async, which takes a loop.

    None as above.
    """
    try:
        endpoint, values = table.match(request)
    except BaseException as error:  # noqa: BLE001 - a guard is the user's code as much as a handler
        return answer_for(request, None, error)
    if endpoint.is_async:
        return run_async(endpoint, request, values)
    return run_endpoint(endpoint, request, values)
