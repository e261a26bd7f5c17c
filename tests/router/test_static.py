"""Mounts: what can be said of one, and what cannot work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tinybeam import Router
from tinybeam.errors import ConfigError
from tinybeam.files import STATIC_HIDDEN, STATIC_PASS, STATIC_PRECOMPRESSED
from tinybeam.router.static import Mount


def mount_of(prefix: Any, directory: Any, **options: Any) -> Mount:
    router = Router()
    router.static(prefix, directory, **options)
    [mount] = router.compile().mounts
    return mount


def test_a_mount_in_the_engines_terms(tmp_path: Path) -> None:
    assert mount_of("/a", tmp_path) == ("/a", str(tmp_path), "index.html", b"", 0)
    given = mount_of(
        "/",
        str(tmp_path),
        index=None,
        cache_control="no-cache",
        precompressed=True,
        hidden=True,
        headers={"X-A": "b"},
        missing="next",
    )
    fields = b"X-A: b\r\nCache-Control: no-cache\r\n"
    assert given == ("", str(tmp_path), None, fields, STATIC_HIDDEN | STATIC_PRECOMPRESSED | STATIC_PASS)


@pytest.mark.parametrize("prefix", ["assets", "/assets/", "//", "/a//b", "/ö", "/a b", "/a%20b", "/{x}", "", "/a?b", 7])
def test_a_prefix_is_like_a_path(tmp_path: Path, prefix: Any) -> None:
    if prefix == "":
        assert mount_of(prefix, tmp_path, missing="next").prefix == ""
        return
    with pytest.raises(ConfigError, match="prefix .* must be / or like /assets"):
        mount_of(prefix, tmp_path)


def test_a_directory_that_is_not_there_is_told_with_the_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"test_static.py:\d+: there is no directory {tmp_path}/none"):
        mount_of("/a", tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="there is no directory"):
        mount_of("/a", tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"index": "a/b"}, "plain name"),
        ({"index": ""}, "plain name"),
        ({"index": ".."}, "plain name"),
        ({"headers": {"ETag": "x"}}, "said of the file by itself"),
        ({"immutable": True, "cache_control": "x"}, "give one of them"),
        ({"missing": "index"}, "'404' or 'next'"),
        ({"headers": {"X": "a\r\nb"}}, "control characters"),
        ({"headers": {"Content-Length": "3"}}, "the engine writes this field itself"),
        ({"headers": {"X": "a" * 2000}}, "1024 are allowed"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_said(tmp_path: Path, options: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        mount_of("/a", tmp_path, **options)


def test_at_the_root_the_routes_must_have_their_turn(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing='next'"):
        mount_of("/", tmp_path)


def test_a_prefix_is_mounted_once(tmp_path: Path) -> None:
    router = Router()
    router.static("/a", tmp_path)
    router.static("/a", tmp_path)
    with pytest.raises(ConfigError, match="/a is mounted already, at .*test_static.py"):
        router.compile()


@pytest.mark.parametrize(("path", "method"), [("/a", "get"), ("/a/b", "get"), ("/a/{x}", "get"), ("/a/b", "head")])
def test_a_route_that_would_never_be_asked_is_refused(tmp_path: Path, path: str, method: str) -> None:
    router = Router()
    router.static("/a", tmp_path)
    getattr(router, method)(path)(lambda request, **_values: "x")
    with pytest.raises(ConfigError, match="would never be asked"):
        router.compile()


def test_routes_beside_and_constants_and_other_methods_beneath_are_fine(tmp_path: Path) -> None:
    router = Router()
    router.static("/a", tmp_path)
    router.get("/a/constant", do="x")
    router.get("/ab")(lambda request: "x")
    router.post("/a/upload")(lambda request: "x")
    assert [constant.path for constant in router.compile().constants] == ["/a/constant"]
