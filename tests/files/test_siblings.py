"""Which of the forms on disk is sent: by Accept-Encoding (RFC 9110 section 12.5.3), and by how old they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinybeam.files import Asked, Opened, Root, open_best
from tinybeam.files.locate import NAME_BYTES_MAX

ALL = ("br", "zstd", "gzip")
SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
OLD_S = 1_500_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a file, and no form of it."""
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root" / "a.txt").write_text("itself")
    os.utime(tmp_path / "root" / "a.txt", (OLD_S, OLD_S))
    return tmp_path / "root"


@pytest.fixture
def root(folder: Path) -> Iterator[Root]:
    made = Root(str(folder))
    yield made
    made.close()


def chosen(root: Root, value: str | None, name: bytes = b"a.txt") -> tuple[str | None, bytes, bytes]:
    """The coding, the name and the content of what is sent; every line of the value is one of the field."""
    lines = [] if value is None else [("accept-encoding", line) for line in value.split("\n")]
    opened, coding = open_best(root, root.open(name), Asked(lines))
    try:
        assert opened.stat == os.fstat(opened.fd)
        return coding, opened.name, os.read(opened.fd, 100)
    finally:
        os.close(opened.fd)


def add(folder: Path, *codings: str, second: float = OLD_S) -> None:
    for coding in codings:
        path = folder / f"a.txt{SUFFIXES[coding]}"
        path.write_text(coding)
        os.utime(path, (second, second))


# The table of tests/native/coding_test.c.
@pytest.mark.parametrize(
    ("value", "available", "coding"),
    [
        (None, ALL, None),
        ("", ALL, None),
        ("gzip", ALL, "gzip"),
        ("gzip", ("br", "zstd"), None),
        ("gzip", (), None),
        ("gzip, deflate, br, zstd", ALL, "br"),  # as browsers say; ours is the choice
        ("gzip, deflate, br, zstd", ("gzip", "zstd"), "zstd"),
        ("gzip, deflate, br", ("gzip",), "gzip"),
        ("gzip\nbr", ALL, "br"),
        ("GZip", ALL, "gzip"),
        ("x-gzip", ALL, "gzip"),
        ("X-GZIP;q=0.5, br;q=0.4", ALL, "gzip"),
        ("deflate, compress", ALL, None),
        # q-values
        ("gzip;q=1.0, br;q=0.5", ALL, "gzip"),
        ("gzip;q=0.5, br;q=0.501", ("gzip", "br"), "br"),
        ("br;q=0.001", ALL, "br"),
        ("br;q=0", ALL, None),
        ("br;q=0.000, gzip;Q=0.1", ALL, "gzip"),
        ("br ; q=0.2 , gzip\t;\tq=0.3\t,", ALL, "gzip"),
        ("gzip;q=1.000", ALL, "gzip"),
        ("gzip;q=1.", ALL, "gzip"),
        (",,gzip,,", ALL, "gzip"),
        ("gzip;q=0, gzip", ALL, None),
        ("gzip, gzip;q=0", ALL, None),
        # "*" and identity
        ("*", ALL, "br"),
        ("*", ("gzip",), "gzip"),
        ("*;q=0", ALL, None),  # none is acceptable
        ("*;q=0, gzip", ALL, "gzip"),
        ("gzip, *;q=0", ("br",), None),
        ("br;q=0, *;q=0.1", ALL, "zstd"),
        ("identity", ALL, None),
        ("identity, gzip;q=0.5", ALL, None),
        ("identity;q=0.5, gzip;q=0.6", ALL, "gzip"),
        ("identity, gzip", ALL, "gzip"),  # liked equally: the smaller one
        ("identity;q=0, gzip;q=0.1", ALL, "gzip"),
        ("identity;q=0", ALL, None),  # none is acceptable: better than a 406
        ("*;q=0.5, identity;q=0.6", ALL, None),
        ("*;q=0.5, gzip;q=0.4", ("gzip",), None),  # "*" is also identity
        # Malformed elements are left out, the others count.
        ("gzip;q=2", ALL, None),
        ("gzip;q=1.001", ALL, None),
        ("gzip;q=0.1234", ALL, None),
        ("gzip;q=.5", ALL, None),
        ("gzip;q=", ALL, None),
        ("gzip;q", ALL, None),
        ("gzip;", ALL, None),
        ("gzip;q=-1", ALL, None),
        ("gzip;q =1", ALL, None),
        ("gzip;level=9", ALL, None),
        ("gzip br", ALL, None),
        ("gzip/br", ALL, None),
        ('"gzip"', ALL, None),
        ("gzipp, gzi, brr, zstandard", ALL, None),
        ("gzip;q=x, br;q=0.1", ALL, "br"),
        ("\xff, gzip", ALL, "gzip"),
        (";q=1, gzip", ALL, "gzip"),
    ],
)
def test_each_client_gets_what_it_likes_best(
    folder: Path, root: Root, value: str | None, available: tuple[str, ...], coding: str | None
) -> None:
    add(folder, *available)
    name = "a.txt" + ("" if coding is None else SUFFIXES[coding])
    assert chosen(root, value) == (coding, name.encode(), (coding or "itself").encode())


