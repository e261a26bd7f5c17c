"""Symbolic links beneath a directory: followed when they stay in it, refused when they do not, on both ways."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tinybeam.files import Root, resolved

Content = Callable[[Root, bytes], str | int | None]

INSIDE = [
    ("a.txt", "a.txt"),
    ("sub/b.css", "sub/b.css"),
    ("./sub//./b.css", "sub/b.css"),
    ("sub/../a.txt", "a.txt"),
    ("sub/deep/../../sub/b.css", "sub/b.css"),
    ("linked/b.css", "sub/b.css"),
    ("linked/../a.txt", "a.txt"),  # to where the directory is, not to where its link is
    ("deepest/../b.css", "sub/b.css"),
    (".env", ".env"),  # whoever has made the link has shown it
]
OUTSIDE = [
    ("/etc/passwd", errno.EXDEV),
    ("/", errno.EXDEV),
    ("../secret", errno.EXDEV),
    ("..", errno.EXDEV),
    (".//../outside/file", errno.EXDEV),
    ("sub/../../secret", errno.EXDEV),
    ("linked/../../secret", errno.EXDEV),
    ("deepest/../../../secret", errno.EXDEV),
    ("../rooted", errno.EXDEV),
    ("../root-like/file", errno.EXDEV),
    ("outdir/file", errno.EXDEV),
    ("../no/such/file", errno.EXDEV),
    ("/proc/self/cwd", errno.EXDEV),
    ("link", errno.ELOOP),
    ("loop/b.css", errno.ELOOP),
    ("nowhere", errno.ENOENT),
    ("nowhere/file", errno.ENOENT),
    ("a.txt/b", errno.ENOTDIR),
    ("sub", errno.EISDIR),
    (".", errno.EISDIR),
    ("sub/..", errno.EISDIR),
    ("fifo", errno.ENODEV),
]


@pytest.fixture
def linked_root(root: Root, root_path: Path) -> Root:
    """With links to directories, and a directory beside it whose name begins like its own."""
    (root_path / "linked").symlink_to("sub")
    (root_path / "deepest").symlink_to("linked/deep")
    (root_path / "outdir").symlink_to("../outside")
    (root_path / "loop").symlink_to("pool")
    (root_path / "pool").symlink_to("loop")
    (root_path.parent / "root-like").mkdir()
    (root_path.parent / "root-like" / "file").write_text("secret")
    return root


@pytest.mark.parametrize(("target", "name"), INSIDE)
def test_a_link_that_stays_inside_is_followed(
    linked_root: Root, root_path: Path, target: str, name: str, content: Content
) -> None:
    (root_path / "link").symlink_to(target)
    assert content(linked_root, b"link") == name


@pytest.mark.parametrize(("target", "code"), OUTSIDE)
def test_a_link_that_leads_to_no_file_inside_is_refused(
    linked_root: Root, root_path: Path, target: str, code: int, descriptors: Callable[[], int], content: Content
) -> None:
    (root_path / "link").symlink_to(target)
    before = descriptors()
    assert content(linked_root, b"link") == code
    assert descriptors() == before


def test_a_chain_of_links_has_an_end(root: Root, root_path: Path, way: str, content: Content) -> None:
    (root_path / "chain-1").symlink_to("a.txt")
    for number in range(2, 42):
        (root_path / f"chain-{number}").symlink_to(f"chain-{number - 1}")
    assert content(root, b"chain-40") == "a.txt"
    # As many as Linux follows; the other way leaves that to its system.
    assert content(root, b"chain-41") == (errno.ELOOP if way == "stepwise" else "a.txt")


def test_a_link_in_a_directory_is_read_from_there(linked_root: Root, root_path: Path, content: Content) -> None:
    (root_path / "sub" / "up").symlink_to("../a.txt")
    (root_path / "sub" / "out").symlink_to("../../secret")
    (root_path / "sub" / "deep" / "beside").symlink_to("c.css")
    assert content(linked_root, b"sub/up") == content(linked_root, b"linked/up") == "a.txt"
    assert content(linked_root, b"deepest/beside") == "sub/deep/c.css"
    assert content(linked_root, b"sub/out") == content(linked_root, b"linked/out") == errno.EXDEV
    assert content(linked_root, b"outdir/file") == errno.EXDEV


def test_only_one_way_follows_what_leaves_and_comes_back(
    root: Root, root_path: Path, way: str, content: Content
) -> None:
    (root_path / "back").symlink_to("../root/a.txt")
    (root_path / "absolute").symlink_to(root_path / "a.txt")
    wanted = errno.EXDEV if way == "stepwise" else "a.txt"
    assert [content(root, name) for name in (b"back", b"absolute")] == [wanted, wanted]


def test_a_link_that_was_not_there_when_it_was_looked_for_is_refused(
    root_path: Path, monkeypatch: pytest.MonkeyPatch, descriptors: Callable[[], int], content: Content
) -> None:
    def too_early(*_: object, **__: object) -> bytes:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    (root_path / "out").symlink_to("../secret")
    (root_path / "outdir").symlink_to("../outside")
    root = Root(str(root_path))
    before = descriptors()
    monkeypatch.setattr(os, "readlink", too_early)
    assert content(root, b"out") == errno.ELOOP
    assert content(root, b"outdir/file") == errno.ENOTDIR
    assert content(root, b"sub/b.css") == "sub/b.css"
    assert descriptors() == before
    root.close()


def test_what_a_name_comes_to_is_in_the_directory_or_an_error(root_path: Path) -> None:
    (root_path / "sub" / "up").symlink_to("../a.txt")
    (root_path / "out").symlink_to("../secret")
    (root_path.parent / "current").symlink_to("root")
    for base in (str(root_path), str(root_path) + "/", str(root_path.parent / "current")):
        assert resolved(base, "sub/up") == str(root_path / "a.txt")
        assert resolved(base, "nothing") == str(root_path / "nothing")
        assert resolved(base, "") == str(root_path)
        for name in ("out", "..", "../secret", "../rooted", "/etc/passwd", "sub/../../secret"):
            with pytest.raises(OSError, match="out of the directory") as raised:
                resolved(base, name)
            assert raised.value.errno == errno.EXDEV
    assert resolved("/", "no/such/file") == "/no/such/file"
