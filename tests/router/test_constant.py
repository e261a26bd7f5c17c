"""Constants are converted once, and the engine is given those that it may answer alone."""

from typing import Any

import msgspec
import pytest

from tinybeam import HTTPError, Request, Response, Router
from tinybeam.errors import ConfigError
from tinybeam.http import answer, as_response

TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
JSON = b"Content-Type: application/json\r\n"


class User(msgspec.Struct):
    id: int


def compiled(path: str, do: object, **options: Any) -> Any:
    router = Router()
    router.get(path, do=do, **options)
    return router.compile()


RESULTS = [
    ("yay", 200, TEXT, b"yay"),
    ("", 200, TEXT, b""),
    (b"\xff", 200, b"Content-Type: application/octet-stream\r\n", b"\xff"),
    ({"a": 1}, 200, JSON, b'{"a":1}'),
    ([1], 200, JSON, b"[1]"),
    (User(7), 200, JSON, b'{"id":7}'),
    (None, 204, b"", b""),
    ((201, "made"), 201, TEXT, b"made"),
    ((204, None), 204, b"", b""),
    ((200, {"X": "y"}, "a"), 200, b"X: y\r\n" + TEXT, b"a"),
    (Response("a", 418, content_type="text/x"), 418, b"Content-Type: text/x\r\n", b"a"),
    (Response.redirect("/new"), 302, b"Location: /new\r\n", b""),
    (HTTPError(410), 410, TEXT, b"Gone"),
]


@pytest.mark.parametrize(("do", "status", "fields", "body"), RESULTS, ids=repr)
def test_any_result_can_be_a_constant_for_the_engine_and_through_match(
    do: object, status: int, fields: bytes, body: bytes
) -> None:
    table = compiled("/a", do)
    assert table.constants == (("/a", status, fields, body),)
    for method in ("GET", "HEAD"):
        request = Request(7, method, "/a")
        endpoint, values = table.match(request)
        assert values == ()
        assert answer(7, endpoint.handler(request)) == (7, status, fields, body)


def test_a_constant_does_not_change_with_the_value_it_was_made_of() -> None:
    value, response = {"a": 1}, Response("b")
    router = Router()
    router.get("/a", do=value)
    router.get("/b", do=response)
    value["a"] = 2
    response.add_header("X", "y")
    table = router.compile()
    assert [constant.body for constant in table.constants] == [b'{"a":1}', b"b"]
    assert table.constants[1].fields == TEXT


def test_an_answer_that_was_changed_does_not_change_the_next() -> None:
    table = compiled("/a", Response("a"))
    endpoint, _ = table.match(Request(7, "GET", "/a"))
    as_response(endpoint.handler(Request(7, "GET", "/a"))).add_header("X", "y")
    assert as_response(endpoint.handler(Request(7, "GET", "/a"))).headers == (("Content-Type", TEXT[14:-2].decode()),)


@pytest.mark.parametrize("do", [print, lambda request: "a", User, Router().get("/")])
def test_a_function_as_a_constant_is_a_mistake(do: object) -> None:
    with pytest.raises(ConfigError, match=r"test_constant.py:\d+: do= takes the answer itself; .* as a decorator"):
        compiled("/", do)


@pytest.mark.parametrize("do", [7, True, object(), {1}, (1, 2, 3, 4), ("a", 200), (200, {"X": "\n"}, "a"), "\ud800"])
def test_what_cannot_be_answered_cannot_be_a_constant(do: object) -> None:
    with pytest.raises(ConfigError, match=r"test_constant.py:\d+: do= cannot be answered: "):
        compiled("/", do)


def test_a_route_has_a_constant_or_a_handler_and_not_both() -> None:
    router = Router()
    with pytest.raises(ConfigError, match="either do= or a decorated function, not both"):

        @router.get("/", do="yay")
        def index(request: Request) -> str:
            return "nay"


def test_a_constant_may_stand_on_a_path_with_parameters() -> None:
    table = compiled("/old/{name}", Response.redirect("/new"))
    request = Request(7, "GET", "/old/x")
    endpoint, values = table.match(request)
    assert as_response(endpoint.handler(request, *values)).status == 302
    assert table.constants == ()


@pytest.mark.parametrize("path", ["/a b", "/café", "/50%", "/[x]", "/a|b", '/"'])
def test_a_path_that_is_sent_encoded_is_left_to_python(path: str) -> None:
    table = compiled(path, "yay")
    assert table.constants == ()
    encoded = "".join(
        c if c.isalnum() and c.isascii() or c == "/" else "".join(f"%{o:02X}" for o in c.encode()) for c in path
    )
    assert table.match(Request(7, "GET", encoded))[0].route.pattern.text == path


@pytest.mark.parametrize("path", ["/", "/a/", "//", "/-._~!$&'()*+,;=:@/0"])
def test_a_path_that_is_sent_as_written_is_given_to_the_engine(path: str) -> None:
    assert [constant.path for constant in compiled(path, "yay").constants] == [path]


def test_a_guarded_constant_is_left_to_python() -> None:
    assert compiled("/", "yay", when=lambda: True).constants == ()


def test_a_constant_behind_a_guarded_route_is_left_to_python() -> None:
    router = Router()
    router.get("/", when=lambda request: "beta" in request.query)(lambda request: "beta")
    router.get("/", do="yay")
    assert router.compile().constants == ()


def test_a_constant_whose_path_has_a_head_route_of_its_own_is_left_to_python() -> None:
    router = Router()
    router.get("/", do="yay")
    router.head("/")(lambda request: None)
    assert router.compile().constants == ()


@pytest.mark.parametrize("methods", [["POST"], ["HEAD"], ["OPTIONS"]])
def test_only_constants_for_get_are_given_to_the_engine(methods: list[str]) -> None:
    router = Router()
    router.route("/", methods, do="yay")
    assert router.compile().constants == ()


@pytest.mark.parametrize("methods", [["GET", "POST"], ["HEAD", "GET"]])
def test_a_constant_for_get_and_other_methods_is_given_for_get(methods: list[str]) -> None:
    router = Router()
    router.route("/", methods, do="yay")
    assert [constant.path for constant in router.compile().constants] == ["/"]
    router.post("/x", do="x")
    assert router.compile().match(Request(7, methods[-1], "/"))[0].route.is_constant


def test_a_constant_for_all_methods_is_left_to_python() -> None:
    router = Router()
    router.route("/", "*", do="yay")
    table = router.compile()
    assert table.match(Request(7, "BREW", "/"))[0].route.is_constant
    assert table.constants == ()
