"""From a path to an open file and to nothing else: in an open directory, and where the system has no such thing."""

from __future__ import annotations

import errno
import os
import resource
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinybeam.files import Root, read_name
from tinybeam.files.locate import NAME_BYTES_MAX, Named

Content = Callable[[Root, bytes], str | int | None]
Found = Callable[..., str | int | None]

LONGEST = b"n" * 255


@pytest.fixture
def found(content: Content) -> Found:
    """The same by the path of a request."""

    def find(root: Root, path: bytes, hidden: bool = False) -> str | int | None:
        named = read_name(path, hidden=hidden)
        return errno.ENOENT if named is None else content(root, named.name)

    return find


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a.txt", "a.txt"),
        ("/sub/b.css", "sub/b.css"),
        ("/sub/deep/c.css", "sub/deep/c.css"),
        ("/%61%2Etxt", "a.txt"),
        ("/%61%2etxt", "a.txt"),
        ("/a%20b%C3%A9%25.txt", "a bé%.txt"),
        ("/%2541", "%41"),  # decoded once
        ("/a..b", "a..b"),
        ("/" + LONGEST.decode(), LONGEST.decode()),
    ],
)
def test_files_are_found_by_their_paths(root: Root, path: str, name: str, found: Found) -> None:
    assert found(root, path.encode()) == name


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/A.TXT", errno.ENOENT),
        ("/nothing", errno.ENOENT),
        ("/nothing/at/all", errno.ENOENT),
        ("/sub%2e/b.css", errno.ENOENT),
        ("/%c0%ae%c0%ae/secret", errno.ENOENT),  # an overlong dot is two odd octets
        ("/%252e%252e/secret", errno.ENOENT),
        ("/a.txt/b", errno.ENOTDIR),
        ("/sub", errno.EISDIR),
        ("/sub/deep", errno.EISDIR),
        ("/odd/index.html", errno.EISDIR),
        ("", errno.EISDIR),
        ("/", errno.EISDIR),
        ("/fifo", errno.ENODEV),
        ("/socket", errno.ENXIO),
    ],
)
def test_what_is_no_file_says_why(
    root: Root, path: str, code: int, descriptors: Callable[[], int], found: Found
) -> None:
    before = descriptors()
    assert found(root, path.encode()) == code
    assert descriptors() == before


def test_a_device_is_no_file(root: Root, root_path: Path, content: Content) -> None:
    try:
        os.mknod(root_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except OSError as error:
        pytest.skip(f"no device file can be made here: {error}")
    assert content(root, b"null") == errno.ENODEV
    assert content(Root(None), b"/dev/null") == errno.ENODEV


ESCAPES = """/.. /../secret /../outside/file /sub/../a.txt /sub/../../secret /sub/.. /sub/../ /%2e%2e/secret
    /%2E%2E/secret /.%2e/secret /%2e./secret /..%2fsecret /%2e%2e%2fsecret /..%5csecret /..\\secret /sub%2fb.css
    /sub%2Fb.css /a%5Cb /a%5cb /a\\b /. /./a.txt /%2e/a.txt /sub/./b.css //a.txt // //etc/passwd /sub//b.css /sub//
    /a.txt%00 /a.txt%00.html /%00 /..%00/secret /a.txt\0 /a.txt% /a.txt%4 /%zz /%4 /%+1 /%%41 a.txt secret
    etc/passwd \\a.txt"""


@pytest.mark.parametrize("path", [one.encode() for one in ESCAPES.split()])
@pytest.mark.parametrize("hidden", [False, True])
def test_no_spelling_leads_out_of_the_directory_or_to_a_file_a_second_time(path: bytes, hidden: bool) -> None:
    assert read_name(path, hidden=hidden) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/.env", ".env"),
        ("/%2eenv", ".env"),
        ("/.git/config", ".git/config"),
        ("/%2Egit/config", ".git/config"),
        ("/...", "..."),
    ],
)
def test_names_with_a_dot_are_hidden_unless_they_are_asked_for(root: Root, path: str, name: str, found: Found) -> None:
    assert read_name(path.encode(), hidden=False) is None
    assert found(root, path.encode(), True) == name


def test_a_slash_at_the_end_is_told() -> None:
    assert read_name(b"", hidden=False) == Named(b"", slash=False)
    assert read_name(b"/", hidden=False) == Named(b"", slash=True)
    assert read_name(b"/sub", hidden=False) == Named(b"sub", slash=False)
    assert read_name(b"/sub/%61/", hidden=False) == Named(b"sub/a", slash=True)


