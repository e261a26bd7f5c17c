"""A file on its way: its octets in parts, and none of the last of a file that is not what it was."""

from __future__ import annotations

import errno
import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tinybeam.files import Cargo, ChangedError, cargo
from tinybeam.files.cargo import Reading, is_whole
from tinybeam.files.ranges import Span

OCTETS = bytes(range(256)) * 4096  # 1 MiB: several reads
LENGTH = len(OCTETS)
OLD_NS = 784_111_777_000_000_005
WHOLE = (Span(0, LENGTH),)
FRAMED = (b"begin\r\n", Span(0, 300_000), b"\r\nbetween\r\n", Span(LENGTH - 300_000, 300_000), b"\r\nend")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(OCTETS)
    os.utime(made, ns=(OLD_NS, OLD_NS))
    return made


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    made = os.open(path, os.O_RDONLY)
    yield made
    os.close(made)


def reading(fd: int, segments: tuple[bytes | Span, ...] = WHOLE) -> Reading:
    return Reading(fd, os.fstat(fd), segments)


def taken(source: Reading) -> tuple[bytes, type[OSError] | None]:
    """All that comes, and what it ends with."""
    octets = b""
    try:
        while part := source.take():
            octets += part
    except OSError as error:
        return octets, type(error)
    return octets, None


def test_a_file_comes_in_parts_and_then_nothing_comes(fd: int) -> None:
    source = reading(fd)
    parts = list(iter(source.take, b""))
    assert b"".join(parts) == OCTETS
    assert 1 < len(parts) == LENGTH // max(map(len, parts))
    assert [source.take(), source.take()] == [b"", b""]


def test_segments_come_in_their_order_with_what_stands_between(fd: int) -> None:
    source = reading(fd, FRAMED)
    wanted = b"begin\r\n" + OCTETS[:300_000] + b"\r\nbetween\r\n" + OCTETS[-300_000:] + b"\r\nend"
    assert taken(source) == (wanted, None)
    assert source.take() == b""


def test_the_descriptor_is_still_the_callers(fd: int) -> None:
    taken(reading(fd))
    assert os.fstat(fd).st_size == LENGTH
    assert os.lseek(fd, 0, os.SEEK_CUR) == 0


def test_two_readings_of_one_file_do_not_disturb_each_other(fd: int) -> None:
    first, second = reading(fd), reading(fd)
    assert first.take() == second.take()
    assert taken(first)[0] == taken(second)[0]


def test_reads_that_give_little_go_on(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cargo, "_read_at", lambda fd, length, offset: os.pread(fd, min(length, 7777), offset))
    assert taken(reading(fd)) == (OCTETS, None)


def shrink(path: Path) -> None:
    os.truncate(path, LENGTH - 1)
    os.utime(path, ns=(OLD_NS, OLD_NS))


def grow(path: Path) -> None:
    os.truncate(path, LENGTH + 1)
    os.utime(path, ns=(OLD_NS, OLD_NS))


def empty(path: Path) -> None:
    os.truncate(path, 0)


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"another")


def touch(path: Path) -> None:
    os.utime(path, ns=(OLD_NS, OLD_NS + 1))


CHANGES = [shrink, grow, empty, rewrite, touch]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("segments", [WHOLE, FRAMED], ids=["whole", "framed"])
@pytest.mark.parametrize("parts", [0, 1, 3])
def test_of_a_file_that_changes_the_last_octets_are_not_given(
    path: Path, fd: int, change: Callable[[Path], None], segments: tuple[bytes | Span, ...], parts: int
) -> None:
    source = reading(fd, segments)
    before = b"".join(source.take() for _ in range(parts))
    change(path)
    after, error = taken(source)
    assert error is ChangedError
    told = sum(len(one) if isinstance(one, bytes) else one.octets for one in segments)
    assert len(before + after) < told


def test_a_change_after_the_first_part_shows_at_the_last(path: Path, fd: int) -> None:
    source = reading(fd)
    left = LENGTH - len(source.take())
    touch(path)
    while left > 256 * 1024:
        left -= len(source.take())
    with pytest.raises(ChangedError):
        source.take()


def test_a_file_that_is_changed_between_is_noticed_though_it_looks_at_no_octet_of_it(path: Path, fd: int) -> None:
    touch(path)
    assert taken(reading(fd)) == (OCTETS, None)  # it is as it was when this began
    old = os.fstat(fd)
    os.utime(path, ns=(OLD_NS, OLD_NS))
    assert taken(Reading(fd, old, (Span(0, 5),))) == (b"", ChangedError)


