"""Scopes: what is declared within one has its prefix and its plugs, and what follows does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.errors import ConfigError, HTTPError


def noting(name: str) -> Any:
    def plug(request: Request) -> Request:
        request.assigns.setdefault("order", []).append(name)
        return request

    return plug


def handler(request: Request, **values: Any) -> Any:
    return request.assigns.get("order", []), values


def run(router: Router, path: str) -> Any:
    request = Request(7, "GET", path)
    endpoint, values = router.compile().match(request)
    return endpoint.handler(request, *values)


def test_a_route_within_has_the_prefix_and_one_after_has_not() -> None:
    router = Router()
    with router.scope("/admin", through=[noting("admin")]):
        router.get("/users/{id:int}")(handler)
    router.get("/users/{id:int}")(handler)
    assert run(router, "/admin/users/7") == (["admin"], {"id": 7})
    assert run(router, "/users/7") == ([], {"id": 7})


def test_plugs_come_from_the_outside_in() -> None:
    router = Router(through=[noting("router")])
    with router.scope("/a", through=[noting("outer"), noting("second")]):
        with router.scope("/b", through=[noting("inner")]):
            router.get("/c", through=[noting("route")])(handler)
        router.get("/d")(handler)
    assert run(router, "/a/b/c")[0] == ["router", "outer", "second", "inner", "route"]
    assert run(router, "/a/d")[0] == ["router", "outer", "second"]


def test_a_slash_as_the_prefix_adds_only_plugs() -> None:
    router = Router()
    with router.scope("/", through=[noting("only")]):
        router.get("/a")(handler)
    assert run(router, "/a")[0] == ["only"]


def test_an_empty_path_is_the_prefix_itself_and_a_slash_is_not() -> None:
    router = Router()
    with router.scope("/admin"):
        router.get("", do="without")
        router.get("/", do="with")
    assert run(router, "/admin")[2] == b"without"
    assert run(router, "/admin/")[2] == b"with"
    assert [one.path for one in router.compile().constants] == ["/admin", "/admin/"]


def test_a_prefix_may_have_parameters() -> None:
    router = Router()
    with router.scope("/users/{id:int}"):
        router.get("/posts/{post}")(handler)
    assert run(router, "/users/7/posts/x")[1] == {"id": 7, "post": "x"}


def test_a_scope_ends_when_what_is_within_raises() -> None:
    router = Router()
    with pytest.raises(ZeroDivisionError), router.scope("/a", through=[noting("a")]):
        1 / 0  # noqa: B018
    router.get("/b")(handler)
    assert run(router, "/b") == ([], {})


def test_one_scope_may_be_entered_again_and_in_itself() -> None:
    router = Router()
    scope = router.scope("/a", through=[noting("a")])
    with scope:
        router.get("/1")(handler)
        with scope:
            router.get("/2")(handler)
    with scope:
        router.get("/3")(handler)
    assert [run(router, path)[0] for path in ("/a/1", "/a/a/2", "/a/3")] == [["a"], ["a", "a"], ["a"]]


@pytest.mark.parametrize("prefix", ["admin", "/admin/", "//", "", 7, None])
def test_a_prefix_is_like_a_path(prefix: Any) -> None:
    with pytest.raises(ConfigError, match=r"test_scope.py:\d+: the prefix .* must be / or like /admin"):
        Router().scope(prefix)


@pytest.mark.parametrize("prefix", ["/{a:path}", "/a?b", "/{1}", "/a{b}"])
def test_a_prefix_that_no_pattern_can_begin_with_is_refused_with_the_reason(prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"test_scope.py:\d+: (in )?the path"):
        Router().scope(prefix)


def test_a_path_within_begins_with_a_slash_too() -> None:
    router = Router()
    with router.scope("/a"):
        with pytest.raises(ConfigError, match=r"the path 'b' must begin with '/'"):
            router.get("b")
        with pytest.raises(ConfigError, match=r"a route needs its path"):
            router.get(handler)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=r"a path must be a str"):
            router.get(7)  # type: ignore[arg-type]


def test_a_parameter_that_the_prefix_has_already_is_refused() -> None:
    router = Router()
    with router.scope("/{id}"), pytest.raises(ConfigError, match="two parameters have the same name"):
        router.get("/{id}")


@pytest.mark.parametrize(("prefix", "through"), [("/a", []), ("/", [noting("a")])])
def test_a_fallback_has_no_place_in_a_scope(prefix: str, through: Any) -> None:
    router = Router()
    with router.scope(prefix, through=through), pytest.raises(ConfigError, match="outside of scopes"):
        router.fallback(handler)


# Files.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("a file")
    return tmp_path


def test_files_within_a_scope_have_its_prefix_and_are_the_engines(folder: Path) -> None:
    router = Router()
    with router.scope("/files"):
        router.static("/sub", folder)
        router.static("/", folder)
    assert [mount.prefix for mount in router.compile().mounts] == ["/files/sub", "/files"]


def test_files_behind_plugs_are_not_the_engines(folder: Path) -> None:
    def refuse(request: Request) -> Any:
        raise HTTPError(401)

    router = Router()
    with router.scope("/private", through=[refuse]):
        router.static("/files", folder)
    with router.scope("/", through=[noting("seen")]):
        router.static("/public", folder)
    assert router.compile().mounts == ()
    with pytest.raises(HTTPError, match="401"):
        run(router, "/private/files/a.txt")
    assert run(router, "/public/a.txt").from_file == ("a.txt", str(folder), None, False)


def test_files_that_leave_the_rest_to_routes_cannot_be_behind_plugs(folder: Path) -> None:
    router = Router(through=[noting("a")])
    router.static("/", folder, missing="next")
    with pytest.raises(ConfigError, match=r"test_scope.py:\d+: missing='next' is the engine's way"):
        router.compile()


def test_a_prefix_with_parameters_is_none_of_files(folder: Path) -> None:
    router = Router()
    with router.scope("/{id}"), pytest.raises(ConfigError, match="prefix .* must be / or like"):
        router.static("/a", folder)
