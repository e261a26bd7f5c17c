"""Scopes: what routes that are declared together have in common.

Owns:  the prefix and the plugs that hold where a route is declared, and the `with` that changes them.
Knows: path patterns.
Never: a route; one that was declared keeps what held then.
"""

from __future__ import annotations

from typing import Any

from tinybeam.errors import ConfigError
from tinybeam.router.pattern import Pattern
from tinybeam.router.plug import Plug, checked_plugs


class Scopes:
    """Those of one router that are open now, as one prefix and one tuple of plugs."""

    def __init__(self, plugs: tuple[Plug, ...]) -> None:
        self.prefix = ""
        self.plugs = plugs

    def full(self, path: str) -> str:
        """A path with the prefix before it; what is none is left as it is, for others to refuse."""
        is_path = isinstance(path, str) and (not path or path.startswith("/"))
        return self.prefix + path if is_path else path


class Scope:
    """Open from `with` to its end. Raises ConfigError, with the place, for a prefix that cannot begin a path."""

    def __init__(self, scopes: Scopes, prefix: str, through: object, place: str) -> None:
        self._prefix = _checked(prefix, place)
        self._plugs = checked_plugs(through, place)
        self._scopes = scopes
        self._outer: list[tuple[str, tuple[Plug, ...]]] = []

    def __enter__(self) -> None:
        scopes = self._scopes
        self._outer.append((scopes.prefix, scopes.plugs))
        scopes.prefix += self._prefix
        scopes.plugs += self._plugs

    def __exit__(self, *_error: Any) -> None:
        self._scopes.prefix, self._scopes.plugs = self._outer.pop()


def _checked(prefix: object, place: str) -> str:
    """Without the one slash of "/", which adds nothing."""
    if prefix == "/":
        return ""
    if not isinstance(prefix, str) or not prefix.startswith("/") or prefix.endswith("/"):
        raise ConfigError(f"{place}: the prefix {prefix!r} must be / or like /admin, without a slash at its end")
    try:
        Pattern.parse(prefix + "/")
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    return prefix
