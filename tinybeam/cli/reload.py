"""`--reload`: a parent that starts the server anew, in an OS process of its own, when a file has changed.

Owns:  the child: how it is started, told to end, and killed; and that it never outlives the parent.
Knows: signals, the watch over the files, and the line that the child holds the other end of.
Never: imports the user's module, so nothing that is wrong with it can end the parent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, Final, NoReturn

from tinybeam.cli.flags import flag_of
from tinybeam.cli.lifeline import END_GRACE_S
from tinybeam.cli.signal_pipe import SignalPipe
from tinybeam.cli.watch import Selection, Watch

log = logging.getLogger("tinybeam.cli")

# Who writes code waits for each restart; a browser's stream that never ends must not make that 30 s.
DRAIN_TIMEOUT_MS: Final = 2000

# The child watches its own end, and can say what holds it up; this is for when it cannot even do that.
_KILL_AFTER_S: Final = END_GRACE_S + 1

# What the pipe carries when files have changed.
_CHANGED: Final = 0

# Ends of a child that was told to end while it was still starting, or could not start.
_NOTHING_WAS_CUT: Final = (0, 3, -signal.SIGTERM)


@dataclasses.dataclass(frozen=True)
class Command:
    """What a child is started with: the target, and the flags that were given. The environment is the parent's."""

    target: str
    app_dir: str
    settings: dict[str, Any]

    def words(self, lifeline_fd: int, port: int | None) -> list[str]:
        """The command line of a child; `port` takes the place of the one that was given."""
        settings = self.settings if port is None else {**self.settings, "port": port}
        flags = [_flag(name, value) for name, value in settings.items()]
        line = ["run", f"--lifeline={lifeline_fd}", f"--app-dir={self.app_dir}", *flags, "--", self.target]
        return [sys.executable, *_start_of_python(), *line]


class Child:
    """One OS process that serves. It ends when this one ends, because the kernel then cuts the line between them."""

    def __init__(self, command: Command, port: int | None, drain_timeout_ms: int) -> None:
        self._end_timeout_s = drain_timeout_ms / 1000 + _KILL_AFTER_S
        self._kill_at_s: float | None = None
        self._line, theirs = socket.socketpair()
        # The child begins with INT blocked and lets it come when it can take it quietly; none is lost.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            with theirs:
                self._process = subprocess.Popen(command.words(theirs.fileno(), port), pass_fds=[theirs.fileno()])
        except OSError:
            self._line.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def exit_code(self) -> int | None:
        """None while it lives; -N when signal N has killed it."""
        return self._process.poll()

    def end(self) -> None:
        """Tells it to finish what is open and to end, and when it will be killed. Once is as good as often."""
        if self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + self._end_timeout_s
            self._line.shutdown(socket.SHUT_WR)

    def left_s(self) -> float | None:
        """How long it may still live; None when it was not told to end."""
        return None if self._kill_at_s is None else max(0.0, self._kill_at_s - time.monotonic())

    def kill(self) -> None:
        """Ends it whatever it does, and waits until it has."""
        self._process.kill()
        self._process.wait()

    def close(self) -> int | None:
        """To be called when it has ended: the port that it had, if it came to listen on one."""
        with self._line:
            try:
                # Whoever it has forked may hold the line, and must not be waited for.
                return int(self._line.recv(64, socket.MSG_DONTWAIT) or 0) or None
            except OSError:
                return None


