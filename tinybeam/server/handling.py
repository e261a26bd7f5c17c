"""One request, from its match to its answer, with whatever it raises held.

Owns:  the calling convention of endpoints, and that every request gets exactly one answer.
Knows: the route table, answers, crashes.
Never: lets anything a handler raises past it, BaseException included.
"""

from __future__ import annotations

from typing import Any

from tinybeam.http import Answer, Request, answer
from tinybeam.router import Endpoint, RouteTable
from tinybeam.server.crash import answer_for


def run_request(table: RouteTable, request: Request) -> Answer | None:
    """Matches and runs a request; never raises. None when its answer was begun, and goes on by itself."""
    try:
        endpoint, values = table.match(request)
    except BaseException as error:  # noqa: BLE001 - a guard is the user's code as much as a handler
        return answer_for(request, None, error)
    return run_endpoint(endpoint, request, values)


def run_endpoint(endpoint: Endpoint, request: Request, values: tuple[Any, ...]) -> Answer | None:
    """Runs a matched request; never raises. None as above."""
    try:
        return answer(request.handle, endpoint.handler(request, *values))
    except BaseException as error:  # noqa: BLE001 - see the module's "Never"
        return answer_for(request, endpoint, error)
