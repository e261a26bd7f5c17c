"""What a route may be told beside its path and its handler.

Owns:  the names of the options, and the check of their values.
Knows: the place of a declaration, for the message.
Never: what an option does: the route keeps it, the server heeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypedDict

from tinybeam.errors import ConfigError
from tinybeam.router.plug import Plug, checked_plugs

GuardFunction = Callable[..., object] | None

# What the engine can hold of one body as a whole, what a number in C holds, and a day.
BODY_BYTES_MOST: Final = 1 << 30
STREAM_BYTES_MOST: Final = 1 << 62
TIMEOUT_MS_MOST: Final = 24 * 60 * 60 * 1000


class FallbackOptions(TypedDict, total=False):
    """Those that every declaration takes; `Router` says what they mean."""

    blocking: bool | None
    body_bytes_max: int | None
    request_timeout_ms: int | None
    stream: bool
    through: Iterable[Plug]


class RouteOptions(FallbackOptions, total=False):
    """Those of a route with a path."""

    when: GuardFunction
    do: object


def checked_options(place: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as `Route` takes them, `plugs` always among them.

    Raises ConfigError for a value, TypeError for a name that there is not.
    """
    unknown = sorted(options.keys() - FallbackOptions.__annotations__.keys())
    if unknown:
        known = ", ".join(RouteOptions.__annotations__)
        raise TypeError(f"{place}: a route has no option {unknown[0]!r}; it has {known}")
    body_most = STREAM_BYTES_MOST if options.get("stream") else BODY_BYTES_MOST
    for name, most in (("body_bytes_max", body_most), ("request_timeout_ms", TIMEOUT_MS_MOST)):
        value = options.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most):
            raise ConfigError(f"{place}: {name} is {value!r}; it must be a whole number from 1 to {most}, or None")
    if not isinstance(options.get("stream", False), bool):
        raise ConfigError(f"{place}: stream is {options['stream']!r}; it must be True or False")
    checked = dict(options)
    checked["plugs"] = checked_plugs(checked.pop("through", ()), place)
    return checked
