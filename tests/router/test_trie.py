"""The trie finds what a comparison with every route would find, without making one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from tinybeam import Request, Router
from tinybeam.router import RouteTable
from tinybeam.router.pattern import Pattern
from tinybeam.router.segment import CONVERTERS

# A second opinion on matching: a comparison with every route, one after the other.
RANKS = {"": 0, "uuid": 1, "int": 2, "float": 3, "str": 4, "path": 5}


@dataclass(frozen=True)
class NaiveRoute:
    pattern: str
    methods: tuple[str, ...]
    # None without a guard, else what the guard says.
    guard: bool | None = None


def naive_match(routes: list[NaiveRoute], method: str, path: str) -> tuple[int, tuple[Any, ...]] | None:
    """The number of the route that answers, and its values; None where none does."""
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in path.split("/")]
    except UnicodeDecodeError:
        return None
    if segments.pop(0) != "":
        return None
    found = []
    for number, route in enumerate(routes):
        fit = _fit(Pattern.parse(route.pattern), segments)
        preference = _preference(route.methods, method)
        if fit is not None and preference is not None and route.guard is not False:
            ranks, values = fit
            found.append((ranks, preference, number, values))
    if not found:
        return None
    _, _, number, values = min(found, key=lambda row: row[:3])
    return number, values


def _preference(methods: tuple[str, ...], method: str) -> int | None:
    accepted = ["HEAD", "GET", "*"] if method == "HEAD" else [method, "*"]
    return next((index for index, name in enumerate(accepted) if name in methods), None)


def _fit(pattern: Pattern, segments: list[str]) -> tuple[list[int], tuple[Any, ...]] | None:
    ranks: list[int] = []
    values: tuple[Any, ...] = ()
    for index, segment in enumerate(pattern.segments):
        if index >= len(segments):
            return None
        ranks.append(RANKS[segment.kind])
        if segment.kind == "path":
            rest = "/".join(segments[index:])
            return (ranks, (*values, rest)) if rest else None
        if segment.kind:
            value = CONVERTERS[segment.kind](segments[index])
            if value is None:
                return None
            values = (*values, value)
        elif segment.text != segments[index]:
            return None
    return (ranks, values) if len(pattern.segments) == len(segments) else None


UUID = "123e4567-e89b-12d3-a456-426614174000"
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "BREW"]

pattern_segments = st.sampled_from(["a", "b", "", "1", "é", "{}", "{:int}", "{:float}", "{:uuid}"])
path_segments = st.sampled_from(["a", "b", "", "1", "-2", "1.5", UUID, "%61", "%C3%A9", "c%2Fd", "..", "%FF", "%31"])


@st.composite
def patterns(draw: st.DrawFn) -> str:
    segments = draw(st.lists(pattern_segments, min_size=1, max_size=4))
    if draw(st.integers(0, 4)) == 0:
        segments.append("{:path}")
    named = [segment.replace("{", f"{{p{index}") for index, segment in enumerate(segments)]
    return "/" + "/".join(named)


@st.composite
def route_lists(draw: st.DrawFn) -> list[Any]:
    """Routes of which none makes another unreachable."""
    routes = []
    taken: set[Any] = set()
    for pattern in draw(st.lists(patterns(), max_size=12)):
        methods = draw(st.sampled_from([("GET",), ("POST",), ("GET", "POST"), ("HEAD",), ("HEAD", "GET"), ("*",)]))
        guard = draw(st.sampled_from([None, None, True, False]))
        keys = {(method, Pattern.parse(pattern).shape) for method in methods}
        if not keys & taken:
            routes.append(NaiveRoute(pattern, methods, guard))
            taken |= keys if guard is None else set()
    return routes


def table_of(routes: list[Any]) -> RouteTable:
    router = Router()
    for number, route in enumerate(routes):
        when = None if route.guard is None else (lambda guard=route.guard: guard)
        methods = "*" if route.methods == ("*",) else route.methods

        def handler(request: Request, _number: int = number, **params: Any) -> int:
            return _number

        router.route(route.pattern, methods, when=when)(handler)
    return router.compile()


def ask(table: RouteTable, method: str, path: str) -> tuple[int, tuple[Any, ...]] | str:
    """The number of the route and the values, or the name of a built-in endpoint."""
    request = Request(7, method, path)
    endpoint, values = table.match(request)
    if endpoint.route.pattern is None:
        return endpoint.route.name
    number = endpoint.handler(request, *values)
    assert isinstance(number, int)
    return number, values


@settings(max_examples=400)
@given(route_lists(), st.lists(path_segments, min_size=1, max_size=5), st.sampled_from(METHODS))
def test_the_trie_agrees_with_a_comparison_with_every_route(
    routes: list[Any], segments: list[str], method: str
) -> None:
    path = "/" + "/".join(segments)
    expected = naive_match(routes, method, path)
    if expected is None:
        others = {name for name in ("GET", "HEAD", "POST") if naive_match(routes, name, path) is not None}
        expected = "not found" if not others else "automatic OPTIONS" if method == "OPTIONS" else "method not allowed"
    assert ask(table_of(routes), method, path) == expected


@settings(max_examples=100)
@given(route_lists(), st.lists(path_segments, min_size=1, max_size=5))
def test_the_order_of_declaration_matters_only_among_guards(routes: list[Any], segments: list[str]) -> None:
    unguarded = [route for route in routes if route.guard is None]
    path = "/" + "/".join(segments)
    there, back = (ask(table_of(rows), "GET", path) for rows in (unguarded, unguarded[::-1]))
    if isinstance(there, tuple) and isinstance(back, tuple):
        assert (there[0], there[1]) == (len(unguarded) - 1 - back[0], back[1])
    else:
        assert there == back
