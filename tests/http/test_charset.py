"""Charsets: which are named, which are accepted, and that a client's names leave nothing behind."""

import encodings

import pytest

from tinybeam.errors import HTTPError
from tinybeam.http.charset import charset_of, decoded


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        (None, "utf-8"),
        ("", "utf-8"),
        ("text/plain", "utf-8"),
        ("text/plain;charset=latin-1", "latin-1"),
        ("text/plain; Charset=UTF-16", "UTF-16"),
        ('text/plain; charset="iso-8859-1"', "iso-8859-1"),
        ('text/plain; charset="a\\"b"', 'a"b'),
        ("text/plain; format=flowed; charset=latin-1; x=y", "latin-1"),
        ("text/plain; xcharset=latin-1", "utf-8"),
        ("text/charset=latin-1", "utf-8"),
        ("text/plain; charset=", ""),
        ("text/plain; charset=latin-1; charset=utf-16", "latin-1"),
    ],
)
def test_the_charset_parameter_is_found(content_type: str | None, charset: str) -> None:
    assert charset_of(content_type) == charset


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("utf-8", b"caf\xc3\xa9"),
        ("UTF8", b"caf\xc3\xa9"),
        ("iso-8859-1", b"caf\xe9"),
        ("Windows-1252", b"caf\xe9"),
        ("utf-16", "café".encode("utf-16")),
        ("utf-8-sig", b"\xef\xbb\xbfcaf\xc3\xa9"),
        ("cp850", b"caf\x82"),
    ],
)
def test_text_in_a_known_charset_is_decoded(charset: str, octets: bytes) -> None:
    assert decoded(octets, charset) == "café"


@pytest.mark.parametrize("charset", ["utf-8", "ascii", "utf-16"])
def test_octets_that_are_not_in_the_charset_are_a_400(charset: str) -> None:
    with pytest.raises(HTTPError) as caught:
        decoded(b"\xff\xfe\xff", charset)
    assert (caught.value.status, caught.value.message) == (400, f"the body is not {charset} text")


@pytest.mark.parametrize(
    "charset",
    [
        "",
        "klingon",
        "é",
        "a\0b",
        "x" * 5000,
        "zlib",
        "hex",
        "rot13",
        "base64",
        "bz2",
        "uu",
        "quopri",
        "idna",
        "punycode",
    ]
    + ["unicode_escape", "unicode-escape", "raw_unicode_escape", "undefined", "os", "../x"],
)
def test_what_is_no_charset_is_a_415(charset: str) -> None:
    with pytest.raises(HTTPError) as caught:
        decoded(b"abc", charset)
    assert caught.value.status == 415
    assert "send utf-8" in caught.value.message


def test_an_unknown_charset_is_not_remembered_by_python() -> None:
    before = set(encodings._cache)  # type: ignore[attr-defined]
    with pytest.raises(HTTPError):
        decoded(b"abc", "a-name-that-only-this-test-knows")
    assert set(encodings._cache) == before  # type: ignore[attr-defined]