def test_names_that_are_too_long_are_no_names(root: Root, content: Content, found: Found) -> None:
    assert found(root, b"/" + LONGEST) == LONGEST.decode()
    assert read_name(b"/" + LONGEST + b"n", hidden=False) is None
    assert read_name(b"/" + b"%6e" * 255, hidden=False) == Named(LONGEST, slash=False)
    assert read_name(b"/" + b"%6e" * 256, hidden=False) is None
    longest = b"/n" * ((NAME_BYTES_MAX + 1) // 2)
    assert read_name(longest, hidden=False) == Named(longest[1:], slash=False)
    for path in (longest + b"n", b"/n" * 100_000, b"/" * 100_000, b"/" + b"n" * 1_000_000):
        assert read_name(path, hidden=False) is None
    assert content(root, LONGEST + b"n") == errno.ENAMETOOLONG
    assert found(root, longest) in (errno.ENOENT, errno.ENAMETOOLONG)


@given(st.binary(max_size=40) | st.text("/.%2eEfF5cC0\\ab", max_size=30).map(str.encode), st.booleans())
def test_whatever_the_path_a_name_leads_downwards_and_is_spelled_in_one_way(path: bytes, hidden: bool) -> None:
    named = read_name(path, hidden=hidden)
    if named is None:
        return
    for component in named.name.split(b"/") if named.name else []:
        assert component not in (b"", b".", b"..")
        assert hidden or not component.startswith(b".")
    assert not set(named.name) & set(b"\\\0")
    # Written out with every octet escaped it is found again; what is found with fewer hidden is found with more.
    escaped = b"".join(b"/" if octet == 0x2F else b"%%%02x" % octet for octet in b"/" + named.name)
    assert read_name(escaped, hidden=hidden) == Named(named.name, slash=not named.name)
    assert read_name(path, hidden=True) == named


# Roots.


def test_a_root_is_a_directory_and_may_be_a_link(
    root_path: Path, way: str, descriptors: Callable[[], int], content: Content
) -> None:
    before = descriptors()
    for name, kind in (("a.txt", NotADirectoryError), ("nowhere", FileNotFoundError), ("fifo", NotADirectoryError)):
        with pytest.raises(kind):
            Root(str(root_path / name))
    (root_path.parent / "current").symlink_to("root")
    root = Root(str(root_path.parent / "current"))
    assert content(root, b"a.txt") == "a.txt"
    root.close()
    root.close()
    assert descriptors() == before


def test_an_open_root_is_the_directory_that_it_was(root_path: Path, content: Content) -> None:
    root = Root(str(root_path))
    root_path.rename(root_path.parent / "moved")
    root_path.symlink_to("outside")
    assert (content(root, b"a.txt"), content(root, b"file")) == ("a.txt", errno.ENOENT)
    root.close()


def test_a_path_of_the_programs_own_is_opened_as_it_is(
    root_path: Path, descriptors: Callable[[], int], content: Content
) -> None:
    root = Root(None)
    (root_path / "absolute").symlink_to(root_path.parent / "secret")
    before = descriptors()
    path = os.fsencode(root_path)
    assert content(root, path + b"/absolute") == content(root, path + b"/sub/../../secret") == "../secret"
    for name, code in ((b"", errno.EISDIR), (b"/none", errno.ENOENT), (b"/fifo", errno.ENODEV)):
        assert content(root, path + name) == code
    assert content(root, b"") == errno.ENOENT
    assert content(root, b"a" * 5000) == errno.ENAMETOOLONG
    assert descriptors() == before
    root.close()  # there is nothing to close


# What the system refuses.


@contextmanager
def as_nobody() -> Iterator[None]:
    """As somebody whom permissions stop."""
    if os.geteuid() != 0:
        yield
        return
    try:
        os.seteuid(65534)
    except OSError as error:
        pytest.skip(f"permissions do not stop root, who can be nobody else here: {error}")
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_says_so(way: str, descriptors: Callable[[], int], content: Content) -> None:
    before = descriptors()
    with tempfile.TemporaryDirectory() as name:  # not tmp_path, which only its owner may enter
        folder = Path(name)
        (folder / "closed").mkdir()
        for one in ("private", "closed/file", "open"):
            (folder / one).write_text(one)
        (folder / "private").chmod(0)
        (folder / "link").symlink_to("closed/file")
        folder.chmod(0o755)
        (folder / "closed").chmod(0)
        with as_nobody():
            root = Root(name)
            got = [content(root, one) for one in (b"private", b"closed/file", b"link", b"open")]
            root.close()
        (folder / "closed").chmod(0o755)
    assert got == [errno.EACCES, errno.EACCES, errno.EACCES, "open"]
    assert descriptors() == before


def test_wherever_descriptors_run_out_none_is_left(
    root: Root, descriptors: Callable[[], int], content: Content
) -> None:
    before = descriptors()
    spare = os.dup(0)
    os.close(spare)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    got = []
    for more in range(4):
        resource.setrlimit(resource.RLIMIT_NOFILE, (spare + more, hard))
        try:
            got.append(content(root, b"sub/deep/c.css"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert descriptors() == before
    assert got[0] == errno.EMFILE
    assert got[3] == "sub/deep/c.css"
