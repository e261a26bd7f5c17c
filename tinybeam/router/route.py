"""A route as it was declared, and the endpoint that answers for it.

Owns:  what is known of a route, and the slots that the server keeps its judgement in.
Knows: patterns.
Never: matching, or running a handler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tinybeam.router.asynchronous import is_async
from tinybeam.router.pattern import Pattern
from tinybeam.router.plug import piped

# A limit of a route that is left to the server's configuration.
SERVER_DEFAULT: Final = -1

# The methods of a route that takes them all.
ANY_METHOD = ("*",)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One declaration. `methods` are upper-case, or ("*",) for all; `pattern` is None for what no path leads to."""

    methods: tuple[str, ...]
    pattern: Pattern | None
    handler: Callable[..., object]
    place: str
    name: str
    guard: Callable[..., object] | None = None
    blocking: bool | None = None
    is_constant: bool = False
    is_builtin: bool = False
    plugs: tuple[Callable[..., object], ...] = ()
    # SERVER_DEFAULT, a limit, or None for none.
    body_bytes_max: int | None = SERVER_DEFAULT
    request_timeout_ms: int | None = SERVER_DEFAULT
    # Whether the handler is called before a large body has come.
    stream: bool = False
    # Whether a body is of any use to the handler; the built-in ones answer without it.
    takes_body: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the path's parameters, in its order."""
        return self.pattern.names if self.pattern else ()

    @property
    def never_blocks(self) -> bool:
        """Whether the handler is one of ours, which takes no time."""
        return self.is_constant or self.is_builtin

    def __str__(self) -> str:
        """As messages name it: "GET /users/{id:int} (hello.py:12)"."""
        path = self.pattern.text if self.pattern else self.name
        return f"{'|'.join(self.methods)} {path} ({self.place})"


class Endpoint:
    """A route made ready to run: call `handler(request, *values)` with what `RouteTable.match` gave. The route's plugs
    are called within.

    Where it `is_async`, this gives something to await, in an event loop.
    `blocking` is what the user said of it, None for nothing. `judge` and `streams` belong to the server: what
    its runs have shown, and who sends bodies that come in parts.
    """

    __slots__ = (
        *("__weakref__", "blocking", "body_bytes_max", "handler", "is_async", "judge"),
        *("request_timeout_ms", "route", "stream", "streams", "takes_body"),
    )

    def __init__(self, handler: Callable[..., object], route: Route) -> None:
        # A handler that takes its parameters by name is wrapped, so what is asked of one is asked of the route's own.
        awaited = is_async(route.handler)
        self.handler = piped(handler, route.plugs, route, awaited=awaited, never_blocks=route.never_blocks)
        self.route = route
        self.is_async = awaited or is_async(self.handler)
        self.blocking = route.blocking
        self.body_bytes_max = route.body_bytes_max
        self.request_timeout_ms = route.request_timeout_ms
        self.stream = route.stream
        self.takes_body = route.takes_body
        self.judge: Any = None
        self.streams: Any = None

    def __repr__(self) -> str:
        return f"<Endpoint {self.route}>"
