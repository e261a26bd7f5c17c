"""Declaring routes: the decorators, and the mistakes that they find at once."""

import re
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.errors import ConfigError
from tinybeam.http import as_response


def index(request: Request) -> str:
    return "yay"


def methods_of(router: Router) -> list[tuple[str, ...]]:
    return [endpoint.route.methods for endpoint in router.compile().endpoints if endpoint.route.pattern is not None]


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_each_verb_declares_a_route_for_its_method(method: str) -> None:
    router = Router()
    getattr(router, method)("/a")(index)
    assert methods_of(router) == [(method.upper(),)]
    assert router.compile().match(Request(7, method.upper(), "/a"))[0].handler is index


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_each_verb_passes_its_options_on(method: str) -> None:
    router = Router()
    getattr(router, method)("/a", when=lambda: False, do="never", blocking=True)
    getattr(router, method)("/a", do="yay", blocking=False)
    table = router.compile()
    endpoint, values = table.match(Request(7, method.upper(), "/a"))
    assert as_response(endpoint.handler(None, *values)).body == b"yay"
    assert [endpoint.blocking for endpoint in table.endpoints[:2]] == [True, False]


def test_a_decorated_function_is_returned_as_it_is() -> None:
    router = Router()
    assert router.get("/a")(index) is index
    assert router.route("/a", ["POST"])(index) is index
    assert router.fallback(index) is index
    assert Router().fallback(blocking=True)(index) is index


def test_one_function_may_have_several_routes() -> None:
    router = Router()

    @router.get("/a")
    @router.post("/b")
    def handler(request: Request) -> str:
        return "yay"

    assert methods_of(router) == [("POST",), ("GET",)]


def test_methods_are_upper_cased_and_each_counts_once() -> None:
    router = Router()
    router.route("/a", ["get", "Post", "GET", "brew"])(index)
    router.route("/b", iter(["PUT"]))(index)
    router.route("/c", "*")(index)
    assert methods_of(router) == [("GET", "POST", "BREW"), ("PUT",), ("*",)]


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ("GET", r"methods must be '\*' or a list, such as \['GET'\]"),
        ([], "methods is empty"),
        ([""], "the method '' is not a token"),
        (["GET /"], "the method 'GET /' is not a token"),
        (["*"], r"the method '\*' is not a token"),
        ([7], "the method 7 is not a token"),
    ],
)
def test_methods_that_make_no_sense_are_refused(methods: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"test_router.py:\d+: {message}"):
        Router().route("/a", methods)


def test_a_bad_path_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r"test_router.py:\d+: the path 'a' must begin with '/'"):
        Router().get("a")


def test_a_decorator_without_its_path_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match=re.escape("write @router.get('/path')")):
        Router().get(index)  # type: ignore[arg-type]


@pytest.mark.parametrize("handler", ["yay", None, 7, {"a": 1}])
def test_a_handler_that_is_no_function_is_refused(handler: Any) -> None:
    for declare in (Router().get("/"), Router().fallback()):
        with pytest.raises(ConfigError, match=r"test_router.py:\d+: a handler is a function, not .*write do="):
            declare(handler)


@pytest.mark.parametrize("guard", [True, "x", 7])
def test_a_guard_that_is_no_function_is_refused(guard: Any) -> None:
    with pytest.raises(ConfigError, match=r"test_router.py:\d+: when= takes a function"):
        Router().get("/", when=guard)


def test_a_fallback_may_be_decorated_bare_or_called() -> None:
    for blocking in (None, True, False):
        router = Router()
        if blocking is None:
            router.fallback(index)
        else:
            router.fallback(blocking=blocking)(index)
        endpoint, values = router.compile().match(Request(7, "BREW", "*"))
        assert (endpoint.handler, endpoint.blocking, values) == (index, blocking, ())


def test_a_fallback_takes_nothing_but_the_request() -> None:
    router = Router()
    router.fallback(lambda request, path: path)
    with pytest.raises(ConfigError, match=r"\* fallback .*asks for 'path', .*; give it a default"):
        router.compile()


def test_two_fallbacks_are_refused_with_both_places() -> None:
    router = Router()
    router.fallback(index)
    router.fallback(index)
    with pytest.raises(ConfigError, match=r"two fallbacks: \S+test_router.py:\d+ and \S+test_router.py:\d+; keep one"):
        router.compile()


def test_a_router_can_grow_and_be_compiled_again_without_changing_the_first_table() -> None:
    router = Router()
    first = router.compile()
    router.get("/")(index)
    second = router.compile()
    request = Request(7, "GET", "/")
    assert first.match(request)[0].route.name == "not found"
    assert second.match(request)[0].handler is index


def test_a_router_and_its_routes_print_what_they_are() -> None:
    router = Router()
    router.route("/users/{id:int}", ["GET", "PUT"])(lambda request, id: id)
    assert repr(router) == "<Router of 1 routes>"
    assert re.fullmatch(r"<Endpoint GET\|PUT /users/\{id:int\} \(\S+:\d+\)>", repr(router.compile().endpoints[0]))
