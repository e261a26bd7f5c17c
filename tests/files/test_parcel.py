"""Files as answers: what is opened, what is sent of it, and that no descriptor stays behind."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tinybeam.files import Asked, Cargo, ChangedError, Opened, Parcel, Root, cargo, locate, open_parcel, parcel
from tinybeam.files.parcel import CONTENT_MAX, pack
from tinybeam.files.siblings import Choice
from tinybeam.http import FileFields
from tinybeam.http.file import File

LARGE = 1024 * 1024
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
ETAG = '"ae1b981bc490a05-a"'
LASTING = f"ETag: {ETAG}\r\nLast-Modified: {DATE}\r\n".encode()
KIND = b"Content-Type: text/css; charset=utf-8\r\n"
RANGES = b"Accept-Ranges: bytes\r\n"
NOTHING = FileFields(b"", b"", None)
SAID = FileFields(b"X-A: b\r\n", b"Expires: 0\r\n", None)
OLD_NS = 784_111_777_000_000_005


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.css").write_bytes(b"0123456789")
    (tmp_path / "sub" / "b.txt").write_text("beneath")
    (tmp_path / "sub" / ".hidden").write_text("hidden")
    (tmp_path / "large.bin").write_bytes(b"L" * LARGE)
    os.utime(tmp_path / "a.css", ns=(OLD_NS, OLD_NS))
    return tmp_path


def opened(
    path: Path | str,
    lines: str = "",
    *,
    root: Path | None = None,
    said: FileFields = NOTHING,
    status: int = 200,
    head: bool = False,
    name: str | None = None,
    precompressed: bool = False,
) -> Parcel:
    file = File(str(path), None if root is None else str(root), name, precompressed)
    return open_parcel(file, said, status, Asked.read(f"\n{lines}\n".encode(), head=head))


def sent(made: Parcel) -> bytes:
    """All octets of it, from its cargo if it has one, which is closed."""
    if made.cargo is None:
        return made.content
    assert made.content == b""
    try:
        return b"".join(iter(made.cargo.take, b""))
    finally:
        made.cargo.close()


def test_a_small_file_is_read_and_closed(folder: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    made = opened(folder / "a.css", said=SAID)
    fields = b"X-A: b\r\nExpires: 0\r\n" + LASTING + RANGES + KIND
    assert made == Parcel(200, fields, 10, b"0123456789")
    assert descriptors() == before


@pytest.mark.parametrize("length", [1, CONTENT_MAX - 1, CONTENT_MAX, CONTENT_MAX + 1, LARGE])
def test_so_much_is_kept_in_memory_and_more_is_cargo(folder: Path, descriptors: Callable[[], int], length: int) -> None:
    octets = os.urandom(length)
    (folder / "file").write_bytes(octets)
    before = descriptors()
    made = opened(folder / "file")
    assert (made.cargo is None) == (length <= CONTENT_MAX)
    assert descriptors() == before + (length > CONTENT_MAX)
    assert (made.length, sent(made)) == (length, octets)
    assert descriptors() == before


def test_a_parcel_that_nobody_takes_closes_its_descriptor(folder: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    made = opened(folder / "large.bin")
    assert descriptors() == before + 1
    del made
    assert descriptors() == before


def test_of_a_large_file_a_small_part_is_read(folder: Path) -> None:
    made = opened(folder / "large.bin", "range:bytes=10-13")
    assert (made.status, made.content, made.cargo) == (206, b"LLLL", None)
    assert made.fields.endswith(b"\r\nContent-Range: bytes 10-13/1048576\r\n")
    made = opened(folder / "large.bin", "range:bytes=0-1,8-9,-1")
    assert (made.status, made.cargo, made.length) == (206, None, len(made.content))
    assert b"multipart/byteranges" in made.fields
    assert made.content.count(b"\r\n\r\nLL\r\n--") == 2
    assert made.content.endswith(b"--\r\n")


def test_large_parts_of_a_file_are_cargo_in_frames(folder: Path) -> None:
    made = opened(folder / "large.bin", "range:bytes=0-99999,-100000")
    assert isinstance(made.cargo, Cargo)
    octets = sent(made)
    assert len(octets) == made.length
    assert octets.count(b"L" * 100_000) == 2
    assert octets.count(b"Content-Range: bytes ") == 2


def test_an_empty_file_is_a_body_of_no_octets(folder: Path, descriptors: Callable[[], int]) -> None:
    (folder / "empty.txt").touch()
    before = descriptors()
    made = opened(folder / "empty.txt", "range:bytes=0-")
    assert (made.status, made.length, made.content, made.cargo) == (200, 0, b"", None)
    assert descriptors() == before


def test_to_a_head_only_the_length_is_told(folder: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    for name, length in (("a.css", 10), ("large.bin", LARGE)):
        made, got = opened(folder / name, "range:bytes=0-1", head=True), opened(folder / name)
        assert (made.status, made.length, made.content, made.cargo) == (200, length, b"", None)
        assert made.fields == got.fields
        sent(got)
    assert opened(folder / "a.css", head=True, status=404) == Parcel(404, KIND, 10)
    assert descriptors() == before


@pytest.mark.parametrize(
    ("lines", "status", "content", "lasting"),
    [
        (f"if-none-match:{ETAG}", 304, b"", True),
        (f"if-modified-since:{DATE}", 304, b"", True),
        ('if-match:"x"', 412, b"", False),
        ("range:bytes=10-", 416, b"", False),
        ("range:bytes=2-3", 206, b"23", True),
        ('range:bytes=2-3\nif-range:"x"', 200, b"0123456789", True),
        ("range:bytes=2-3\nrange:bytes=4-5", 200, b"0123456789", True),
        ("no line at all", 200, b"0123456789", True),
        ("\n:\nrange", 200, b"0123456789", True),
        ("", 200, b"0123456789", True),
    ],
)
def test_conditions_and_ranges_are_heeded_where_they_are_asked(
    folder: Path, descriptors: Callable[[], int], lines: str, status: int, content: bytes, lasting: bool
) -> None:
    before = descriptors()
    made = opened(folder / "a.css", lines, said=SAID)
    assert (made.status, made.length, sent(made)) == (status, len(content), content)
    assert made.fields.startswith(b"X-A: b\r\n")
    assert (b"Expires: 0\r\n" in made.fields) == lasting
    assert descriptors() == before


def test_a_304_has_what_a_cache_needs_and_no_more(folder: Path) -> None:
    made = opened(folder / "a.css", f"if-none-match:{ETAG}", said=SAID)
    assert made.fields == b"X-A: b\r\nExpires: 0\r\n" + LASTING
    made = opened(folder / "a.css", "range:bytes=10-", said=SAID)
    assert made.fields == b"X-A: b\r\nAccept-Ranges: bytes\r\nContent-Range: bytes */10\r\n"


def test_a_file_as_the_body_of_another_status_has_its_type_alone(folder: Path) -> None:
    (folder / "a.css.gz").write_text("gzipped")
    lines = "if-none-match:*\nrange:bytes=0-0\naccept-encoding:gzip"
    made = opened(folder / "a.css", lines, status=404, precompressed=True)
    assert made == Parcel(404, KIND, 10, b"0123456789")
    made = opened(folder / "a.css", "if-match:x", status=201, said=SAID)
    assert made == Parcel(201, b"X-A: b\r\nExpires: 0\r\n" + KIND, 10, b"0123456789")


def test_the_type_is_what_is_said_or_what_the_name_says(folder: Path) -> None:
    assert b"\r\nContent-Type: application/pdf\r\n" in opened(folder / "a.css", name="Bericht.PDF").fields
    own = FileFields(b"", b"", "text/x-own; charset=latin-1")
    for name in (None, "Bericht.PDF"):
        fields = opened(folder / "a.css", name=name, said=own).fields
        assert fields.count(b"Content-Type:") == fields.count(b"Content-Type: text/x-own; charset=latin-1\r\n") == 1


# What is not opened.


def test_what_cannot_be_opened_says_why(folder: Path, descriptors: Callable[[], int]) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    rows = [
        ("none", errno.ENOENT),
        ("a.css/x", errno.ENOTDIR),
        ("sub", errno.EISDIR),
        ("sub/", errno.EISDIR),
        ("fifo", errno.ENODEV),
        ("loop", errno.ELOOP),
        ("..", errno.EISDIR),
        ("sub/none/x", errno.ENOENT),
    ]
    paths: list[tuple[Path | str, int]] = [(f"{folder}/{name}", code) for name, code in rows]
    before = descriptors()
    for path, code in [*paths, ("/dev/null", errno.ENODEV), ("", errno.ENOENT), ("a" * 5000, errno.ENAMETOOLONG)]:
        for precompressed in (False, True):
            with pytest.raises(OSError, match=r"^\[Errno") as raised:
                opened(path, "accept-encoding:gzip", precompressed=precompressed)
            assert raised.value.errno == code, path
    assert descriptors() == before


@pytest.mark.parametrize(
    "path",
    ["../a.css", "b.txt/../b.txt", "/b.txt", "x//b.txt", "./b.txt", "", "/", "b.txt/", ".hidden", "b.txt\0"]
    + ["out", "absolute", "none", "..\\a.css", "a\\..\\b.txt", "%62.txt"],
)
def test_with_a_root_no_path_leads_out_of_it(folder: Path, path: str, descriptors: Callable[[], int]) -> None:
    (folder / "sub" / "out").symlink_to("../a.css")
    (folder / "sub" / "absolute").symlink_to("/etc/passwd")
    before = descriptors()
    with pytest.raises(OSError, match=r"^\[Errno") as raised:
        opened(path, root=folder / "sub")
    assert raised.value.errno == (errno.EXDEV if path in ("out", "absolute") else errno.ENOENT)
    assert descriptors() == before


def test_a_path_beneath_a_root_is_found(folder: Path, descriptors: Callable[[], int]) -> None:
    (folder / "sub" / "ö %.css").write_text("odd name")
    before = descriptors()
    made = opened("b.txt", root=folder / "sub")
    assert (made.content, b"Content-Type: text/plain; charset=utf-8\r\n" in made.fields) == (b"beneath", True)
    assert opened("ö %.css", root=folder / "sub").content == b"odd name"
    assert opened("sub/b.txt", root=folder).content == b"beneath"
    with pytest.raises(FileNotFoundError):
        opened("b.txt", root=folder / "none")
    assert descriptors() == before


def test_without_stepwise_opening_the_same_is_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_STEPWISE", False)
    (folder / "sub" / "out").symlink_to("../a.css")
    assert opened("b.txt", root=folder / "sub").content == b"beneath"
    with pytest.raises(OSError, match="out of the directory"):
        opened("out", root=folder / "sub")


@pytest.mark.parametrize(
    ("accepted", "content", "field"),
    [
        ("gzip", b"gzipped", b"Content-Encoding: gzip\r\n"),
        ("br, gzip", b"gzipped", b"Content-Encoding: gzip\r\n"),
        ("zstd", b"0123456789", RANGES + KIND),
        ("gzip;q=0", b"0123456789", RANGES + KIND),
        ("", b"0123456789", RANGES + KIND),
    ],
)
def test_a_coded_form_goes_to_who_takes_it(
    folder: Path, descriptors: Callable[[], int], accepted: str, content: bytes, field: bytes
) -> None:
    (folder / "a.css.gz").write_text("gzipped")
    (folder / "a.css.br").write_text("older than the file")
    os.utime(folder / "a.css.br", ns=(OLD_NS - 1, OLD_NS - 1))
    (folder / "a.css.zst").mkdir()
    before = descriptors()
    for path, root in ((folder / "a.css", None), ("a.css", folder)):
        made = opened(path, f"accept-encoding:{accepted}", root=root, precompressed=True)
        assert (made.content, made.length) == (content, len(content))
        for one in (field, KIND, b"Vary: Accept-Encoding\r\n"):
            assert one in made.fields
        assert b"Vary" not in opened(path, f"accept-encoding:{accepted}", root=root).fields
    assert descriptors() == before


# Files that change, and disks that fail.


@pytest.fixture
def on_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Sets what happens to a file just before each read of it."""

    def set_(happen: Callable[[], object]) -> None:
        def read(fd: int, length: int, offset: int) -> bytes:
            happen()
            return os.pread(fd, length, offset)

        monkeypatch.setattr(cargo, "_read_at", read)

    return set_


