"""The answers that the router gives by itself: 404, 405 and OPTIONS.

Owns:  their endpoints.
Knows: RFC 9110 sections 9.3.7 (OPTIONS), 15.5.5 (404) and 15.5.6 (405); Allow in section 10.2.1.
Never: more in an answer than its status says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tinybeam.http import Request, Response
from tinybeam.router.plug import Plug
from tinybeam.router.route import ANY_METHOD, Endpoint, Route


class Builtin:
    """The built-in endpoints of one route table, behind the plugs of all of it; a server keeps its judgement in them,
    so tables do not share them."""

    __slots__ = ("method_not_allowed", "not_found", "options")

    def __init__(self, plugs: tuple[Plug, ...] = ()) -> None:
        self.not_found = _endpoint(_not_found, "not found", plugs)
        self.method_not_allowed = _endpoint(_method_not_allowed, "method not allowed", plugs)
        self.options = _endpoint(_options, "automatic OPTIONS", plugs)


def allow(methods: Iterable[str]) -> str:
    """The value of an Allow field.

    >>> allow({"OPTIONS", "GET", "HEAD"})
    'GET, HEAD, OPTIONS'
    """
    return ", ".join(sorted(methods))


def _not_found(request: Request) -> Response:
    return Response.text("Not Found", 404)


def _method_not_allowed(request: Request, allowed: str) -> Response:
    return Response.text("Method Not Allowed", 405, [("Allow", allowed)])


def _options(request: Request, allowed: str) -> Response:
    return Response(None, 204, [("Allow", allowed)])


def _endpoint(handler: Callable[..., object], name: str, plugs: tuple[Plug, ...]) -> Endpoint:
    route = Route(ANY_METHOD, None, handler, "built in", name, plugs=plugs, is_builtin=True, takes_body=False)
    return Endpoint(handler, route)
