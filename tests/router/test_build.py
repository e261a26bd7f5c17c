"""Routes that stand in each other's way are found when the table is built."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tinybeam import Request, Router
from tinybeam.errors import ConfigError


def declare(router: Router, line: str, when: Any = None) -> None:
    methods, _, path = line.partition(" ")
    router.route(path, "*" if methods == "*" else methods.split("|"), when=when)(lambda request, **params: line)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GET /", "GET /"),
        ("GET /a/{x}", "GET /a/{y}"),
        ("GET /a/{x}", "GET /a/{x:str}"),
        ("GET /a/{x:int}/b", "GET /a/{y:int}/b"),
        ("GET /{x:path}", "GET /{y:path}"),
        ("GET|POST /a", "POST|PUT /a"),
        ("* /a", "* /a"),
    ],
)
def test_two_routes_for_the_same_requests_are_refused_with_both_places(first: str, second: str) -> None:
    router = Router()
    declare(router, first)
    declare(router, second)
    with pytest.raises(ConfigError, match="the second would never run") as caught:
        router.compile()
    places = re.findall(r"\(\S*test_build.py:\d+\)", str(caught.value))
    assert len(places) == 2
    assert f"{first} (" in str(caught.value)
    assert f"{second} (" in str(caught.value)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GET /a", "POST /a"),
        ("GET /a", "GET /a/"),
        ("GET /a", "GET /A"),
        ("GET /a/{x}", "GET /a/{x:int}"),
        ("GET /a/{x:int}", "GET /a/{x:float}"),
        ("GET /a/{x}", "GET /a/{x:path}"),
        ("GET /int", "GET /{x:int}"),
        ("GET /a", "HEAD /a"),
        ("GET /a", "* /a"),
    ],
)
def test_two_routes_of_which_one_goes_first_by_precedence_are_fine(first: str, second: str) -> None:
    for lines in ((first, second), (second, first)):
        router = Router()
        for line in lines:
            declare(router, line)
        assert len(router.compile().endpoints) == 5


def test_a_guarded_route_may_stand_before_others_like_it() -> None:
    router = Router()
    declare(router, "GET /a", when=lambda: False)
    declare(router, "GET /a", when=lambda: False)
    declare(router, "GET /a")
    assert len(router.compile().endpoints) == 6


def test_a_guarded_route_after_one_without_a_guard_would_never_run() -> None:
    router = Router()
    declare(router, "GET /a")
    declare(router, "GET /a", when=lambda: True)
    with pytest.raises(ConfigError, match="the second would never run"):
        router.compile()


@pytest.mark.parametrize("constant_first", [True, False])
def test_a_constant_and_a_handler_on_one_path_are_refused(constant_first: bool) -> None:
    router = Router()
    if constant_first:
        router.get("/", do="yay")
        declare(router, "GET /")
    else:
        declare(router, "GET /")
        router.get("/", do="yay")
    with pytest.raises(ConfigError, match="the second would never run"):
        router.compile()


def test_a_route_for_head_and_get_is_tried_once_for_head() -> None:
    asked = []
    router = Router()
    declare(router, "HEAD|GET /a", when=lambda: asked.append("guard"))
    assert router.compile().match(Request(7, "HEAD", "/a"))[0].route.name == "not found"
    # Once to match, and once for GET to tell 404 from 405.
    assert len(asked) == 2


def test_the_guard_of_a_route_for_all_methods_is_asked_once() -> None:
    asked = []
    router = Router()
    declare(router, "* /a", when=lambda: asked.append("guard"))
    assert router.compile().match(Request(7, "BREW", "/a"))[0].route.name == "not found"
    assert len(asked) == 1


def test_a_guard_on_a_path_without_parameters_is_asked_every_time() -> None:
    verdicts = iter([True, False, True])
    router = Router()
    declare(router, "GET /a", when=lambda: next(verdicts))
    declare(router, "GET /{x}")
    table = router.compile()
    paths = [str(table.match(Request(7, "GET", "/a"))[0].route).split(" (")[0] for _ in range(3)]
    assert paths == ["GET /a", "GET /{x}", "GET /a"]
