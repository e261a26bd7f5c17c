"""The table answers every request with an endpoint: a route's, the fallback's, or a built-in one."""

import sys
import threading
from typing import Any
from uuid import UUID

import pytest

from tinybeam import Request, Response, Router
from tinybeam.http import as_response
from tinybeam.router import RouteTable

ID = "123e4567-e89b-12d3-a456-426614174000"


def table_of(*lines: str, fallback: bool = False) -> RouteTable:
    """A table of lines such as "GET /users/{id:int}"; each handler returns its line and its parameters."""
    router = Router()
    for line in lines:
        methods, _, path = line.partition(" ")

        def handler(request: Request, _line: str = line, **params: Any) -> object:
            return _line, params

        router.route(path, "*" if methods == "*" else methods.split("|"))(handler)
    if fallback:
        router.fallback(lambda request: ("fallback", {}))
    return router.compile()


def ask(table: RouteTable, method: str, path: str) -> Any:
    request = Request(7, method, path)
    endpoint, values = table.match(request)
    result = endpoint.handler(request, *values)
    if isinstance(result, Response):
        response = as_response(result)
        return response.status, dict(response.headers).get("Allow")
    return result


@pytest.mark.parametrize(
    ("path", "line", "params"),
    [
        ("/", "GET /", {}),
        ("/users", "GET /users", {}),
        ("/users/", "GET /users/", {}),
        ("/users/me", "GET /users/me", {}),
        ("/users/%6De", "GET /users/me", {}),
        ("/users/42", "GET /users/{id:int}", {"id": 42}),
        ("/users/%34%32", "GET /users/{id:int}", {"id": 42}),
        ("/users/4.2", "GET /users/{id:float}", {"id": 4.2}),
        (f"/users/{ID}", "GET /users/{id:uuid}", {"id": UUID(ID)}),
        ("/users/bob", "GET /users/{name}", {"name": "bob"}),
        ("/users/J%C3%BCrgen", "GET /users/{name}", {"name": "Jürgen"}),
        ("/users/a%2Fb", "GET /users/{name}", {"name": "a/b"}),
        ("/users/a+b", "GET /users/{name}", {"name": "a+b"}),
        ("/users/%00", "GET /users/{name}", {"name": "\0"}),
        ("/users/42/posts", "GET /users/{id:int}/posts", {"id": 42}),
        ("/users/bob/posts", "GET /users/{rest:path}", {"rest": "bob/posts"}),
        ("/users/42/posts/", "GET /users/{rest:path}", {"rest": "42/posts/"}),
        ("/users//", "GET /users/{rest:path}", {"rest": "/"}),
        ("/users/../etc", "GET /users/{rest:path}", {"rest": "../etc"}),
        ("/users/a%2F..%2Fb/c", "GET /users/{rest:path}", {"rest": "a/../b/c"}),
        ("/caf%C3%A9", "GET /café", {}),
        ("/caf%c3%a9", "GET /café", {}),
        ("/100%25", "GET /100%", {}),
    ],
)
def test_a_path_finds_its_route(path: str, line: str, params: dict[str, object]) -> None:
    table = table_of(
        *("GET /", "GET /users", "GET /users/", "GET /users/{rest:path}", "GET /users/{name}", "GET /users/{id:float}"),
        *("GET /users/{id:int}", "GET /users/{id:uuid}", "GET /users/me", "GET /users/{id:int}/posts", "GET /café"),
        "GET /100%",
    )
    assert ask(table, "GET", path) == (line, params)


@pytest.mark.parametrize(
    "path", ["/b", "/a/", "//a", "/a//", "/A", "/%FF", "/a%FF", "/%C3", "/x/%FF", "", "a", "?", "*", "a:80", "/x/"]
)
def test_what_no_route_matches_is_a_404(path: str) -> None:
    assert ask(table_of("GET /a", "GET /x/{name}"), "GET", path) == (404, None)


def test_a_target_that_is_no_path_matches_no_parameter() -> None:
    table = table_of("GET /{name}", "GET /x/{rest:path}")
    assert ask(table, "GET", "/a:80") == ("GET /{name}", {"name": "a:80"})
    for target in ("*", "a:80", "", "a"):
        assert ask(table, "GET", target) == (404, None)


def test_the_rest_of_a_path_is_never_empty() -> None:
    table = table_of("GET /files/{rest:path}")
    assert ask(table, "GET", "/files/") == (404, None)
    assert ask(table, "GET", "/files") == (404, None)
    assert ask(table, "GET", "/files//") == ("GET /files/{rest:path}", {"rest": "/"})


