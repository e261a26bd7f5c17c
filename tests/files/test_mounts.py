"""Which mount a path is beneath, and what a mount may be. What it answers is compared with the native engine's answers,
in tests/oracle and tests/server."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tinybeam.files import Asked, Mounts, Root


@pytest.fixture
def mounts() -> Mounts:
    return Mounts()


def found(mounts: Mounts, path: bytes) -> bytes | None:
    mount = mounts.find(path)
    return None if mount is None else mount.prefix


def test_the_longest_prefix_counts_and_ends_at_a_slash(mounts: Mounts, tmp_path: Path) -> None:
    assert found(mounts, b"/a") is None
    for prefix in ("/a", "/a/b/c", "/a/b"):
        assert mounts.add(prefix, str(tmp_path), None, b"", 0)
    paths = (b"/a/b/c/d", b"/a/b/cd", b"/a/b", b"/a/", b"/a", b"/ab", b"/")
    assert [found(mounts, path) for path in paths] == [b"/a/b/c", b"/a/b", b"/a/b", b"/a", b"/a", None, None]
    assert mounts.add("", str(tmp_path), None, b"", 0)
    assert [found(mounts, path) for path in (b"/ab", b"/", b"")] == [b"", b"", b""]
    mounts.close()


@pytest.mark.parametrize("prefix", ["a", "/a/", "//a", "/a//b", "/"])
def test_a_prefix_begins_with_a_slash_and_ends_without(mounts: Mounts, prefix: str, tmp_path: Path) -> None:
    assert not mounts.add(prefix, str(tmp_path), None, b"", 0)


def test_a_prefix_is_mounted_once_with_few_fields_and_a_directory_that_is_there(mounts: Mounts, tmp_path: Path) -> None:
    assert mounts.add("/a", str(tmp_path), None, b"X: " + b"y" * 1019 + b"\r\n", 0)
    assert not mounts.add("/a", str(tmp_path), None, b"", 0)
    assert not mounts.add("/b", str(tmp_path), None, b"X: " + b"y" * 1020 + b"\r\n", 0)
    with pytest.raises(FileNotFoundError):
        mounts.add("/b", str(tmp_path / "none"), None, b"", 0)
    mounts.close()


def test_a_directory_stays_the_one_that_was_mounted(mounts: Mounts, tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a").write_bytes(b"first")
    mounts.add("/m", str(tmp_path / "www"), None, b"", 0)
    (tmp_path / "www").rename(tmp_path / "old")
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a").write_bytes(b"second")
    mount = mounts.find(b"/m/a")
    assert mount is not None
    parcel = mount.answer(b"/m/a", None, Asked())
    assert parcel is not None
    assert (parcel.status, parcel.content) == (200, b"first")
    mounts.close()


def test_what_is_there_and_may_not_be_read_is_not_left_to_the_routes(
    mounts: Mounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = 4
    mounts.add("", str(tmp_path), None, b"", passes)
    mount = mounts.find(b"/a")
    assert mount is not None
    assert mount.answer(b"/a", None, Asked()) is None
    for error, status in ((PermissionError(errno.EACCES, "no"), 403), (OSError(errno.EMFILE, "full"), 503)):

        def fail(*_: object, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(Root, "open", fail)
        parcel = mount.answer(b"/a", None, Asked())
        assert parcel is not None
        assert parcel.status == status
    mounts.close()
