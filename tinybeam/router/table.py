"""The route table: for each request, the endpoint that answers it.

Owns:  matching, and the choice among 404, 405, OPTIONS and the fallback where nothing matches.
Knows: the tries; RFC 3986 section 2.4: a path is split first and percent-decoded then.
Never: a change after it was built; any number of threads may match at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from tinybeam.http import Request
from tinybeam.router import build, shortcut
from tinybeam.router.builtin import Builtin, allow
from tinybeam.router.constant import Constant
from tinybeam.router.plug import Plug
from tinybeam.router.route import Endpoint, Route
from tinybeam.router.static import Mounting
from tinybeam.router.trie import Match, Node, find


class RouteTable:
    """An immutable table of routes. `constants` are those that an engine may answer by itself, `mounts` the
    directories whose files it serves: those without plugs. `plugs` are for what the table answers by itself.

    Raises ConfigError for routes that stand in each other's way or cannot be called.
    """

    __slots__ = (
        "_any_method",
        "_builtin",
        "_endpoints",
        "_fallback",
        "_literals",
        "_server_wide",
        "_stems",
        "_tries",
        "children",
        "constants",
        "mounts",
    )

    def __init__(
        self,
        routes: Sequence[Route],
        fallbacks: Sequence[Route] = (),
        children: Sequence[object] = (),
        mounts: Sequence[Mounting] = (),
        plugs: tuple[Plug, ...] = (),
    ) -> None:
        rows = build.ready([*routes, *build.file_routes(mounts, routes)])
        tries = build.tries(rows)
        self._any_method = tries.pop("*")
        self._tries: dict[str, Node] = tries
        patterns = [pattern for _, pattern, *_ in rows]
        self._literals = shortcut.literals(patterns, tries)
        self._stems = shortcut.stems(patterns, tries)
        self._fallback = build.one_fallback(fallbacks)
        self._builtin = Builtin(plugs)
        self._endpoints = tuple(endpoint for _, _, endpoint, _ in rows)
        self._server_wide = allow({*tries, "OPTIONS"})
        # What shall run beside the server; its supervisor knows what they are.
        self.children = tuple(children)
        self.constants: tuple[Constant, ...] = tuple(build.constants(self._literals))
        self.mounts = tuple(mounting.mount for mounting in mounts if not mounting.plugs)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Every endpoint that `match` can give: those of the routes in order, the fallback, and the built-in ones."""
        builtin = self._builtin
        fallback = () if self._fallback is None else (self._fallback,)
        return (*self._endpoints, *fallback, builtin.not_found, builtin.method_not_allowed, builtin.options)

    def match(self, request: Request) -> Match:
        """The endpoint for the request and the values to call it with.

        Where no route matches, that is the fallback or else a built-in endpoint; there always is one. A guard that
        raises, raises through here. Guards may be asked for other methods than the request's, to tell 404 from 405.
        """
        path = request.path_raw
        matches = self._literals.get(path)
        if matches is not None:
            match = matches.get(request.method)
            if match is not None:
                return match
        if "%" in path:
            return self._walk(request, _decoded(path))
        stem, slash, last = path.rpartition("/")
        ways = self._stems.get(stem) if slash else None
        if ways is not None:
            way = ways.get(request.method)
            if way is not None:
                convert, endpoint = way
                value = convert(last)
                if value is not None:
                    return endpoint, (value,)
        return self._walk(request, path.split("/"))

    def _walk(self, request: Request, segments: list[str]) -> Match:
        match = find(self._tries.get(request.method, self._any_method), segments, (), request)
        return match if match is not None else self._unmatched(request, segments)

    def _unmatched(self, request: Request, segments: list[str]) -> Match:
        allowed = self._allowed(request, segments)
        if allowed and request.method == "OPTIONS":
            return self._builtin.options, (allow(allowed | {"OPTIONS"}),)
        if self._fallback is not None:
            return self._fallback, ()
        if allowed:
            return self._builtin.method_not_allowed, (allow(allowed | {"OPTIONS"}),)
        if request.path_raw == "*" and request.method == "OPTIONS":
            return self._builtin.options, (self._server_wide,)
        return self._builtin.not_found, ()

    def _allowed(self, request: Request, segments: list[str]) -> set[str]:
        """The other methods, which would match here and now."""
        return {
            method
            for method, root in self._tries.items()
            if method != request.method and find(root, segments, (), request) is not None
        }


def _decoded(path: str) -> list[str]:
    """The path's segments, each decoded as UTF-8; one segment that no pattern matches where that fails."""
    try:
        return [unquote_to_bytes(segment).decode("utf-8") for segment in path.split("/")]
    except UnicodeDecodeError:
        return [path]