@pytest.mark.parametrize(
    ("text", "length"), [("1 change", 8), ("longer than it was before", 25), ("", 0), ("x" * (CONTENT_MAX + 1), 65537)]
)
def test_a_small_file_that_changes_while_it_is_read_is_read_again(
    folder: Path, descriptors: Callable[[], int], on_read: Callable[..., None], text: str, length: int
) -> None:
    left = [text]
    on_read(lambda: left and (folder / "a.css").write_text(left.pop()))
    before = descriptors()
    made = opened(folder / "a.css")
    assert (made.length, sent(made).decode()) == (length, text)
    assert f'-{length:x}"\r\n'.encode() in made.fields  # the tag of what was sent
    assert ETAG.encode() not in made.fields
    assert descriptors() == before


def test_one_that_always_changes_is_cargo_that_ends_with_an_error(
    folder: Path, descriptors: Callable[[], int], on_read: Callable[..., None]
) -> None:
    times: list[int] = []

    def touch() -> None:
        times.append(0)
        os.utime(folder / "a.css", ns=(OLD_NS + len(times), OLD_NS + len(times)))

    on_read(touch)
    before = descriptors()
    made = opened(folder / "a.css")
    assert (made.length, made.content, len(times)) == (10, b"", 4)
    with pytest.raises(ChangedError):
        sent(made)
    assert descriptors() == before


