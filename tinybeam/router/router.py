"""The router: where routes are declared.

Owns:  the declarations, in their order, and the decorators that make them.
Knows: nothing of matching; `compile` hands over to the route table.
Never: a change to the functions it decorates: they are returned as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, Unpack, overload

from tinybeam.errors import ConfigError
from tinybeam.http import is_token
from tinybeam.router.asynchronous import is_async, refuse_async, refuse_async_generator
from tinybeam.router.constant import constant_handler
from tinybeam.router.options import FallbackOptions, GuardFunction, RouteOptions, checked_options
from tinybeam.router.pattern import Pattern
from tinybeam.router.place import caller_place
from tinybeam.router.plug import Plug, checked_plugs
from tinybeam.router.route import ANY_METHOD, Route
from tinybeam.router.scope import Scope, Scopes
from tinybeam.router.static import Missing, Mounting, mount_of
from tinybeam.router.table import RouteTable

F = TypeVar("F", bound=Callable[..., Any])
_UNSET: Any = object()
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Router:
    """Routes, in the order in which they were declared.

    Each of `get`, `post`, `put`, `patch`, `delete`, `head`, `options` and `route` decorates a handler, which is called
    with the request and, by name, the parameters of the path: `{name}` is a str, `{name:int}`, `{name:float}`,
    `{name:uuid}`, and at the end `{name:path}`, which takes all that is left (it may have "." and ".." segments).
    Where several match, the most literal wins: segment by segment literal, uuid, int, float, str, path.

    - `when` is a guard: given the parameters that it names, and the request if it names that, it says whether the
      route is for this request; else the next one that matches is tried.
    - `do` is the answer itself instead of a handler: anything that a handler may return.
    - `blocking` says whether the handler blocks; without it the server finds out. An `async def` must not.
    - `body_bytes_max` is the largest body that the route takes, None for any that fits in memory; a larger one is
      answered 413 before it is read. Without it the server's own limit holds.
    - `stream=True` calls the handler when the head of a request has come, and lets it read a large body in parts, by
      `request.stream()`, `read`, `save` or `file`; one of up to 64 KiB comes whole. A `def` handler has a thread of its
      own meanwhile. With `body_bytes_max=None` there is no limit at all then.
    - `request_timeout_ms` is how long the handler may take until the client is answered 504, None for ever.
    - `through` are its plugs, called in this order before the handler. Each takes the request, and returns it, or an
      answer, which ends the pipeline there. Those of the router come first, and then those of the scopes, from the
      outermost on.

    `Router(through=[...])` is for every answer that Python gives: 404, 405 and the fallback too. What has plugs is not
    answered by the engine alone, so constants and files take a little longer beneath them.

    Raises ConfigError, with the place, for a declaration that cannot work; some are found by `compile` only.

    >>> router = Router()
    >>> router.get("/", do="yay")  # doctest: +ELLIPSIS
    <function ...>
    >>> @router.get("/users/{id:int}", when=lambda id: id > 0)
    ... def show(request, id):
    ...     return {"id": id}
    """

    def __init__(self, *, through: Iterable[Plug] = ()) -> None:
        self._plugs = checked_plugs(through, caller_place())
        self._scopes = Scopes(self._plugs)
        self._routes: list[Route] = []
        self._fallbacks: list[Route] = []
        self._children: list[object] = []
        self._mounts: list[Mounting] = []

    def scope(self, prefix: str, *, through: Iterable[Plug] = ()) -> Scope:
        """What is declared within `with router.scope("/admin", through=[require_token]):` has this before its path, and
        these plugs before its own.

        The prefix may have parameters, which all handlers within are given. "/" adds nothing to a path. Scopes may be
        nested. A path within is added as it is: "" is the prefix itself, "/" is the prefix with a slash behind it.
        """
        return Scope(self._scopes, prefix, through, caller_place())

    def route(self, path: str, methods: Iterable[str], **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for these methods, or for all of them ("*"); one for a request's own method goes before that."""
        return self._declare(path, methods, **options)

    def get(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for GET, and for HEAD where no other route takes that."""
        return self._declare(path, ["GET"], **options)

    def post(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for POST."""
        return self._declare(path, ["POST"], **options)

    def put(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for PUT."""
        return self._declare(path, ["PUT"], **options)

    def patch(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for PATCH."""
        return self._declare(path, ["PATCH"], **options)

    def delete(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for DELETE."""
        return self._declare(path, ["DELETE"], **options)

    def head(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for HEAD, before the GET route of the same path."""
        return self._declare(path, ["HEAD"], **options)

    def options(self, path: str, **options: Unpack[RouteOptions]) -> Callable[[F], F]:
        """A route for OPTIONS, instead of the automatic answer."""
        return self._declare(path, ["OPTIONS"], **options)

    @overload
    def fallback(self, handler: F) -> F: ...
    @overload
    def fallback(self, **options: Unpack[FallbackOptions]) -> Callable[[F], F]: ...
    def fallback(self, handler: Any = None, **options: Unpack[FallbackOptions]) -> Any:
        """What nothing else matched, in place of 404 and 405: any method and target, "*" and "host:port" too.

        Known paths still get HEAD and OPTIONS answered for them.
        """
        place = caller_place()
        if self._scopes.prefix or self._scopes.plugs != self._plugs:
            raise ConfigError(f"{place}: a fallback is for the whole router; declare it outside of scopes")
        limits = checked_options(place, options)
        limits["plugs"] = (*self._plugs, *limits["plugs"])

        def decorate(handler: F) -> F:
            name = f"fallback {_checked_handler(handler, place, limits.get('blocking'))}"
            self._fallbacks.append(Route(ANY_METHOD, None, handler, place, name, **limits))
            return handler

        return decorate if handler is None else decorate(handler)

    def static(
        self,
        prefix: str,
        directory: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        cache_control: str | None = None,
        immutable: bool = False,
        precompressed: bool = False,
        hidden: bool = False,
        headers: Mapping[str, str] = _NO_HEADERS,
        missing: Missing = "404",
    ) -> None:
        """The files of a directory beneath a prefix, for GET and HEAD: sent by the engine, which never asks Python.

        They have ETag and Last-Modified, are conditional (RFC 9110 section 13), and can be had in ranges (section 14).
        No path leads out of the directory. Within a scope or a router that has plugs these are called first, and then
        it is Python that reads the files, each as a whole: what needs no plugs is better declared outside of them.

        - `index` stands for a directory, whose path is redirected to one with a slash; None: directories are not found.
        - `cache_control` is said to caches; `immutable` is short for "for a year, and never ask again", for files whose
          names change with their content. `headers` are added to each file.
        - `precompressed`: name.br, name.zst and name.gz are sent in place of name to clients that take them.
        - `hidden`: names that begin with a dot are found as well.
        - `missing="next"`: what is not found goes on to the routes, instead of a 404.
        """
        place = caller_place()
        mount = mount_of(
            self._scopes.full("" if prefix == "/" else prefix),
            directory,
            place,
            index=index,
            cache_control=cache_control,
            immutable=immutable,
            precompressed=precompressed,
            hidden=hidden,
            headers=headers,
            missing=missing,
        )
        self._mounts.append(Mounting(mount, place, self._scopes.plugs))

    def children(self, children: Iterable[object]) -> None:
        """Processes that shall run beside the server: started before it, supervised, and stopped after it.

        Each is a class with `start_link`, `(class, *arguments)` or a ChildSpec; see `tinybeam.process.Supervisor`.
        """
        self._children.extend(children)

    def compile(self) -> RouteTable:
        """The table of what was declared so far. Later declarations need another."""
        return RouteTable(self._routes, self._fallbacks, self._children, self._mounts, self._plugs)

    def _declare(
        self,
        path: str,
        methods: Iterable[str],
        *,
        when: GuardFunction = None,
        do: object = _UNSET,
        **options: Unpack[FallbackOptions],
    ) -> Callable[[F], F]:
        place = caller_place()
        if callable(path):
            raise ConfigError(f"{place}: a route needs its path; write @router.get('/path')")
        try:
            pattern = Pattern.parse(self._scopes.full(path))
            names = _checked_methods(methods)
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from None
        if when is not None and not callable(when):
            raise ConfigError(f"{place}: when= takes a function that says whether the route is for the request")
        refuse_async(when, f"{place}: when=")
        rest = checked_options(place, options)
        rest["plugs"] = (*self._scopes.plugs, *rest["plugs"])

        def add(handler: Callable[..., object], name: str, is_constant: bool) -> None:
            self._routes.append(Route(names, pattern, handler, place, name, when, is_constant=is_constant, **rest))

        def decorate(handler: F) -> F:
            if do is not _UNSET:
                raise ConfigError(f"{place}: a route has either do= or a decorated function, not both")
            add(handler, _checked_handler(handler, place, rest.get("blocking")), is_constant=False)
            return handler

        if do is not _UNSET:
            add(constant_handler(do, place), "do=", is_constant=True)
        return decorate

    def __repr__(self) -> str:
        return f"<Router of {len(self._routes)} routes>"


def _checked_methods(methods: Iterable[str]) -> tuple[str, ...]:
    """The methods in upper case, each once, or ("*",)."""
    if methods == "*":
        return ANY_METHOD
    if isinstance(methods, str):
        raise ConfigError(f"methods must be '*' or a list, such as [{methods!r}]")
    names = tuple(methods)
    if not names:
        raise ConfigError("methods is empty, so the route would never run; name one, or write '*'")
    for name in names:
        if not isinstance(name, str) or not is_token(name) or name == "*":
            raise ConfigError(f"the method {name!r} is not a token, such as 'GET' (RFC 9110 section 9.1)")
    return tuple(dict.fromkeys(name.upper() for name in names))


def _checked_handler(handler: object, place: str, blocking: object) -> str:
    """The handler's name for messages. Raises ConfigError for what cannot be called, or not like this."""
    if not callable(handler):
        raise ConfigError(f"{place}: a handler is a function, not {handler!r}; for a fixed answer write do=")
    refuse_async_generator(handler, place)
    if blocking and is_async(handler):
        raise ConfigError(f"{place}: an `async def` must not block, or no other could go on; write `def`")
    return str(getattr(handler, "__qualname__", type(handler).__qualname__))