@pytest.mark.parametrize("change", [os.unlink, lambda path: os.replace(path.with_name("other"), path)])
@pytest.mark.parametrize("names", [1, 2])
def test_a_file_that_is_removed_or_replaced_comes_whole(
    path: Path, fd: int, change: Callable[[Path], None], names: int
) -> None:
    path.with_name("other").write_bytes(b"another")
    if names == 2:
        os.link(path, path.with_name("second"))
    source = reading(fd)
    first = source.take()
    change(path)
    assert taken(source) == (OCTETS[len(first) :], None)


def stat_of(**changed: int) -> os.stat_result:
    fields = {"ino": 1, "dev": 2, "nlink": 1, "size": 5, "mtime_ns": 7, "ctime_ns": 7} | changed
    row = (0, fields["ino"], fields["dev"], fields["nlink"], 0, 0, fields["size"], 0, 0, 0)
    return os.stat_result(row, {"st_mtime_ns": fields["mtime_ns"], "st_ctime_ns": fields["ctime_ns"]})


@pytest.mark.parametrize(
    ("changed", "whole"),
    [
        ({}, True),
        ({"ctime_ns": 8}, False),
        ({"ctime_ns": 8, "nlink": 0}, True),  # one name less has changed it
        ({"ctime_ns": 8, "nlink": 2}, False),
        ({"ctime_ns": 8, "nlink": 0, "mtime_ns": 8}, False),
        ({"mtime_ns": 8}, False),
        ({"size": 4}, False),
        ({"size": 6, "nlink": 0}, False),
        ({"ino": 3}, False),
        ({"dev": 3}, False),
    ],
)
def test_a_file_that_lost_a_name_is_whole_and_one_that_changed_is_not(changed: dict[str, int], whole: bool) -> None:
    assert is_whole(stat_of(**changed), stat_of()) == whole


def test_a_disk_that_fails_is_no_change(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fd: int, length: int, offset: int) -> bytes:
        if offset > 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.pread(fd, length, offset)

    monkeypatch.setattr(cargo, "_read_at", broken)
    made = open_cargo(path)
    assert made.take() == OCTETS[: 256 * 1024]
    with pytest.raises(OSError, match="Input/output error") as raised:
        made.take()
    assert not isinstance(raised.value, ChangedError)
    made.close()


def open_cargo(path: Path) -> Cargo:
    fd = os.open(path, os.O_RDONLY)
    return Cargo(fd, os.fstat(fd), WHOLE)


def test_a_cargo_gives_its_descriptor_back_once(path: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    made = open_cargo(path)
    assert descriptors() == before + 1
    made.close()
    assert descriptors() == before
    others = [os.open(path, os.O_RDONLY) for _ in range(2)]  # one of which has its number now
    made.close()
    del made
    assert [os.fstat(other).st_size for other in others] == [LENGTH, LENGTH]
    for other in others:
        os.close(other)


@pytest.mark.parametrize("parts", [0, 1, 100])
def test_a_cargo_that_is_dropped_closes_its_descriptor(path: Path, descriptors: Callable[[], int], parts: int) -> None:
    before = descriptors()
    made = open_cargo(path)
    for _ in range(parts):
        made.take()
    assert descriptors() == before + 1
    del made
    assert descriptors() == before


def test_a_cargo_that_has_changed_closes_all_the_same(path: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    made = open_cargo(path)
    touch(path)
    assert taken(made)[1] is ChangedError
    made.close()
    assert descriptors() == before


def test_of_a_closed_cargo_nothing_is_read(path: Path) -> None:
    made = open_cargo(path)
    made.close()
    other = os.open(path, os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        made.take()
    os.close(other)


@pytest.fixture
def without_pread(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module as it is where the system reads at no offset."""
    monkeypatch.delattr(os, "pread")
    spec = importlib.util.spec_from_file_location("cargo_without_pread", cargo.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_pread_the_same_octets_come(fd: int, path: Path, without_pread: Any) -> None:
    for segments in (WHOLE, FRAMED, (Span(10, 5), Span(3, 2))):
        octets = b"".join(iter(without_pread.Reading(fd, os.fstat(fd), segments).take, b""))
        wanted = b"".join(
            one if isinstance(one, bytes) else OCTETS[one.first : one.first + one.octets] for one in segments
        )
        assert octets == wanted
    old = os.fstat(fd)
    os.truncate(path, 5)
    with pytest.raises(without_pread.ChangedError):
        without_pread.Reading(fd, old, (Span(10, 5),)).take()
