"""Bodies that are read in parts, or as files: what is left when anything goes wrong."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam import HTTPError, Request
from tinybeam.http import Body, StreamedRequest
from tinybeam.http import body as body_module


class Parted(Body):
    """A body that comes in the parts that the test lists; an error among them is raised."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(b"")
        self._parts = list(parts)

    def _take(self) -> bytes:
        part = self._parts.pop(0) if self._parts else b""
        if isinstance(part, BaseException):
            raise part
        return bytes(part)


@given(st.lists(st.binary(min_size=1, max_size=20)), st.lists(st.integers(0, 30)))
def test_however_a_body_comes_and_is_read_it_is_the_same(parts: list[bytes], sizes: list[int]) -> None:
    body = Parted(*parts)
    whole = b"".join(parts)
    read = b""
    for size in sizes:
        piece = body.read(size)
        assert len(piece) == min(size, len(whole) - len(read))
        read += piece
    assert read + b"".join(iter(body.part, b"")) == whole
    assert body.read(5) == body.part() == b""


def test_a_request_gives_its_body_once_in_parts_and_always_as_a_whole() -> None:
    request = Request(1, "POST", "/", body=b"hello")
    assert request.read(2) == b"he"
    assert list(request.stream()) == [b"llo"]
    assert list(request.stream()) == []
    assert request.body == b"hello"


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "name"
    assert Parted(b"one", b"two").save(path) == 6
    assert path.read_bytes() == b"onetwo"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert Parted().save(path) == 0
    assert path.read_bytes() == b""
    assert os.listdir(tmp_path) == ["name"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("error", [RuntimeError("scripted"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_file_that_is_not_whole(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "name").write_bytes(b"before")
    with pytest.raises(type(error)):
        Parted(b"one", error).save(tmp_path / "name")
    with pytest.raises(type(error)):
        Parted(b"one" * 1_000_000, error).file()
    assert os.listdir(tmp_path) == ["name"]
    assert (tmp_path / "name").read_bytes() == b"before"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_507_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    write = body_module._write

    def full(file: Any, octets: bytes) -> None:
        if octets == b"two":
            raise OSError(code, os.strerror(code))
        write(file, octets)

    monkeypatch.setattr(body_module, "_write", full)
    uses: list[Callable[[Body], object]] = [lambda body: body.save(tmp_path / "name"), lambda body: body.file()]
    for use in uses:
        with pytest.raises(HTTPError) as caught:
            use(Parted(b"one", b"two"))
        assert caught.value.status == 507
        assert "given up after 3 octets" in caplog.text
        assert os.strerror(code) in caplog.text
        caplog.clear()
    assert os.listdir(tmp_path) == []


def test_a_disk_that_takes_no_more_is_a_507_for_real(tmp_path: Path) -> None:
    """In a process of its own, which may make no file longer than 100 KB."""
    program = """
import os, resource, sys
from tinybeam import HTTPError, Request
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
os.environ["TMPDIR"] = os.getcwd()
for use in (lambda request: request.save("name"), lambda request: request.file()):
    try:
        use(Request(1, "POST", "/", body=bytes(2_000_000)))
    except HTTPError as error:
        print(error.status, os.listdir("."))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["507 []", "507 []"]


def test_a_file_that_may_not_be_made_is_the_authors_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "name", tmp_path / "na\0me"):
        with pytest.raises((OSError, ValueError)):
            Parted(b"one").save(path)
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        Parted(b"one").save(tmp_path / "directory")
    assert os.listdir(tmp_path) == ["directory"]


def test_a_short_file_stays_in_memory_and_both_begin_at_their_beginning() -> None:
    for body in (b"short", b"long" * 500_000):
        with Parted(body[:3], body[3:]).file() as file:
            assert file.tell() == 0
            assert file.read() == body


def test_a_streamed_request_without_its_body_says_so() -> None:
    with pytest.raises(RuntimeError, match="without its body"):
        _ = StreamedRequest(1, "POST", "/").body


def test_a_request_that_was_made_by_hand_has_a_client_that_stays() -> None:
    request = Request(1, "GET", "/")
    assert request.disconnected is False
    request.early_hints({"Link": "</a>"})
