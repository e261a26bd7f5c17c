"""What an app comes to: its table of routes, and what runs beside the server.

Owns:  what may be served: a router, or an application whose last child is one.
Knows: that children stop from the last to the first, so that the server has to be the last.
Never: starts anything.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from tinybeam.errors import ConfigError
from tinybeam.process import Application
from tinybeam.router import RouteTable


class Compilable(Protocol):
    """A Router, or whatever else makes a route table."""

    def compile(self) -> RouteTable: ...


App = Compilable | Application


class Plan(NamedTuple):
    """`children` are those of the application and then those of the router."""

    application: Application
    table: RouteTable
    children: tuple[Any, ...]


def plan(app: App) -> Plan:
    """Reads an app. Raises ConfigError when it is none, or when its routes cannot work."""
    application = app if isinstance(app, Application) else Application([app])
    *children, router = [*application.children()] or [None]
    if not hasattr(router, "compile"):
        raise ConfigError(f"{router!r} is not an app: give a Router, or an Application whose last child is one")
    misplaced = [child for child in children if hasattr(child, "compile")]
    if misplaced:
        raise ConfigError(f"{misplaced[0]!r} must be the last child, so that it is stopped first, and the only one")
    table: RouteTable = router.compile()
    return Plan(application, table, (*children, *table.children))
