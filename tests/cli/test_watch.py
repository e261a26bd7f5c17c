"""The watch: which files count, and what counts as a change."""

from __future__ import annotations

import logging
import os
import queue
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import PATIENCE_S
from tinybeam.cli.watch import Seen, Selection, Watch

Told = queue.SimpleQueue[list[str]]


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def seen(directory: Path, **globs: tuple[str, ...]) -> list[str]:
    """What is looked at below a directory."""
    paths = Selection((str(directory),), **globs).look()
    return sorted(path.removeprefix(f"{directory}/") for path in paths)


def next_of(told: Told) -> list[str]:
    """The names of the files of the next change."""
    return [os.path.basename(path) for path in told.get(timeout=PATIENCE_S)]


@pytest.fixture(params=["polling", "watchfiles"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of knowing when to look."""
    if request.param == "watchfiles":
        pytest.importorskip("watchfiles", reason="watchfiles is not installed: pip install tinybeam[reload]")
    else:
        monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.fixture
def told(way: None, tmp_path: Path) -> Iterator[Told]:
    """What a watch over the directory has told; there is one file when it begins."""
    write(tmp_path / "old.py")
    told: Told = queue.SimpleQueue()
    with Watch(Selection((str(tmp_path),)), told.put):
        yield told


# Which files.


def test_python_files_are_seen_at_any_depth_and_others_are_not(tmp_path: Path) -> None:
    for name in ("a.py", "shop/web.py", "shop/api/v1.py", "notes.txt", "shop/page.html", "a.pyc", "a.pyi"):
        write(tmp_path / name)
    assert seen(tmp_path) == ["a.py", "shop/api/v1.py", "shop/web.py"]


def test_what_editors_leave_behind_is_not_seen(tmp_path: Path) -> None:
    for name in (".#a.py", ".a.py.swp", "~a.py", "a.py~", "a.swp", "a.pyc"):
        write(tmp_path / name)
    assert seen(tmp_path, include=("*",)) == []


def test_hidden_directories_caches_and_virtual_environments_are_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "env" / "pyvenv.cfg")
    for name in (".git/a.py", "__pycache__/a.py", "node_modules/a.py", "env/lib/a.py", "deep/.tox/a.py"):
        write(tmp_path / name)
    assert seen(tmp_path) == []
    assert seen(tmp_path / ".git") == ["a.py"]  # it was named
    assert seen(tmp_path / "env") == ["lib/a.py"]


def test_links_to_files_are_seen_and_links_to_directories_are_not_entered(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "a.py")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "nowhere.py").symlink_to(tmp_path / "missing")
    assert seen(tmp_path) == ["link.py", "real/a.py"]


def test_given_globs_join_the_others_and_the_excluding_win(tmp_path: Path) -> None:
    for name in ("a.py", ".env", "site/templates/x.html", "x.html", "tests/a.py", "tests/x.html", "docs/conf.py"):
        write(tmp_path / name)
    assert seen(tmp_path, include=(".env",)) == [".env", "a.py", "docs/conf.py", "tests/a.py"]
    assert seen(tmp_path, include=("templates/*.html",), exclude=("tests", "./docs/*")) == [
        "a.py",
        "site/templates/x.html",
    ]
    assert seen(tmp_path, include=("*.html",), exclude=("*.html", "*/")) == []


def test_a_directory_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert seen(tmp_path / "missing") == []


def test_the_root_of_the_file_system_can_be_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = SimpleNamespace(name="a.py", path="/a.py", is_dir=lambda **_: False, stat=lambda: os.stat("/"))
    monkeypatch.setattr("tinybeam.cli.watch._entries_of", lambda directory: [entry])
    assert list(Selection(("/",)).look()) == ["/a.py"]


# What is a change.


def rewrite(directory: Path) -> str:
    (directory / "old.py").write_text("changed")
    return "old.py"


def replace(directory: Path) -> str:
    """As editors save: beside it, and then in its place, and the time may be the old one."""
    before = (directory / "old.py").stat()
    (directory / ".old.tmp").write_text("")
    os.utime(directory / ".old.tmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    (directory / ".old.tmp").replace(directory / "old.py")
    return "old.py"


def make(directory: Path) -> str:
    write(directory / "new" / "deep" / "new.py")
    return "new.py"


def delete(directory: Path) -> str:
    (directory / "old.py").unlink()
    return "old.py"


def touch(directory: Path) -> str:
    os.utime(directory / "old.py", (0, 0))
    return "old.py"


@pytest.mark.parametrize("change", [rewrite, replace, make, delete, touch])
def test_a_file_that_was_changed_made_or_deleted_is_told(
    change: Callable[[Path], str], told: Told, tmp_path: Path
) -> None:
    name = change(tmp_path)
    assert next_of(told) == [name]


def test_changes_are_told_again_and_again(told: Told, tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / f"{number}.py")
        assert next_of(told) == [f"{number}.py"]


def test_a_file_that_does_not_count_is_not_told(told: Told, tmp_path: Path) -> None:
    write(tmp_path / "notes.txt")
    write(tmp_path / "__pycache__" / "a.py")
    write(tmp_path / "last.py")
    assert next_of(told) == ["last.py"]


def test_what_changes_between_the_making_of_a_watch_and_its_start_is_told(way: None, tmp_path: Path) -> None:
    told: Told = queue.SimpleQueue()
    watch = Watch(Selection((str(tmp_path),)), told.put)
    write(tmp_path / "early.py")
    with watch:
        assert next_of(told) == ["early.py"]


class ScriptedSelection(Selection):
    """A directory of which a test says what is seen at each look; the last is seen for ever."""

    def look(self) -> Seen:
        looks: list[dict[str, int]] = vars(self).setdefault("looks", list(self.script))
        now = looks.pop(0) if len(looks) > 1 else looks[0]
        return {name: (number, 0, 0) for name, number in now.items()}

    script: Any = ()


def scripted(*looks: dict[str, int]) -> Selection:
    return type("Scripted", (ScriptedSelection,), {"script": looks})(())


@pytest.fixture
def polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)


@pytest.mark.usefixtures("polling")
@pytest.mark.parametrize(
    ("looks", "names"),
    [
        ([{}, {"a": 1}, {"a": 1, "b": 1}, {"a": 2, "b": 1}], ["a", "b"]),
        ([{"a": 1, "z": 1}, {"z": 1}, {"a": 2, "z": 1}], ["a"]),
        # What came and went again is nothing.
        ([{}, {"4913": 1}, {}, {}, {}, {"a": 1}], ["a"]),
    ],
)
def test_what_is_saved_together_is_told_together_when_it_has_settled(
    looks: list[dict[str, int]], names: list[str]
) -> None:
    told: Told = queue.SimpleQueue()
    with Watch(scripted(*looks), told.put):
        assert next_of(told) == names
    assert told.empty()


@pytest.mark.usefixtures("polling")
def test_what_never_settles_is_told_all_the_same() -> None:
    told: Told = queue.SimpleQueue()
    with Watch(scripted(*({"a": number} for number in range(1000))), told.put):
        assert next_of(told) == ["a"]


def test_where_watchfiles_cannot_watch_it_is_looked_every_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*paths: str, **options: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setitem(sys.modules, "watchfiles", SimpleNamespace(watch=refuse))
    told: Told = queue.SimpleQueue()
    with Watch(Selection((str(tmp_path),)), told.put), caplog.at_level(logging.WARNING, "tinybeam.cli"):
        write(tmp_path / "a.py")
        assert next_of(told) == ["a.py"]
    assert "watchfiles cannot watch (no space left on device); looking every 250 ms instead" in caplog.text
