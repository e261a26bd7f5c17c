"""Media types: which are worth compressing, and what the patterns mean."""

from __future__ import annotations

from typing import Any

import pytest

from tinybeam.errors import ConfigError
from tinybeam.plugs.media_types import TYPES, MediaTypes

USUAL = MediaTypes(TYPES)


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "text/html; charset=utf-8",
        "TEXT/CSS",
        "text/event-stream",
        "application/json",
        "application/json ; charset=utf-8",
        "application/problem+json",
        "application/javascript",
        "application/wasm",
        "application/atom+xml",
        "image/svg+xml",
        "image/x-icon",
        "font/ttf",
    ],
)
def test_what_is_text_at_heart_is_compressed(kind: str) -> None:
    assert kind in USUAL


COMPRESSED = [
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/avif",
    "video/mp4",
    "audio/ogg",
    "font/woff2",
    "font/woff",
    "application/font-woff2",
    "application/zip",
    "application/gzip",
    "application/pdf",
    "application/x-7z-compressed",
    "application/zstd",
    "application/epub+zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
]


@pytest.mark.parametrize("kind", [*COMPRESSED, "application/octet-stream", "", "text", "nonsense", "multipart/mixed"])
def test_what_is_compressed_already_or_unknown_is_not(kind: str) -> None:
    assert kind not in USUAL


@pytest.mark.parametrize("kind", COMPRESSED)
def test_no_pattern_means_what_is_compressed_already_but_its_name_does(kind: str) -> None:
    every = MediaTypes(["*/*"])
    assert kind not in every
    assert kind in MediaTypes([kind.upper()])
    assert "application/octet-stream" in every


def test_a_pattern_means_nothing_more_than_it_says() -> None:
    types = MediaTypes(["application/x.y", "text/*l"])
    assert ["application/x-y" in types, "text/html" in types, "text/html5" in types] == [False, True, False]
    assert "text/html" not in MediaTypes([])


@pytest.mark.parametrize("wrong", ["html", "text/", "/html", "text/html; charset=utf-8", "text /x", "", 7, None])
def test_what_is_no_pattern_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="is no media type"):
        MediaTypes([wrong])


def test_a_single_pattern_that_is_no_list_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"types= takes a list of media types, such as \['text/html'\]"):
        MediaTypes("text/html")
