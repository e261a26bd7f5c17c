"""Handlers and guards are called with the parameters they name, and directly where that is possible."""

import functools
from collections.abc import Callable
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.errors import ConfigError

GET = Request(7, "GET", "/1/2")


def run(handler: Callable[..., object], path: str = "/{a}/{b:int}", when: Any = None) -> object:
    router = Router()
    router.get(path, when=when)(handler)
    endpoint, values = router.compile().match(GET)
    return endpoint.handler(GET, *values)


def endpoint_handler(handler: Callable[..., object], path: str = "/{a}/{b:int}") -> Callable[..., object]:
    router = Router()
    router.get(path)(handler)
    return router.compile().endpoints[0].handler


def in_order(request: Request, a: str, b: int) -> object:
    return request, a, b


def turned(request: Request, b: int, a: str) -> object:
    return request, a, b


def keyword_only(request: Request, *, b: int, a: str) -> object:
    return request, a, b


def with_defaults(request: Request, a: str = "x", b: int = 0, c: str = "c") -> object:
    return request, a, b


def default_between(request: Request, c: str = "c", a: str = "x", b: int = 0) -> object:
    assert c == "c"
    return request, a, b


def all_by_name(request: Request, **params: Any) -> object:
    return request, params["a"], params["b"]


def partly_by_name(request: Request, b: int, **params: Any) -> object:
    return request, params["a"], b


def anything(*args: Any, **params: Any) -> object:
    return args[0], params["a"], params["b"]


def positional_only(request: Request, a: str, b: int, /) -> object:
    return request, a, b


class Methods:
    def method(self, request: Request, a: str, b: int) -> object:
        return request, a, b

    @classmethod
    def of_class(cls, request: Request, a: str, b: int) -> object:
        return request, a, b

    @staticmethod
    def static(request: Request, a: str, b: int) -> object:
        return request, a, b

    def __call__(self, request: Request, a: str, b: int) -> object:
        return request, a, b


def wrapped(function: Callable[..., object]) -> Callable[..., object]:
    """A decorator that relies on parameters coming by name, as documented, and hides that behind `wraps`."""

    @functools.wraps(function)
    def wrapper(request: Request, **params: Any) -> object:
        return function(request, **params)

    return wrapper


def with_extra(request: Request, extra: str, a: str, b: int) -> object:
    assert extra == "extra"
    return request, a, b


HANDLERS = [
    *(in_order, turned, keyword_only, with_defaults, default_between, all_by_name, partly_by_name, anything),
    *(positional_only, Methods().method, Methods.of_class, Methods.static, Methods(), wrapped(in_order)),
    functools.partial(with_extra, extra="extra"),
    lambda req, a, b: (req, a, b),
]


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda handler: getattr(handler, "__name__", type(handler).__name__))
def test_a_handler_gets_the_request_and_the_parameters_by_name(handler: Callable[..., object]) -> None:
    assert run(handler) == (GET, "1", 2)


@pytest.mark.parametrize("handler", [in_order, with_defaults, positional_only, Methods.static])
def test_a_handler_in_path_order_is_called_directly(handler: Callable[..., object]) -> None:
    assert endpoint_handler(handler) is handler


def test_a_handler_of_a_path_without_parameters_is_called_directly() -> None:
    def index(request: Request, page: int = 1) -> str:
        return "yay"

    assert endpoint_handler(index, "/") is index


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (lambda: 1, "must take the request as its first parameter"),
        (lambda **params: 1, "must take the request as its first parameter"),
        (lambda *, request, a, b: 1, "the first parameter of .* must be the request"),
        (lambda a, b: 1, "the first parameter of .* must be the request"),
        (lambda request: 1, "lacks the parameter 'a' of the path; add it"),
        (lambda request, a: 1, "lacks the parameter 'b' of the path; add it"),
        (lambda *args: 1, "lacks the parameter 'a' of the path"),
        (lambda request, a, b, c: 1, "asks for 'c', which the path does not have; add '{c}' to the path"),
        (lambda request, a, b, *, c: 1, "asks for 'c', which the path does not have"),
        (lambda request, b, a, /: 1, "takes 'b' by position only; remove the '/'"),
        (iter, "has no signature that Python can read; wrap it in a `def`"),
    ],
)
def test_a_handler_that_does_not_fit_its_path_is_refused_with_its_place(handler: Any, message: str) -> None:
    router = Router()
    router.get("/{a}/{b:int}")(handler)
    with pytest.raises(ConfigError, match=message) as caught:
        router.compile()
    assert "GET /{a}/{b:int} (" in str(caught.value)
    assert "test_call.py:" in str(caught.value)


@pytest.mark.parametrize(
    "guard",
    [
        lambda a: a == "1",
        lambda b: b == 2,
        lambda b, a: (a, b) == ("1", 2),
        lambda request: request is GET,
        lambda b, request, a: (request, a, b) == (GET, "1", 2),
        lambda *, request, b: (request, b) == (GET, 2),
        lambda **given: given == {"request": GET, "a": "1", "b": 2},
        lambda a, limit=9: limit == 9,
        lambda: True,
    ],
)
def test_a_guard_gets_what_it_names(guard: Callable[..., object]) -> None:
    assert run(in_order, when=guard) == (GET, "1", 2)


@pytest.mark.parametrize("guard", [lambda c: True, lambda a, b, c: True, lambda a, /: True, lambda *, id: True])
def test_a_guard_that_asks_for_what_there_is_not_is_refused(guard: Callable[..., object]) -> None:
    router = Router()
    router.get("/{a}/{b:int}", when=guard)(in_order)
    with pytest.raises(ConfigError, match=r"test_call.py:\d+\): the guard asks for .*any of request, a, b, by name"):
        router.compile()


def test_a_guard_without_a_readable_signature_is_refused() -> None:
    router = Router()
    router.get("/", when=iter)(lambda request: 1)
    with pytest.raises(ConfigError, match="the guard has no signature"):
        router.compile()
