"""Query parameters: every value is kept, the first is the usual one."""

import pytest

from tinybeam.http import QueryParams


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", {}),
        ("a=1", {"a": ["1"]}),
        ("a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}),
        ("a", {"a": [""]}),
        ("a=", {"a": [""]}),
        ("=1", {"": ["1"]}),
        ("a=b=c", {"a": ["b=c"]}),
        ("a=1+2&b=1%2B2", {"a": ["1 2"], "b": ["1+2"]}),
        ("na%6De=%C3%A9&x=%26%3D", {"name": ["é"], "x": ["&="]}),
        ("a=%FF", {"a": ["\ufffd"]}),
        ("a=%zz", {"a": ["%zz"]}),
        ("a=1;b=2", {"a": ["1;b=2"]}),
        ("&&a=1&", {"a": ["1"]}),
        ("a=1?b", {"a": ["1?b"]}),
    ],
)
def test_a_query_is_split_and_decoded(query: str, pairs: dict[str, list[str]]) -> None:
    params = QueryParams(query)
    assert {name: params.get_all(name) for name in params} == pairs
    assert len(params) == len(pairs)


def test_the_first_value_of_a_name_is_the_one() -> None:
    params = QueryParams("tag=a&tag=b")
    assert params["tag"] == params.get("tag") == "a"
    assert dict(params) == {"tag": "a"}


def test_a_missing_name_is_a_key_error_or_the_default() -> None:
    params = QueryParams("a=1")
    assert "b" not in params
    assert params.get("b") is None
    assert params.get("b", "2") == "2"
    assert params.get_all("b") == []
    with pytest.raises(KeyError):
        params["b"]


def test_names_are_told_apart_by_case() -> None:
    assert "A" not in QueryParams("a=1")


def test_what_get_all_gave_can_be_changed_without_changing_the_params() -> None:
    params = QueryParams("a=1")
    params.get_all("a").append("2")
    assert params.get_all("a") == ["1"]


def test_it_prints_its_values() -> None:
    assert repr(QueryParams("a=1")) == "QueryParams({'a': ['1']})"
