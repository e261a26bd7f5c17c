"""Which functions are asynchronous, and where those have no place.

Owns:  the answer to "is this an `async def`?", for functions, objects, and what functools makes of them.
Knows: Python's kinds of functions.
Never: calls what it looks at; sees through a wrapper that is a `def` itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable

from tinybeam.errors import ConfigError


def is_async(function: object) -> bool:
    """Whether to call it gives something to await: an `async def`, or an object whose `__call__` is one.

    >>> async def fetch(request): ...
    >>> is_async(fetch), is_async(print)
    (True, False)
    """
    return _is_any(function, inspect.iscoroutinefunction)


def refuse_async(function: object, what: str) -> None:
    """Raises ConfigError for an async function, where only a `def` will do."""
    if is_async(function) or _is_any(function, inspect.isasyncgenfunction):
        raise ConfigError(f"{what}: it is asked before a handler is chosen, and cannot be async; write `def`")


def refuse_async_generator(function: object, what: str) -> None:
    """Raises ConfigError for an `async def` that yields."""
    if _is_any(function, inspect.isasyncgenfunction):
        raise ConfigError(f"{what}: a handler cannot `yield` yet; `return` the whole answer")


def _is_any(function: object, is_kind: Callable[[object], bool]) -> bool:
    return is_kind(function) or is_kind(getattr(function, "__call__", None))  # noqa: B004 - its kind is asked
