"""Building a route table: the declarations are checked against each other and sorted into tries.

Owns:  the rules about routes that stand in each other's way, and the order of those that end at the same node.
Knows: HEAD is answered through GET (RFC 9110 section 9.3.2); a route for all methods comes after one for this method.
Never: a request.
"""

from __future__ import annotations

from collections.abc import Sequence

from tinybeam.errors import ConfigError
from tinybeam.router.call import Guard, adapted_guard, adapted_handler
from tinybeam.router.constant import Constant, engine_constant
from tinybeam.router.pattern import Pattern
from tinybeam.router.route import ANY_METHOD, Endpoint, Route
from tinybeam.router.segment import Segment
from tinybeam.router.static import Mount, Mounting, file_handler
from tinybeam.router.trie import Match, Node

Ready = tuple[Route, Pattern, Endpoint, Guard | None]


def ready(routes: Sequence[Route]) -> list[Ready]:
    """Each route with its endpoint and its guard, in the order of declaration.

    Raises ConfigError for a route that would never run or cannot be called.
    """
    _refuse_unreachable(routes)
    rows = []
    for route in routes:
        assert route.pattern is not None, "a route without a path is a fallback, which is not matched"
        rows.append((route, route.pattern, Endpoint(adapted_handler(route), route), adapted_guard(route)))
    return rows


def one_fallback(fallbacks: Sequence[Route]) -> Endpoint | None:
    """Raises ConfigError, with both places, for a second one."""
    if not fallbacks:
        return None
    if len(fallbacks) > 1:
        raise ConfigError(f"two fallbacks: {fallbacks[0].place} and {fallbacks[1].place}; keep one")
    return Endpoint(adapted_handler(fallbacks[0]), fallbacks[0])


def tries(rows: Sequence[Ready]) -> dict[str, Node]:
    """A trie for each method that a route names, for HEAD where there is GET, and under "*" one for all others."""
    methods = {method for route, *_ in rows for method in route.methods} | {"*"}
    if "GET" in methods:
        methods.add("HEAD")
    return {method: _trie(method, rows) for method in methods}


def file_routes(mounts: Sequence[Mounting], routes: Sequence[Route]) -> list[Route]:
    """Routes for what is beneath mounts, so that all other methods are answered 405, and files where no engine serves.

    Raises ConfigError for a prefix that is mounted twice, and for a route that would never be asked.
    """
    found: list[Route] = []
    places: dict[str, str] = {}
    for mount, place, plugs in mounts:
        if mount.prefix in places:
            raise ConfigError(f"{place}: {mount.prefix or '/'} is mounted already, at {places[mount.prefix]}")
        places[mount.prefix] = place
        if mount.passes and plugs:
            raise ConfigError(
                f"{place}: missing='next' is the engine's way, which knows no plugs; declare it outside of them"
            )
        if mount.passes:
            continue
        _refuse_covered(mount, place, routes)
        handler = file_handler(mount)
        for text in (mount.prefix, f"{mount.prefix}/", f"{mount.prefix}/{{path:path}}"):
            name = f"files of {mount.directory}"
            found.append(Route(("GET",), Pattern.parse(text), handler, place, name, plugs=plugs))
    return found


def _refuse_covered(mount: Mount, place: str, routes: Sequence[Route]) -> None:
    for route in routes:
        gets = {"GET", "HEAD", "*"} & set(route.methods)
        if route.pattern is not None and gets and not route.is_constant and mount.covers(route.pattern.text):
            raise ConfigError(
                f"{route}: would never be asked, because {place} serves files there; add missing='next' to that"
            )


def constants(by_path: dict[str, dict[str, Match]]) -> list[Constant]:
    """The constants that the engine may answer: those that both GET and HEAD of their path would come to, at once."""
    found = []
    for path, matches in by_path.items():
        endpoint = matches["GET"][0] if "GET" in matches else None
        if endpoint is None or endpoint.route.plugs:
            continue
        if endpoint.route.is_constant and matches["HEAD"][0] is endpoint:
            constant = engine_constant(path, endpoint.handler)
            if constant is not None:
                found.append(constant)
    return found


def _trie(method: str, rows: Sequence[Ready]) -> Node:
    root = Node()
    # Every path begins with a slash, so the first of its segments is empty; that of "*" and of "host:port" is not.
    start = root.child(Segment(""))
    # Routes for the method itself are put in first, those for all methods last: the order in which a node tries them.
    for accepted in _accepted(method):
        for route, pattern, endpoint, guard in rows:
            if accepted in route.methods and not (accepted != method and method in route.methods):
                node = start
                for segment in pattern.segments:
                    node = node.child(segment)
                node.add(endpoint, guard)
    return root


def _accepted(method: str) -> tuple[str, ...]:
    if method == "*":
        return ANY_METHOD
    return ("HEAD", "GET", "*") if method == "HEAD" else (method, "*")


def _refuse_unreachable(routes: Sequence[Route]) -> None:
    taken: dict[tuple[str, tuple[Segment, ...]], Route] = {}
    for route in routes:
        assert route.pattern is not None
        for method in route.methods:
            key = (method, route.pattern.shape)
            earlier = taken.get(key)
            if earlier is not None:
                raise ConfigError(
                    f"two routes match the same requests, so the second would never run: {earlier} and {route}; "
                    "remove one, or give the first a guard (when=)"
                )
            if route.guard is None:
                taken[key] = route