class Reloader:
    """Keeps a server running that is as new as the files; `run` does all of it."""

    def __init__(self, command: Command, selection: Selection, drain_timeout_ms: int) -> None:
        self._command = command
        self._selection = selection
        self._drain_timeout_ms = drain_timeout_ms
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # unless it is run by nohup
            numbers.append(signal.SIGHUP)
        self._pipe = SignalPipe(numbers)
        self._changes: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        # What has changed since the last child was started.
        self._stale: set[str] = set()
        self._child: Child | None = None
        self._port: int | None = None
        self._here = os.path.join(os.getcwd(), "")
        self._asked = self._interrupted = False
        self._exit_code = 0

    def run(self) -> int:
        """Returns when TERM, INT or HUP came and the child has ended: the exit code, as without `--reload`."""
        with self._pipe, Watch(self._selection, self._tell_of):
            try:
                self._start()
                while self._child is not None or not self._asked:
                    self._turn()
            finally:
                if self._child is not None:
                    self._child.kill()
        return 0 if self._interrupted else self._exit_code

    def _tell_of(self, paths: list[str]) -> None:
        """For the watch's thread."""
        self._changes.put(paths)
        self._pipe.write(_CHANGED)

    def _start(self) -> None:
        _forget_bytecode(self._stale)
        self._stale.clear()
        try:
            self._child = Child(self._command, self._port, self._drain_timeout_ms)
        except OSError as error:  # an environment that is being made anew has no Python for a moment
            log.error("cannot start the server: %s; waiting for a change", error)

    def _turn(self) -> None:
        """Waits until something has happened, and does what is to be done."""
        for number in self._pipe.read(self._child.left_s() if self._child is not None else None):
            self._note(number)
        if self._child is not None and (code := self._child.exit_code()) is not None:
            self._ended(self._child, code)
            self._child = None
        if self._child is not None:
            if self._asked or self._stale:
                self._child.end()
            if self._child.left_s() == 0:
                log.warning("the server does not come to its end; killing it")
                self._child.kill()
        elif self._stale and not self._asked:
            self._start()

    def _note(self, number: int) -> None:
        if number == _CHANGED:
            paths = self._changes.get()
            self._stale.update(paths)
            if not self._asked:
                log.info("%s changed; starting anew", told(paths, self._here))
        elif number != signal.SIGCHLD:
            if number == signal.SIGINT and self._interrupted:
                self._leave()
            self._interrupted = self._interrupted or number == signal.SIGINT
            self._asked = True

    def _ended(self, child: Child, code: int) -> None:
        self._port = child.close() or self._port
        if self._asked:
            self._exit_code = 0 if code in _NOTHING_WAS_CUT else 1
        elif not self._stale:
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"has ended with code {code}"
            log.warning("the server %s; waiting for a change", "could not start" if code == 3 else how)

    def _leave(self) -> NoReturn:
        """A second INT kills: the child, and this process as if nobody had caught it."""
        if self._child is not None:
            self._child.kill()
        self._pipe.leave_to_the_kernel(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("INT did not kill")


def _flag(name: str, value: object) -> str:
    """A setting as it is written on the command line.

    >>> _flag("drain_timeout_ms", 5), _flag("access_log", True), _flag("access_log", False)
    ('--drain-timeout-ms=5', '--access-log', '--no-access-log')
    """
    if isinstance(value, bool):
        return flag_of(name if value else f"no_{name}")
    return f"{flag_of(name)}={value}"


def _start_of_python() -> list[str]:
    """How this program was started, up to its own words, with Python's own flags: `-X dev -m tinybeam` for example."""
    start = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv[1:])]
    ours = start[-2:] == ["-m", "tinybeam"] or os.path.basename(start[-1] if start else "") == "tinybeam"
    return start if ours else ["-m", "tinybeam"]


def _forget_bytecode(paths: Iterable[str]) -> None:
    """Removes what Python has compiled of these files.

    It takes the compiled file for current when second and size are those of the source, which a quick edit can keep.
    """
    for path in paths:
        if path.endswith(".py"):
            with contextlib.suppress(OSError, NotImplementedError):  # there is none, or Python keeps none
                os.remove(importlib.util.cache_from_source(path))


def told(paths: list[str], here: str) -> str:
    """Names what has changed; from `here`, which ends with a slash, when it is below that.

    >>> told(["/srv/shop/web.py"], "/srv/"), told(["/a.py", "/b.py", "/c.py"], "/srv/")
    ('shop/web.py', '/a.py and 2 others')
    """
    rest = len(paths) - 1
    return paths[0].removeprefix(here) + (f" and {rest} other{'s' * (rest > 1)}" if rest else "")
