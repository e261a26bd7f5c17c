"""Async functions are known as such, and refused where they have no place."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.errors import ConfigError


async def coroutine(request: Request, id: int = 0) -> str:
    return "a"


async def generator(request: Request) -> Any:
    yield "a"


class Async:
    async def __call__(self, request: Request) -> str:
        return "a"

    async def method(self, request: Request) -> str:
        return "a"


ASYNC = [coroutine, Async(), Async().method, functools.partial(coroutine)]


@pytest.mark.parametrize("handler", [*ASYNC, lambda request: "a", len])
def test_an_endpoint_knows_whether_its_handler_is_async(handler: Any) -> None:
    if handler is len:
        handler = functools.partial(lambda tag, request: "a", "tag")
    router = Router()
    router.get("/")(handler)
    router.fallback(handler)
    table = router.compile()
    assert [endpoint.is_async for endpoint in table.endpoints[:2]] == [handler in ASYNC] * 2
    assert not any(endpoint.is_async for endpoint in table.endpoints[2:])


def test_one_that_is_called_by_name_is_async_yet() -> None:
    async def turned(request: Request, b: str, a: str) -> str:
        return a + b

    router = Router()
    router.get("/{a}/{b}")(turned)
    assert router.compile().endpoints[0].is_async


@pytest.mark.parametrize("function", [*ASYNC, generator])
def test_a_guard_cannot_be_async(function: Any) -> None:
    with pytest.raises(ConfigError, match=r"test_asynchronous.py:\d+: when=: .* cannot be async; write `def`"):
        Router().get("/", when=function)


def test_a_handler_cannot_be_an_async_generator_yet() -> None:
    router = Router()
    for declare in (router.get("/"), router.fallback):
        with pytest.raises(ConfigError, match=r"test_asynchronous.py:\d+: a handler cannot `yield` yet; `return`"):
            declare(generator)


@pytest.mark.parametrize("handler", ASYNC)
def test_an_async_handler_cannot_be_said_to_block(handler: Any) -> None:
    router = Router()
    for declare in (router.get("/", blocking=True), router.fallback(blocking=True)):
        with pytest.raises(ConfigError, match=r"test_asynchronous.py:\d+: an `async def` must not block.*write `def`"):
            declare(handler)
    for allowed in (False, None):
        router.get(f"/{allowed}", blocking=allowed)(handler)
    assert router.compile().endpoints[0].is_async