def test_a_form_that_is_older_than_its_file_is_of_another(folder: Path, root: Root) -> None:
    add(folder, "br", second=OLD_S - 0.5)
    add(folder, "gzip", second=OLD_S + 0.5)
    assert chosen(root, "br, gzip")[0] == "gzip"
    add(folder, "gzip", second=OLD_S - 1)
    assert chosen(root, "br, gzip") == (None, b"a.txt", b"itself")


def test_a_form_of_the_same_nanosecond_is_current(folder: Path, root: Root) -> None:
    add(folder, "br")
    for name, nanosecond in (("a.txt", 5), ("a.txt.br", 5)):
        os.utime(folder / name, ns=(nanosecond, nanosecond))
    assert chosen(root, "br")[0] == "br"
    os.utime(folder / "a.txt.br", ns=(4, 4))
    assert chosen(root, "br")[0] is None


def test_what_is_no_file_is_no_form(folder: Path, root: Root, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    (folder / "a.txt.br").mkdir()
    os.mkfifo(folder / "a.txt.zst")
    (folder / "a.txt.gz").symlink_to("../secret")
    assert chosen(root, "br, zstd, gzip") == (None, b"a.txt", b"itself")
    assert descriptors() == before


def test_a_form_may_be_a_link_in_the_directory(folder: Path, root: Root) -> None:
    (folder / "forms").mkdir()
    (folder / "forms" / "a").write_text("gzip")
    (folder / "a.txt.gz").symlink_to("forms/a")
    assert chosen(root, "gzip") == ("gzip", b"a.txt.gz", b"gzip")


def test_the_file_itself_is_closed_when_a_form_is_sent(
    folder: Path, root: Root, descriptors: Callable[[], int]
) -> None:
    add(folder, *ALL)
    base = root.open(b"a.txt")
    before = descriptors()
    opened, _ = open_best(root, base, Asked([("accept-encoding", "br")]))
    assert descriptors() == before
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(base.fd)
    os.close(opened.fd)


def test_a_client_that_says_nothing_costs_no_look(folder: Path, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    add(folder, *ALL)
    names: list[bytes] = []
    opening = Root.open

    def noting(self: Root, name: bytes) -> Opened:
        names.append(name)
        return opening(self, name)

    monkeypatch.setattr(Root, "open", noting)
    chosen(root, None)
    chosen(root, "deflate, br;q=0")
    assert names == [b"a.txt", b"a.txt"]
    chosen(root, "gzip")
    assert names[2:] == [b"a.txt", b"a.txt.gz"]


def test_a_name_that_is_too_long_has_no_form(folder: Path, root: Root) -> None:
    add(folder, *ALL)
    asked = Asked([("accept-encoding", "gzip")])
    for length, coding in ((NAME_BYTES_MAX - 2, None), (NAME_BYTES_MAX - 3, "gzip")):
        opened, got = open_best(root, root.open(b"a.txt".rjust(length, b"/")), asked)
        os.close(opened.fd)
        assert got == coding


def test_paths_of_the_programs_own_have_forms_too(folder: Path) -> None:
    add(folder, "gzip")
    name = os.fsencode(folder / "a.txt")
    assert chosen(Root(None), "gzip", name) == ("gzip", name + b".gz", b"gzip")
