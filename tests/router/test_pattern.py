"""Patterns: what a path may be written as, and what is said about mistakes."""

import pytest

from tinybeam.errors import ConfigError
from tinybeam.router.pattern import Pattern
from tinybeam.router.segment import Segment


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("/", [Segment("")]),
        ("/users", [Segment("users")]),
        ("/users/", [Segment("users"), Segment("")]),
        ("//a", [Segment(""), Segment("a")]),
        ("/users/{id}", [Segment("users"), Segment("id", "str")]),
        (
            "/{a:int}/{b:float}/{c:uuid}/{d:str}",
            [Segment("a", "int"), Segment("b", "float"), Segment("c", "uuid"), Segment("d", "str")],
        ),
        ("/files/{rest:path}", [Segment("files"), Segment("rest", "path")]),
        ("/café/a b/50%", [Segment("café"), Segment("a b"), Segment("50%")]),
        ("/*", [Segment("*")]),
    ],
)
def test_a_path_is_split_into_literals_and_parameters(text: str, segments: list[Segment]) -> None:
    assert list(Pattern.parse(text).segments) == segments


def test_the_names_come_in_the_order_of_the_path() -> None:
    assert Pattern.parse("/{b}/x/{a:int}").names == ("b", "a")


def test_only_a_path_without_parameters_is_literal() -> None:
    assert Pattern.parse("/a/b").is_literal
    assert not Pattern.parse("/a/{b}").is_literal


def test_the_shape_tells_kinds_apart_but_not_names() -> None:
    assert Pattern.parse("/{a}/x").shape == Pattern.parse("/{b:str}/x").shape
    assert Pattern.parse("/{a}/x").shape != Pattern.parse("/{a:int}/x").shape
    assert Pattern.parse("/int").shape != Pattern.parse("/{x:int}").shape


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with '/'"),
        ("users", "must begin with '/'"),
        ("*", "must begin with '/'"),
        ("http://a/b", "must begin with '/'"),
        (7, "a path must be a str"),
        (None, "a path must be a str"),
        ("/v{n}", "mixes text and a parameter"),
        ("/{n}.json", "mixes text and a parameter"),
        ("/{a}{b}", "mixes text and a parameter"),
        ("/{a", "mixes text and a parameter"),
        ("/a}", "mixes text and a parameter"),
        ("/{a:int:x}", "mixes text and a parameter"),
        ("/{}", "needs a name that Python allows"),
        ("/{1a}", "needs a name that Python allows"),
        ("/{a b}", "needs a name that Python allows"),
        ("/{class}", "needs a name that Python allows"),
        ("/{:int}", "needs a name that Python allows"),
        ("/{request}", "cannot be named 'request'"),
        ("/{a:}", "the kind '' is unknown; there are uuid, int, float, str, path"),
        ("/{a:integer}", "the kind 'integer' is unknown"),
        ("/{a}/{a}", "two parameters have the same name"),
        ("/{a}/{a:int}", "two parameters have the same name"),
        ("/{rest:path}/x", "must come last"),
        ("/{rest:path}/", "must come last"),
        ("/{a:path}/{b:path}", "must come last"),
        ("/caf%C3%A9", "write 'caf%C3%A9' decoded"),
        ("/a?b=c", "must end before '[?]' or '#'"),
        ("/a#b", "must end before '[?]' or '#'"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pattern.parse(text)
