"""A file as its clients see it: the validators, and which fields each answer has."""

from __future__ import annotations

import os

from tinybeam.files.asset import Asset, describe

NOW = 1_700_000_000


def asset_of(
    second: int, nanosecond: int, size: int, *, name: str = "a/b.css", coding: str | None = None, varies: bool = False
) -> Asset:
    stat = os.stat_result((0,) * 6 + (size,) + (0,) * 3, {"st_mtime_ns": second * 10**9 + nanosecond})
    return describe(stat, name, NOW, coding=coding, negotiated=varies)


def test_the_fields_of_a_plain_file() -> None:
    file = asset_of(784111777, 5, 26)
    assert (file.length, file.modified, file.etag) == (26, 784111777, '"ae1b981bc490a05-1a"')
    assert file.lasting == 'ETag: "ae1b981bc490a05-1a"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
    assert file.many == file.lasting + "Accept-Ranges: bytes\r\n"
    assert file.kind_field == "Content-Type: text/css; charset=utf-8\r\n"


def test_the_fields_of_a_coded_one_and_where_they_are_cut() -> None:
    file = asset_of(784111777, 5, 26, coding="br", varies=True)
    assert file.etag == '"ae1b981bc490a05-1a-br"'
    assert file.lasting == (
        'Vary: Accept-Encoding\r\nETag: "ae1b981bc490a05-1a-br"\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n'
    )
    assert file.many == file.lasting + "Accept-Ranges: bytes\r\nContent-Encoding: br\r\n"
    assert file.kind == "text/css; charset=utf-8"  # of what was coded


def test_where_others_get_another_coding_the_file_itself_varies() -> None:
    file = asset_of(784111777, 5, 26, varies=True)
    assert file.lasting.startswith('Vary: Accept-Encoding\r\nETag: "ae1b981bc490a05-1a"\r\n')
    assert "Content-Encoding" not in file.many


def test_every_difference_shows_in_the_etag() -> None:
    files = [
        asset_of(1000, 0, 10),
        asset_of(1000, 1, 10),
        asset_of(1000, 0, 11),
        asset_of(1000, 0, 10, coding="gzip"),
        asset_of(1000, 0, 10, coding="zstd"),
        asset_of(1001, 0, 10),
    ]
    assert len({file.etag for file in files}) == len(files)
    assert asset_of(1000, 0, 10, name="another", varies=True).etag == files[0].etag


def test_a_file_from_the_future_is_of_now() -> None:
    file = asset_of(NOW + 1, 0, 1)
    assert file.modified == NOW
    assert "Last-Modified: Tue, 14 Nov 2023 22:13:20 GMT\r\n" in file.lasting
    assert file.etag != asset_of(NOW, 0, 1).etag


def test_a_second_is_rounded_down_also_before_1970() -> None:
    assert asset_of(-1, 999_999_999, 1).modified == -1
    assert asset_of(0, 999_999_999, 1).modified == 0
    assert asset_of(-1, 0, 0).etag == '"ffffffffc4653600-0"'


def test_a_type_that_is_given_counts_before_that_of_the_name() -> None:
    stat = os.stat_result((0,) * 10, {"st_mtime_ns": 0})
    assert describe(stat, "a.css", NOW, kind="text/x-own").kind_field == "Content-Type: text/x-own\r\n"
    assert describe(stat, "a.css", NOW).kind == "text/css; charset=utf-8"
    assert describe(stat, "a.unheard", NOW).kind == "application/octet-stream"
