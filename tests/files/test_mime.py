"""Content types by the end of a name: the two tables are one, and these are names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tinybeam.files.mime import TYPES, type_of

SOURCE = Path(__file__).resolve().parents[2] / "native" / "src" / "mime.c"
ROW = re.compile(r'^    \{"(?P<extension>[^"]*)", "(?P<kind>[^"]*)"(?P<text> MIME_UTF8)?\},$', re.M)
UNKNOWN = "application/octet-stream"


def native_rows() -> list[tuple[str, str]]:
    rows = ROW.finditer(SOURCE.read_text())
    return [(row["extension"], row["kind"] + ("; charset=utf-8" if row["text"] else "")) for row in rows]


def test_the_rows_of_the_native_table_are_all_read() -> None:
    # What guards the guard: were the pattern to miss a style of writing, the next test would pass on less.
    table = re.search(r"mime_rows\[\] = \{\n(.*?)^\};", SOURCE.read_text(), re.M | re.S)
    assert table is not None
    assert len(native_rows()) == table[1].count("{") > 180
    assert '#define MIME_UTF8 "; charset=utf-8"' in SOURCE.read_text()


def test_the_table_is_that_of_the_native_engine() -> None:
    assert dict(native_rows()) == TYPES
    assert len(native_rows()) == len(TYPES)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a/b.c/app.js", "text/javascript; charset=utf-8"),
        ("app.mjs", "text/javascript; charset=utf-8"),
        ("app.3f9a.css", "text/css; charset=utf-8"),
        ("data.json", "application/json"),
        ("logo.svg", "image/svg+xml"),
        ("a.tar.gz", "application/gzip"),
        ("LOGO.PNG", "image/png"),
        ("Photo.JpEg", "image/jpeg"),
        ("module.wasm", "application/wasm"),
        ("site.webmanifest", "application/manifest+json"),
        ("font.woff2", "font/woff2"),
        ("a.7z", "application/x-7z-compressed"),
        ("a.js\0.html", "text/html; charset=utf-8"),
        ("..html", "text/html; charset=utf-8"),
        ("ö\udcff.css", "text/css; charset=utf-8"),
    ],
)
def test_a_name_has_the_type_of_its_extension(name: str, kind: str) -> None:
    assert type_of(name) == kind


@pytest.mark.parametrize(
    "name",
    ["", "a", "README", "a.", ".", "..", ".html", "a/.html", "x.html/a", "html", "a.htmlx", "a.htm l", "a.xhtm", "/"]
    + ["a.webmanifestx", "a.webmanifest.x", "a.\xff", "a.js/", "a.unheard0", "a.a.long.extensionthatisnot", "a.."],
)
def test_what_is_not_known_is_octets(name: str) -> None:
    assert type_of(name) == UNKNOWN


@pytest.mark.parametrize("extension", TYPES)
def test_each_extension_is_found_in_both_cases(extension: str) -> None:
    assert extension == extension.lower()
    assert type_of(f"a.{extension}") == type_of(f"a.{extension.upper()}") == TYPES[extension]


def test_only_letters_of_ascii_have_two_cases() -> None:
    assert type_of("a.m\N{KELVIN SIGN}v") == UNKNOWN


def test_what_is_text_has_a_charset_and_nothing_else_has() -> None:
    odd = [kind for kind in TYPES.values() if kind.startswith("text/") != kind.endswith("; charset=utf-8")]
    assert odd == []