def test_a_guarded_literal_is_asked_before_a_parameter() -> None:
    router = Router()
    router.get("/users/me", when=lambda request: "me" in request.query)(lambda request: "me")
    router.get("/users/{name}")(lambda request, name: name)
    table = router.compile()
    assert table.match(Request(7, "GET", "/users/me", "me"))[1] == ()
    assert table.match(Request(7, "GET", "/users/me"))[1] == ("me",)


def test_a_404_says_so_in_plain_text() -> None:
    endpoint, values = table_of().match(Request(7, "GET", "/"))
    response = as_response(endpoint.handler(Request(7, "GET", "/"), *values))
    assert (response.status, response.body) == (404, b"Not Found")
    assert dict(response.headers) == {"Content-Type": "text/plain; charset=utf-8"}


def test_a_more_literal_way_that_leads_nowhere_is_left_for_another() -> None:
    table = table_of("GET /users/{id:int}/posts", "GET /users/{name}/likes", "GET /{any}/42/{rest:path}")
    assert ask(table, "GET", "/users/42/likes") == ("GET /users/{name}/likes", {"name": "42"})
    assert ask(table, "GET", "/users/42/x") == ("GET /{any}/42/{rest:path}", {"any": "users", "rest": "x"})
    assert ask(table, "GET", "/users/43/x") == (404, None)


def test_head_is_answered_through_get_unless_it_has_a_route() -> None:
    table = table_of("GET /a", "GET /b", "HEAD /b", "POST /c", "* /d", "GET /d", "GET /e/{x}")
    assert ask(table, "HEAD", "/a")[0] == "GET /a"
    assert ask(table, "HEAD", "/b")[0] == "HEAD /b"
    assert ask(table, "HEAD", "/c") == (405, "OPTIONS, POST")
    assert ask(table, "HEAD", "/d")[0] == "GET /d"
    assert ask(table, "HEAD", "/e/1") == ("GET /e/{x}", {"x": "1"})


def test_the_endpoint_of_head_is_that_of_get() -> None:
    table = table_of("GET /a")
    assert table.match(Request(7, "HEAD", "/a"))[0] is table.match(Request(7, "GET", "/a"))[0]


def test_another_method_on_a_known_path_is_a_405_with_allow() -> None:
    table = table_of("GET /a", "POST|PUT /a", "DELETE /a/{id:int}", "BREW /pot")
    assert ask(table, "DELETE", "/a") == (405, "GET, HEAD, OPTIONS, POST, PUT")
    assert ask(table, "GET", "/a/1") == (405, "DELETE, OPTIONS")
    assert ask(table, "GET", "/a/x") == (404, None)
    assert ask(table, "GET", "/pot") == (405, "BREW, OPTIONS")
    assert ask(table, "TRACE", "/a") == (405, "GET, HEAD, OPTIONS, POST, PUT")


def test_methods_are_told_apart_by_case() -> None:
    assert ask(table_of("GET /a"), "get", "/a") == (405, "GET, HEAD, OPTIONS")


def test_the_routes_of_one_method_do_not_hide_those_of_another() -> None:
    table = table_of("GET /{page}", "POST /users")
    assert ask(table, "GET", "/users") == ("GET /{page}", {"page": "users"})


def test_options_is_answered_with_allow_unless_it_has_a_route() -> None:
    table = table_of("GET /a", "POST /a", "OPTIONS /b", "* /c")
    assert ask(table, "OPTIONS", "/a") == (204, "GET, HEAD, OPTIONS, POST")
    assert ask(table, "OPTIONS", "/b")[0] == "OPTIONS /b"
    assert ask(table, "OPTIONS", "/c")[0] == "* /c"
    assert ask(table, "OPTIONS", "/d") == (404, None)


def test_options_of_the_whole_server_names_every_method() -> None:
    assert ask(table_of("GET /a", "POST /b", "BREW /c"), "OPTIONS", "*") == (204, "BREW, GET, HEAD, OPTIONS, POST")
    assert ask(table_of(), "OPTIONS", "*") == (204, "OPTIONS")


def test_a_route_for_all_methods_takes_what_no_other_takes() -> None:
    table = table_of("* /a", "GET /a", "* /b/{x}")
    assert ask(table, "GET", "/a")[0] == "GET /a"
    assert ask(table, "BREW", "/a")[0] == "* /a"
    assert ask(table, "POST", "/b/1") == ("* /b/{x}", {"x": "1"})


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/x"),
        ("DELETE", "/a"),
        ("BREW", "/x/y"),
        ("OPTIONS", "*"),
        ("CONNECT", "example.org:443"),
        ("GET", "/%FF"),
        ("OPTIONS", "/x"),
    ],
)
def test_a_fallback_takes_whatever_nothing_else_matched(method: str, target: str) -> None:
    assert ask(table_of("GET /a", fallback=True), method, target) == ("fallback", {})


