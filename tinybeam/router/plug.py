"""Plugs: functions that see a request on its way to the handler.

Owns:  what a plug may be, and the pipeline of an endpoint: its plugs and then its handler, as one function.
Knows: that a plug gives back the request, another request in its place, or an answer, which ends the pipeline.
Never: costs an endpoint without plugs anything; asks what kind of function a plug is while a request waits.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from tinybeam.errors import ConfigError
from tinybeam.http import Request, carry_over
from tinybeam.router.asynchronous import is_async

Plug = Callable[[Request], Any]
Handler = Callable[..., Any]


def checked_plugs(through: object, place: str) -> tuple[Plug, ...]:
    """The plugs of a `through=`. Raises ConfigError for what cannot be one."""
    if callable(through) or isinstance(through, str) or not isinstance(through, Iterable):
        raise ConfigError(f"{place}: through= takes a list of plugs, such as [require_token], not {through!r}")
    return tuple(_checked(plug, place) for plug in through)


def _checked(plug: Any, place: str) -> Any:
    if not callable(plug) or isinstance(plug, type):
        raise ConfigError(
            f"{place}: a plug is a function that takes the request, or an object that is called so; not {plug!r}"
        )
    for one in (plug, getattr(plug, "__call__", None)):  # noqa: B004 - its kind is asked
        if inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one):
            raise ConfigError(
                f"{place}: the plug {name_of(plug)} cannot `yield`; for what comes after the handler "
                "write request.before_send(function)"
            )
    try:
        inspect.signature(plug, follow_wrapped=False).bind(None)
    except TypeError as error:
        raise ConfigError(
            f"{place}: the plug {name_of(plug)} must take the request and nothing else: {error}; "
            "if it is a function that makes a plug, call it here"
        ) from None
    except ValueError:
        return plug  # written in C, and tells nothing of itself
    return plug


def piped(handler: Handler, plugs: tuple[Plug, ...], what: object, *, awaited: bool, never_blocks: bool) -> Handler:
    """The plugs and then the handler, as (request, *values); the handler itself where there are no plugs.

    `awaited` says that the handler is async, and then so is the pipeline, as it is where a plug is and the handler is
    one of our own that never blocks. Raises ConfigError for an async plug before any other `def`: that may block, and
    in an event loop it would hold up everybody.
    """
    if not plugs:
        return handler
    asynchronous = [plug for plug in plugs if is_async(plug)]
    if not awaited and not asynchronous:
        return _pipeline(handler, plugs)
    if not awaited and not never_blocks:
        raise ConfigError(
            f"{what}: the plug {name_of(asynchronous[0])} is `async def`, and what it leads to is a "
            "`def`, which no event loop can run; make both of one kind"
        )
    return _async_pipeline(handler, tuple((plug, is_async(plug)) for plug in plugs), awaited=awaited)


def _pipeline(handler: Handler, plugs: tuple[Plug, ...]) -> Handler:
    def pipeline(request: Request, *values: object) -> object:
        for plug in plugs:
            result = plug(request)
            if result is not request:
                if not isinstance(result, Request):
                    return _answer(plug, result)
                request = _successor(plug, request, result)
        return handler(request, *values)

    return pipeline


def _async_pipeline(
    handler: Handler, plugs: tuple[tuple[Plug, bool], ...], *, awaited: bool
) -> Callable[..., Coroutine[Any, Any, object]]:
    async def pipeline(request: Request, *values: object) -> object:
        for plug, is_awaited in plugs:
            result = await plug(request) if is_awaited else plug(request)
            if result is not request:
                if not isinstance(result, Request):
                    return _answer(plug, result)
                request = _successor(plug, request, result)
        result = handler(request, *values)
        return await result if awaited else result

    return pipeline


def _answer(plug: Plug, result: object) -> object:
    """What ends the pipeline. Raises TypeError for what is nearly always a mistake."""
    if result is None:
        raise TypeError(
            f"the plug {name_of(plug)} returned None; return the request to go on, or an answer to end "
            "here (an empty one is Response(None, 204))"
        )
    if isinstance(result, Awaitable):
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise TypeError(f"the plug {name_of(plug)} is a `def` and returned something to await; make it `async def`")
    return result


def _successor(plug: Plug, request: Request, other: Request) -> Request:
    """Another request in the place of this one: what plugs have left with this one goes with it."""
    if other.handle != request.handle:
        raise TypeError(
            f"the plug {name_of(plug)} returned a request that is not this one changed, but another "
            "client's; make it with msgspec.structs.replace"
        )
    carry_over(request, other)
    return other


def name_of(plug: object) -> str:
    """As messages name it."""
    return str(getattr(plug, "__qualname__", type(plug).__qualname__))
