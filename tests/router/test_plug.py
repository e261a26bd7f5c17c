"""Plugs: what may be one, in which order they are called, and what each result does."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from tinybeam import Request, Response, Router
from tinybeam.errors import ConfigError

GET = Request(7, "GET", "/")


def noting(name: str) -> Any:
    def plug(request: Request) -> Request:
        request.assigns.setdefault("order", []).append(name)
        return request

    return plug


def handler(request: Request) -> Any:
    return request.assigns.get("order", [])


def run(router: Router, request: Request | None = None) -> Any:
    request = Request(7, "GET", "/") if request is None else request
    endpoint, values = router.compile().match(request)
    result = endpoint.handler(request, *values)
    return asyncio.run(result) if endpoint.is_async else result  # type: ignore[arg-type]


def routed(*plugs: Any, then: Any = handler) -> Router:
    router = Router()
    router.get("/", through=plugs)(then)
    return router


def test_plugs_are_called_in_order_and_then_the_handler() -> None:
    assert run(routed(noting("a"), noting("b"))) == ["a", "b"]


def test_without_plugs_the_handler_is_called_directly() -> None:
    for router in (routed(), Router(through=[])):
        router.post("/")(handler)
        endpoint, _ = router.compile().match(Request(7, "POST", "/"))
        assert endpoint.handler is handler


def test_a_handler_is_given_the_parameters_of_its_path_behind_plugs_too() -> None:
    router = Router()

    @router.get("/{a:int}/{b}", through=[noting("x")])
    def show(request: Request, b: str, a: int) -> Any:
        return a, b, request.assigns["order"]

    assert run(router, Request(7, "GET", "/7/seven")) == (7, "seven", ["x"])


@pytest.mark.parametrize("answer", ["no", {"error": 1}, (401, "who are you"), Response(None, 204), []])
def test_any_other_result_ends_the_pipeline_as_the_answer(answer: Any) -> None:
    assert run(routed(noting("a"), lambda _request: answer, noting("never"))) is answer


@pytest.mark.parametrize("is_async", [False, True])
def test_none_is_a_forgotten_return(is_async: bool) -> None:
    def forgetful(request: Request) -> None:
        request.headers.get("authorization")

    async def later(request: Request) -> Any:
        return "never"

    with pytest.raises(TypeError, match=r"the plug .*forgetful returned None; return the request"):
        run(routed(forgetful, then=later if is_async else handler))


def test_a_plug_that_returns_a_coroutine_is_told_to_be_async() -> None:
    async def inner(request: Request) -> Request:
        return request

    def wrapped(request: Request) -> Any:
        return inner(request)

    with pytest.raises(TypeError, match=r"wrapped is a `def` and returned something to await; make it `async def`"):
        run(routed(wrapped))


def test_another_request_goes_on_in_its_place() -> None:
    def overridden(request: Request) -> Request:
        return replace(request, method="DELETE")

    request = Request(7, "GET", "/")
    router = routed(noting("a"), overridden, noting("b"), then=lambda r: (r.method, r.assigns["order"]))
    assert run(router, request) == ("DELETE", ["a", "b"])
    assert request.method == "GET"


def test_what_the_successor_registers_is_the_first_ones_too() -> None:
    def register(request: Request) -> Request:
        request.before_send(lambda response: response)
        return request

    request = Request(7, "GET", "/")
    run(routed(lambda r: replace(r, method="PUT"), register), request)
    assert len(request.before_sends) == 1


def test_the_request_of_another_client_is_refused() -> None:
    with pytest.raises(TypeError, match="another client's"):
        run(routed(lambda _request: Request(8, "GET", "/")))


# What may be a plug.


class Callable:
    def __call__(self, request: Request) -> Request:
        request.assigns["order"] = ["object"]
        return request

    def method(self, request: Request) -> Request:
        request.assigns["order"] = ["method"]
        return request


class AsyncCallable:
    async def __call__(self, request: Request) -> Request:
        return request


def with_options(request: Request, name: str = "default", *rest: Any, **more: Any) -> Request:
    return noting(name)(request)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("plug", "name"),
    [
        (Callable(), "object"),
        (Callable().method, "method"),
        (with_options, "default"),
        (functools.partial(with_options, name="partial"), "partial"),
    ],
)
def test_whatever_can_be_called_with_the_request_is_a_plug(plug: Any, name: str) -> None:
    assert run(routed(plug)) == [name]


def needs_more(request: Request, secret: str) -> Request:
    return request


def needs_nothing() -> None: ...


def makes_a_plug(*, secret: str = "x") -> Any:
    return noting(secret)


def yielding(request: Request) -> Iterator[Request]:
    yield request


async def yielding_async(request: Request) -> AsyncIterator[Request]:
    yield request


@pytest.mark.parametrize(
    ("through", "message"),
    [
        (noting("a"), "through= takes a list of plugs"),
        ("plug", "through= takes a list of plugs"),
        (7, "through= takes a list of plugs"),
        (None, "through= takes a list of plugs"),
        ([7], "a plug is a function that takes the request"),
        (["require_token"], "a plug is a function"),
        ([Callable], "a plug is a function that takes the request, or an object that is called so"),
        ([needs_more], r"the plug needs_more must take the request and nothing else: missing .*'secret'"),
        ([needs_nothing], "the plug needs_nothing must take the request"),
        ([makes_a_plug], "the plug makes_a_plug must .* if it is a function that makes a plug, call it here"),
        ([yielding], r"the plug yielding cannot `yield`; .* request.before_send"),
        ([yielding_async], "the plug yielding_async cannot `yield`"),
    ],
)
def test_what_cannot_be_a_plug_is_refused_where_it_is_declared(through: Any, message: str) -> None:
    router = Router()
    place = r"test_plug.py:\d+: "
    with pytest.raises(ConfigError, match=place + message):
        router.get("/", through=through)
    with pytest.raises(ConfigError, match=place + message):
        router.fallback(through=through)
    with pytest.raises(ConfigError, match=place + message):
        router.scope("/a", through=through)
    with pytest.raises(ConfigError, match=place + message):
        Router(through=through)


def test_a_plug_without_a_signature_is_taken_at_its_word() -> None:
    router = routed(getattr)  # two arguments, and no signature that Python can read
    assert router.compile().endpoints[0].route.plugs == (getattr,)


# Asynchronous ones.


async def later(request: Request) -> Request:
    await asyncio.sleep(0)
    return noting("async")(request)  # type: ignore[no-any-return]


async def async_handler(request: Request) -> Any:
    return handler(request)


def test_an_async_handler_may_have_plugs_of_both_kinds() -> None:
    router = routed(noting("a"), later, AsyncCallable(), noting("b"), then=async_handler)
    assert router.compile().endpoints[0].is_async
    assert run(router) == ["a", "async", "b"]


def test_an_async_handler_behind_plain_plugs_stays_async() -> None:
    router = Router()
    router.get("/{b}/{a}", through=[noting("a")])(by_name)
    assert run(router, Request(7, "GET", "/1/2")) == ("2", "1")


async def by_name(request: Request, a: str, b: str) -> Any:
    return a, b


def test_an_async_plug_may_answer() -> None:
    async def refuse(request: Request) -> Any:
        return "no" if not request.headers.get("x-token") else request

    assert run(routed(refuse, then=async_handler)) == "no"


@pytest.mark.parametrize("plug", [later, AsyncCallable()])
def test_an_async_plug_before_a_def_is_refused_with_the_route(plug: Any) -> None:
    message = r"GET / \(.*test_plug.py:\d+\): the plug \w+ is `async def`, and what it leads to is a `def`"
    with pytest.raises(ConfigError, match=message):
        routed(plug).compile()


def test_constants_and_what_the_router_answers_itself_may_be_behind_async_plugs() -> None:
    router = Router(through=[later])
    router.get("/", do="yay")
    table = router.compile()
    assert all(endpoint.is_async for endpoint in table.endpoints)
    assert run(router)[2] == b"yay"
    assert run(router, Request(7, "GET", "/none")).status == 404


# For the whole router.


def test_a_routers_plugs_come_before_a_routes_own() -> None:
    router = Router(through=[noting("router")])
    router.get("/", through=[noting("route")])(handler)
    assert run(router) == ["router", "route"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/none", 404), ("POST", "/a", 405), ("OPTIONS", "/a", 204), ("OPTIONS", "*", 204)],
)
def test_a_routers_plugs_see_what_it_answers_by_itself_and_a_routes_do_not(method: str, path: str, status: int) -> None:
    router = Router(through=[noting("router")])
    router.get("/a", through=[noting("route")])(handler)
    request = Request(7, method, path)
    assert run(router, request).status == status
    assert request.assigns == {"order": ["router"]}


def test_a_fallback_has_the_routers_plugs_and_its_own() -> None:
    router = Router(through=[noting("router")])
    router.fallback(through=[noting("own")])(handler)
    assert run(router, Request(7, "PATCH", "/none")) == ["router", "own"]


def test_a_constant_behind_plugs_is_not_the_engines() -> None:
    router = Router()
    router.get("/a", do="yay")
    router.get("/b", do="yay", through=[noting("b")])
    assert [constant.path for constant in router.compile().constants] == ["/a"]
    assert Router(through=[noting("a")]).compile().constants == ()
    assert re.match("yay", run(router, Request(7, "GET", "/b"))[2].decode())