def test_a_fallback_leaves_known_paths_their_head_and_options() -> None:
    table = table_of("GET /a", fallback=True)
    assert ask(table, "HEAD", "/a")[0] == "GET /a"
    assert ask(table, "OPTIONS", "/a") == (204, "GET, HEAD, OPTIONS")


def test_guards_are_asked_in_order_until_one_agrees() -> None:
    asked = []

    def guard(name: str, verdict: bool) -> Any:
        def ask_it() -> bool:
            asked.append(name)
            return verdict

        return ask_it

    router = Router()
    for name, verdict in [("first", False), ("second", True), ("third", True)]:
        router.get("/a", when=guard(name, verdict))(lambda request, name=name: name)
    router.get("/a")(lambda request: "last")
    assert ask(router.compile(), "GET", "/a") == "second"
    assert asked == ["first", "second"]


def test_a_guard_that_refuses_leaves_the_request_to_the_next_route_that_matches() -> None:
    router = Router()
    router.delete("/users/{id:int}", when=lambda id: id > 0)(lambda request, id: "positive")
    router.delete("/users/{name}")(lambda request, name: f"name {name}")
    table = router.compile()
    assert ask(table, "DELETE", "/users/7") == "positive"
    assert ask(table, "DELETE", "/users/-7") == "name -7"


def test_a_path_whose_guards_all_refuse_is_a_404_and_allows_only_what_would_work() -> None:
    router = Router()
    router.get("/a", when=lambda: False)(lambda request: "a")
    table = router.compile()
    assert ask(table, "GET", "/a") == (404, None)
    assert ask(table, "POST", "/a") == (404, None)
    router.post("/a")(lambda request: "b")
    assert ask(router.compile(), "GET", "/a") == (405, "OPTIONS, POST")


def test_a_guarded_rest_of_the_path_goes_on_to_the_next_way() -> None:
    router = Router()
    router.get("/a/{rest:path}", when=lambda rest: rest != "x")(lambda request, rest: "rest")
    router.get("/{any}/{name}")(lambda request, any, name: "any")
    table = router.compile()
    assert ask(table, "GET", "/a/y") == "rest"
    assert ask(table, "GET", "/a/x") == "any"


def test_what_a_guard_raises_is_not_hidden() -> None:
    router = Router()
    router.get("/a", when=lambda: 1 / 0)(lambda request: "a")
    table = router.compile()
    for method in ("GET", "POST"):
        with pytest.raises(ZeroDivisionError):
            table.match(Request(7, method, "/a"))


def test_the_endpoints_are_all_that_a_match_can_give() -> None:
    table = table_of("GET /a", "POST /a", "GET /b/{x}", fallback=True)
    known = set(table.endpoints)
    assert [str(endpoint.route).split(" (")[0] for endpoint in table.endpoints] == [
        *("GET /a", "POST /a", "GET /b/{x}", "* fallback table_of.<locals>.<lambda>"),
        *("* not found", "* method not allowed", "* automatic OPTIONS"),
    ]
    for method in ("GET", "HEAD", "POST", "OPTIONS", "BREW"):
        for path in ("/a", "/b/1", "/c", "*"):
            assert table.match(Request(7, method, path))[0] in known
    assert table_of().match(Request(7, "GET", "/"))[0] not in known


def test_two_tables_share_no_endpoint_because_a_server_keeps_its_judgement_there() -> None:
    router = Router()
    router.get("/a")(lambda request: "a")
    first, second = router.compile(), router.compile()
    assert not set(first.endpoints) & set(second.endpoints)


def test_an_endpoint_knows_what_the_user_said_of_blocking() -> None:
    router = Router()
    for path, blocking in [("/a", None), ("/b", True), ("/c", False)]:
        router.get(path, blocking=blocking)(lambda request: "")
    endpoints = router.compile().endpoints[:3]
    assert [endpoint.blocking for endpoint in endpoints] == [None, True, False]
    assert endpoints[0].judge is None
    with pytest.raises(AttributeError):
        endpoints[0].mood = "good"  # type: ignore[attr-defined]


def test_many_threads_may_match_at_once() -> None:
    table = table_of("GET /a/{x:int}", "GET /a/{x}", "GET /b/{rest:path}")
    wrong: list[object] = []

    def work(number: int) -> None:
        for round_ in range(300):
            key = number * 1000 + round_
            got = [ask(table, "GET", f"/a/{key}"), ask(table, "GET", f"/a/n{key}"), ask(table, "GET", f"/b/{key}/x")]
            if [next(iter(params.values())) for _, params in got] != [key, f"n{key}", f"{key}/x"]:
                wrong.append(got)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert wrong == []
