"""Calling what users wrote: handlers and guards, with the parameters they ask for.

Owns:  the check of a signature against a pattern, and the adapter where one is needed.
Knows: Python's signatures; the router passes (request, *values), values in the order of the path.
Never: an adapter where the function can be called as it is: this is on every request's way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

from tinybeam.errors import ConfigError
from tinybeam.router.route import Route

Handler = Callable[..., object]
# Called with the request and the tuple of values; whether the route is for this request.
Guard = Callable[[Any, tuple[Any, ...]], object]

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def adapted_handler(route: Route) -> Handler:
    """The route's handler as (request, *values). It is the user's own function wherever that takes them in path order.

    Raises ConfigError for a handler that lacks a parameter of the path or asks for one that the path does not have.
    """
    handler = route.handler
    names = route.names
    first, rest = _split(route)
    if first.kind is Parameter.KEYWORD_ONLY or first.name in names:
        raise ConfigError(f"{route}: the first parameter of {route.name} must be the request")
    _check(route, names, rest)
    positional = [parameter.name for parameter in rest if parameter.kind in _POSITIONAL]
    if tuple(positional[: len(names)]) == names:
        return handler
    for parameter in rest:
        if parameter.kind is Parameter.POSITIONAL_ONLY and parameter.default is Parameter.empty:
            raise ConfigError(f"{route}: {route.name} takes {parameter.name!r} by position only; remove the '/'")

    def by_name(request: object, *values: object) -> object:
        return handler(request, **dict(zip(names, values, strict=True)))

    return by_name


def adapted_guard(route: Route) -> Guard | None:
    """The route's guard as (request, values), given the parameters it names, and the request if it names that."""
    guard = route.guard
    if guard is None:
        return None
    known = ("request", *route.names)
    parameters = _parameters(guard, f"{route}: the guard")
    takes_all = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in parameters)
    for parameter in parameters:
        if parameter.kind is Parameter.POSITIONAL_ONLY or (
            parameter.kind in _BY_NAME and parameter.name not in known and parameter.default is Parameter.empty
        ):
            raise ConfigError(
                f"{route}: the guard asks for {parameter.name!r}; it is given any of {', '.join(known)}, by name"
            )
    asked = {parameter.name for parameter in parameters if parameter.kind in _BY_NAME}
    wanted = [(name, index) for index, name in enumerate(known) if takes_all or name in asked]

    def by_name(request: object, values: tuple[object, ...]) -> object:
        given = (request, *values)
        return guard(**{name: given[index] for name, index in wanted})

    return by_name


def _split(route: Route) -> tuple[Parameter, list[Parameter]]:
    """The parameter that takes the request, and the others."""
    parameters = _parameters(route.handler, f"{route}: the handler {route.name}")
    if not parameters or parameters[0].kind is Parameter.VAR_KEYWORD:
        raise ConfigError(f"{route}: {route.name} must take the request as its first parameter")
    return parameters[0], parameters[1:]


def _check(route: Route, names: tuple[str, ...], rest: list[Parameter]) -> None:
    takes_all = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in rest)
    named = [parameter for parameter in rest if parameter.kind in (*_POSITIONAL, *_BY_NAME)]
    taken = {parameter.name for parameter in named}
    for name in names:
        if name not in taken and not takes_all:
            raise ConfigError(f"{route}: {route.name} lacks the parameter {name!r} of the path; add it")
    for parameter in named:
        if parameter.default is Parameter.empty and parameter.name not in names:
            remedy = f"add '{{{parameter.name}}}' to the path, or give it" if route.pattern else "give it"
            raise ConfigError(
                f"{route}: {route.name} asks for {parameter.name!r}, which the path does not have; {remedy} a default"
            )


def _parameters(function: Callable[..., object], what: str) -> list[Parameter]:
    """Those of the outermost function: a decorator's wrapper is what is called, whatever it wraps."""
    try:
        return list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except (TypeError, ValueError):
        raise ConfigError(f"{what} has no signature that Python can read; wrap it in a `def`") from None
