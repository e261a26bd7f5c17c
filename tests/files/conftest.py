"""What tests of files share: a directory with files of every kind, and that no test leaves a descriptor open."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tinybeam.files import Root, locate

LONGEST = "n" * 255


def count() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def descriptors() -> Callable[[], int]:
    """Counts the open descriptors of this process."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("descriptors are counted in /proc, which is not here")
    return count


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """Fails a test after which a descriptor is open that was not open before."""
    if not os.path.isdir("/proc/self/fd"):
        yield
        return
    before = count()
    yield
    assert count() == before


@pytest.fixture
def root_path(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name in ("sub/deep", "empty", ".git", "odd/index.html", "../outside"):
        (root / name).mkdir(parents=True)
    for name in ("../secret", "../outside/file", "../rooted", "a.txt", "a bé%.txt", "%41", "a\\b", "...", "a..b"):
        (root / name).write_text(name)
    for name in ("sub/index.html", "sub/b.css", "sub/deep/c.css", ".env", ".git/config", LONGEST):
        (root / name).write_text(name)
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(root, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")  # the path itself may be too long
        os.close(here)
    return root


@pytest.fixture(params=["stepwise", "whole"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to open a file beneath a directory; the second is that of Windows."""
    assert locate._STEPWISE
    if request.param == "whole":
        monkeypatch.setattr(locate, "_STEPWISE", False)
    return str(request.param)


@pytest.fixture
def root(root_path: Path, way: str) -> Iterator[Root]:
    made = Root(str(root_path))
    assert (made._fd is not None) == (way == "stepwise")
    yield made
    made.close()


def content_of(root: Root, name: bytes) -> str | int | None:
    try:
        opened = root.open(name)
    except OSError as error:
        return error.errno
    try:
        assert opened.name == name
        assert opened.stat == os.fstat(opened.fd)
        assert stat.S_ISREG(opened.stat.st_mode)
        assert not os.get_inheritable(opened.fd)
        return os.read(opened.fd, 1000).decode()
    finally:
        os.close(opened.fd)


@pytest.fixture
def content() -> Callable[[Root, bytes], str | int | None]:
    """What is in a file that is opened; errno when it is not."""
    return content_of
