"""Tells when files below some directories have changed.

Owns:  which files count, what is a change, and the thread that looks.
Knows: watchfiles, when it is installed: it says when to look, never what to see.
Never: reads a file: its time, its size and its inode say enough.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import importlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from types import ModuleType, TracebackType
from typing import Final

log = logging.getLogger("tinybeam.cli")

INCLUDE: Final = ("*.py",)
# What editors and Python leave behind beside what they work on.
EXCLUDE: Final = (".*", "~*", "*~", "*.py[cod]", "*.sw?")
# Besides those that are hidden, and virtual environments.
_SKIPPED_DIRECTORIES: Final = frozenset({"__pycache__", "node_modules"})

POLL_S: Final = 0.25
# An editor writes several files, and each in several steps.
_SETTLE_S: Final = 0.05
_SETTLE_ROUNDS_MAX: Final = 20
# Network folders, and some of the ways in which a container sees its host's files, report nothing.
_LOOK_ANYWAY_MS: Final = 2000
# A look at a large tree rests nine times as long as it took, and so takes a tenth of one core at most.
_REST: Final = 9

# Path -> what is different after a change.
Seen = dict[str, tuple[int, int, int]]


@dataclasses.dataclass(frozen=True)
class Selection:
    """The files below `directories` that count; their paths are absolute, since the current directory may change.

    A glob is matched with the end of a file's path, from a slash on, and its `*` matches slashes too. The given ones
    join INCLUDE and EXCLUDE. `exclude` wins over all others, and an `include` without wildcards, which names a file
    that is wanted, wins over EXCLUDE. Directories that are hidden or excluded, virtual environments and links to
    directories are not entered, unless they are in `directories` themselves.

    >>> chosen = Selection(("/shop",), include=(".env", "*.html"), exclude=("tests/*",))
    >>> [chosen.wants(f"/{name}") for name in ("web.py", ".env", "pages/a.html", "api/tests/web.py", ".#web.py")]
    [True, True, True, False, False]
    """

    directories: tuple[str, ...]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def wants(self, relative: str) -> bool:
        """Whether the file counts; its path is relative to one of the directories and begins with a slash."""
        if self._excluded.match(relative):
            return False
        if self._named.match(relative):
            return True
        return bool(self._included.match(relative)) and not _EXCLUDED_ALWAYS.match(relative)

    def look(self) -> Seen:
        """What can be seen now. What cannot be read is not there."""
        seen: Seen = {}
        for directory in self.directories:
            self._look_below(directory, seen)
        return seen

    def _look_below(self, top: str, seen: Seen) -> None:
        length = len(top.rstrip("/"))
        pending = [top]
        while pending:
            directory = pending.pop()
            entries = _entries_of(directory)
            if directory != top and any(entry.name == "pyvenv.cfg" for entry in entries):
                continue
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if self._enters(entry.name, entry.path[length:]):
                        pending.append(entry.path)
                elif self.wants(entry.path[length:]):
                    try:
                        found = entry.stat()
                    except OSError:
                        continue  # it has gone, or is a link to nowhere
                    seen[entry.path] = (found.st_mtime_ns, found.st_size, found.st_ino)

    def _enters(self, name: str, relative: str) -> bool:
        return not (name.startswith(".") or name in _SKIPPED_DIRECTORIES or self._excluded.match(relative))

    @cached_property
    def _included(self) -> re.Pattern[str]:
        return _any_of((*INCLUDE, *self.include))

    @cached_property
    def _named(self) -> re.Pattern[str]:
        return _any_of(glob for glob in self.include if not re.search(r"[*?\[]", glob))

    @cached_property
    def _excluded(self) -> re.Pattern[str]:
        return _any_of(self.exclude)


class Watch:
    """Calls `tell` with the paths of what changed, in a thread of its own; a context manager.

    What it saw when it was made is what changes are compared with, so whatever starts after that is told of all that
    changes under its hands.
    """

    def __init__(self, selection: Selection, tell: Callable[[list[str]], None]) -> None:
        self._selection = selection
        self._tell = tell
        self._stop = threading.Event()
        self._rest_s = 0.0
        self._seen = self._look()
        self._thread = threading.Thread(target=self._follow, name="tinybeam-watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        for _ in self._occasions():
            if changed := self._changes():
                self._tell(changed)
            self._stop.wait(self._rest_s)

    def _occasions(self) -> Iterator[None]:
        """Each time that it is worth looking, until the end."""
        if (watchfiles := _watchfiles()) is not None:
            try:
                for _ in watchfiles.watch(
                    *self._selection.directories,
                    watch_filter=None,
                    debounce=100,
                    rust_timeout=_LOOK_ANYWAY_MS,
                    yield_on_timeout=True,
                    stop_event=self._stop,
                    raise_interrupt=False,
                    ignore_permission_denied=True,
                ):
                    yield
            except (OSError, RuntimeError) as error:
                # The system's limit on watched files (fs.inotify.max_user_watches) is what is met most.
                log.warning("watchfiles cannot watch (%s); looking every %d ms instead", error, POLL_S * 1000)
        while not self._stop.wait(POLL_S):
            yield

    def _changes(self) -> list[str]:
        """What is different from the last time, when it has settled."""
        now = self._look()
        if now == self._seen:
            return []
        for _ in range(_SETTLE_ROUNDS_MAX):
            before, now = now, self._settled_look(now)
            if now == before:
                break
        changed = sorted(path for path in self._seen.keys() | now.keys() if self._seen.get(path) != now.get(path))
        self._seen = now
        return changed

    def _settled_look(self, last: Seen) -> Seen:
        """What is seen a moment later; the same when it is the end."""
        return last if self._stop.wait(_SETTLE_S) else self._look()

    def _look(self) -> Seen:
        began = time.monotonic()
        seen = self._selection.look()
        self._rest_s = _REST * (time.monotonic() - began)
        return seen


def _watchfiles() -> ModuleType | None:
    """The module, when somebody has installed the extra `tinybeam[reload]`; imported for those alone who reload."""
    try:
        return importlib.import_module("watchfiles")
    except ImportError:
        return None


def _entries_of(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _any_of(globs: Iterable[str]) -> re.Pattern[str]:
    patterns = [fnmatch.translate("*/" + glob.removeprefix("./").strip("/")) for glob in globs]
    return re.compile("|".join(patterns) or r"(?!)")


_EXCLUDED_ALWAYS: Final = _any_of(EXCLUDE)
