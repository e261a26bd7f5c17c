"""The most common paths are found without a walk, and come to what a walk would come to."""

from __future__ import annotations

from typing import Any

import pytest

from tinybeam import Request, Router


def declare(router: Router, line: str, when: Any = None) -> None:
    method, _, path = line.partition(" ")
    router.route(path, [method], when=when)(lambda request, **params: line)


@pytest.fixture
def no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every walk through a trie fail."""
    monkeypatch.setattr("tinybeam.router.table.find", None)


@pytest.mark.usefixtures("no_walk")
def test_paths_without_parameters_are_found_without_a_walk() -> None:
    router = Router()
    for line in ("GET /a/b", "POST /a/b", "GET /a/{x}", "GET /"):
        declare(router, line)
    table = router.compile()
    for method, path in [("GET", "/a/b"), ("HEAD", "/a/b"), ("POST", "/a/b"), ("GET", "/")]:
        endpoint, values = table.match(Request(7, method, path))
        assert endpoint.handler(None) == f"{'GET' if method == 'HEAD' else method} {path}"
        assert values == ()


@pytest.mark.usefixtures("no_walk")
def test_paths_whose_last_segment_is_their_only_parameter_are_found_without_a_walk() -> None:
    router = Router()
    for line in ("GET /users/{id:int}", "GET /users/{name}", "GET /users/me", "GET /{page}", "GET /a/{b}/c"):
        declare(router, line)
    table = router.compile()
    for method, path, values in [
        ("GET", "/users/42", (42,)),
        ("HEAD", "/users/-1", (-1,)),
        ("GET", "/home", ("home",)),
    ]:
        assert table.match(Request(7, method, path))[1] == values


@pytest.mark.usefixtures("no_walk")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/bob"),
        ("GET", "/users/"),
        ("GET", "/users/%34"),
        ("POST", "/users/1"),
        ("GET", "/users/1/x"),
        ("GET", "*"),
    ],
)
def test_all_else_is_walked(method: str, path: str) -> None:
    router = Router()
    declare(router, "GET /users/{id:int}")
    declare(router, "GET /users/{name}")
    declare(router, "GET /{rest:path}")
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        router.compile().match(Request(7, method, path))


@pytest.mark.usefixtures("no_walk")
@pytest.mark.parametrize("line", ["GET /a", "GET /{x}"])
def test_where_a_guard_has_to_be_asked_there_is_no_shortcut(line: str) -> None:
    router = Router()
    declare(router, line, when=lambda: True)
    declare(router, "GET /{other}")
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        router.compile().match(Request(7, "GET", "/a"))