def test_one_that_is_removed_while_it_is_read_comes_whole(folder: Path, on_read: Callable[..., None]) -> None:
    on_read((folder / "a.css").unlink)
    made = opened(folder / "a.css")
    assert (made.content, LASTING in made.fields) == (b"0123456789", True)


@pytest.mark.parametrize("what", ["read", "stat", "describe"])
def test_what_fails_under_way_leaves_no_descriptor(
    folder: Path, descriptors: Callable[[], int], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    target, name = {"read": (cargo, "_read_at"), "stat": (os, "fstat"), "describe": (parcel, "describe")}[what]
    before = descriptors()
    with monkeypatch.context() as patched:
        patched.setattr(target, name, broken)
        for path, root in ((folder / "a.css", None), ("a.css", folder)):
            with pytest.raises(OSError, match="Input/output error"):
                opened(path, root=root, precompressed=True)
    assert descriptors() == before


def test_wherever_descriptors_run_out_none_is_left(folder: Path, descriptors: Callable[[], int]) -> None:
    (folder / "sub" / "b.txt.gz").write_text("gzipped")
    before = descriptors()
    spare = os.dup(0)
    os.close(spare)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    got: list[bytes | int | None] = []
    for more in range(5):
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + more, hard))
        try:
            got.append(opened("sub/b.txt", "accept-encoding:gzip", root=folder, precompressed=True).content)
        except OSError as error:
            got.append(error.errno)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert descriptors() == before
    # Without one for the form it is the file: it has the octets too.
    assert got == [errno.EMFILE, errno.EMFILE, errno.EMFILE, b"beneath", b"gzipped"]


def test_what_was_opened_elsewhere_is_taken_over(folder: Path, descriptors: Callable[[], int]) -> None:
    before = descriptors()
    root = Root(None)

    def open_() -> Opened:
        return root.open(os.fsencode(folder / "a.css"))

    assert pack(Choice(open_()), "x.html", Asked(), NOTHING).fields.endswith(
        b"Content-Type: text/html; charset=utf-8\r\n"
    )
    coded = pack(Choice(open_(), "br"), "x.html", Asked(head=True), NOTHING, negotiated=True)
    assert (coded.status, coded.length, b"Content-Encoding: br\r\n" in coded.fields) == (200, 10, True)
    assert pack(Choice(open_()), "x.html", Asked([("if-match", "x")]), SAID).fields == b"X-A: b\r\n"
    assert descriptors() == before
