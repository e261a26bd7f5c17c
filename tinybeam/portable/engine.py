"""The portable engine as the server sees it: batches of requests in, batches of answers out.

Owns:  one scheduler, its lobby and its watchdog; what happens to them at close and at a fork.
Knows: what each call of native/include/tinybeam.h promises.
Never: loads a library; touches a lock in a forked copy.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import weakref
from typing import Final

from tinybeam import contract
from tinybeam.config import Config
from tinybeam.files import Asked, open_parcel
from tinybeam.http import KIND_HINTS, File, FileFields, has_body
from tinybeam.portable import inflow
from tinybeam.portable.answers import Reply, as_reply, fields_are_fit, part_of
from tinybeam.portable.entrance import Entrance
from tinybeam.portable.lobby import Lobby
from tinybeam.portable.port import Pace, Port
from tinybeam.portable.scheduler import Scheduler
from tinybeam.portable.watchdog import Watchdog

# Those that a forked child has to let go of.
_open_engines: Final[weakref.WeakSet[PortableEngine]] = weakref.WeakSet()
# All of them, from before a fork until after it; and whose fork that is, for several threads may fork at once.
_forking: Final[list[PortableEngine]] = []
_fork: Final = threading.Lock()


class Part:
    """Memory for a part of a body."""

    __slots__ = ("view",)

    def __init__(self, length: int) -> None:
        self.view = memoryview(bytearray(length))


class PortableEngine:
    """One open engine. `close` it when done; calls on a closed one raise NativeError with contract.ESHUTDOWN."""

    def __init__(self, config: Config, body_offer_bytes: int = 0) -> None:
        """Opens one. Bodies larger than `body_offer_bytes`, if that is not 0, are offered before they are read.

        Raises OSError when there is no thread or no descriptor left for it.
        """
        self._entrance = Entrance()
        self._lobby = lobby = Lobby(config.standby_idle_ms)
        self._scheduler = scheduler = Scheduler(config, body_offer_bytes)
        self._pace = Pace(config)
        stats = scheduler.room.stats

        def count_takeover() -> None:
            stats["takeovers"] += 1

        self._watchdog = Watchdog(
            lobby, config.takeover_ms, serve=scheduler.serve, left_ms=scheduler.left_ms, on_takeover=count_takeover
        )
        try:
            self._watchdog.start()
        except RuntimeError as error:
            scheduler.close()
            raise OSError(
                errno.EAGAIN, f"the operating system has no thread left for the watchdog ({error})"
            ) from error
        # When nobody can reach this object any more, nobody can be inside a call. At exit of the interpreter daemon
        # threads may be, and the sockets are left to the operating system.
        self._closed = weakref.finalize(self, _close, self._entrance, scheduler, lobby, self._watchdog)
        self._closed.atexit = False
        _open_engines.add(self)

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Listens on every address of the host and returns the port. Raises OSError."""
        self._entrance.check("cannot listen")
        return self._scheduler.listeners.listen(host, port, backlog)

    def listen_unix(self, path: str, backlog: int) -> None:
        """Listens on a unix socket; a socket file that nobody answers at is replaced. Raises OSError."""
        self._entrance.check("cannot listen")
        self._scheduler.listeners.listen_unix(path, backlog)

    def add_constant(self, path: str, status: int, fields: bytes, body: bytes) -> None:
        """From now on GET and HEAD of exactly this path are answered without a handler. Only before listening."""
        self._entrance.check(f"cannot add the constant {path}")
        constants = self._scheduler.room.constants
        octets = path.encode()
        known = len(self._scheduler.listeners) > 0 or octets in constants
        if known or not octets or not 200 <= status <= 599 or not fields_are_fit(fields):
            contract.checked(contract.EINVAL, f"cannot add the constant {path}")
        constants[octets] = Reply(status, fields, body)

    def add_static(self, prefix: str, directory: str, index: str | None, fields: bytes, flags: int) -> None:
        """From now on GET and HEAD of the files of a directory are answered without a handler. Raises OSError when
        there is no such directory. Only before listening."""
        what = f"cannot serve the files of {directory}"
        self._entrance.check(what)
        fit = len(self._scheduler.listeners) == 0 and fields_are_fit(fields)
        added = fit and self._scheduler.room.mounts.add(prefix, directory, index, fields, flags)
        contract.checked(contract.OK if added else contract.EINVAL, what)

    def respond(self, answers: bytes) -> int:
        """Spends the handles of an encoded list of answers, from any thread; returns OK or the first refusal."""
        if not answers:
            return contract.EINVAL
        return self._entrance.code or self._scheduler.post(answers)

    def push(self, handle: int, kind: int, octets: bytes) -> int:
        """Goes on with a stream, from any thread; returns OK, or why not. Whether there is such a stream is found out
        by whoever polls."""
        part = part_of(handle, kind, octets)
        if part is None:
            return contract.EINVAL
        if self._entrance.code == contract.OK:
            self._scheduler.post_part(part)
        return self._entrance.code

    def open_body(self, handle: int, bytes_max: int) -> int:
        """Has the body of an offered request come in parts, from any thread; returns OK or why not."""
        return self._entrance.code or inflow.open_(self._scheduler.room, handle, bytes_max)

    @staticmethod
    def open_part(length: int) -> Part:
        """Memory for the octets that `take_body` takes, at most so many at once."""
        return Part(length)

    def take_body(self, handle: int, part: Part) -> int:
        """Takes octets of it, from any thread; how many, 0 at the end, or what contract.EWAIT and others say."""
        return self._entrance.code or self._scheduler.take_body(handle, part.view)

    def take_trailers(self, handle: int) -> bytes | None:
        """The trailers of a body that has ended; None when they are gone with the request."""
        return None if self._entrance.code else inflow.take_trailers(self._scheduler.room, handle)

    def has_left(self, handle: int) -> bool:
        """Whether the client of a request has shut its side, or is gone, as far as it is known. Any thread."""
        code = self._entrance.code or self._scheduler.room.handles.client(handle)
        return code == contract.EDISCONNECTED

    def hint(self, handle: int, fields: bytes) -> None:
        """Tells a client fields ahead of the answer, where it can be told. Any thread."""
        self.push(handle, KIND_HINTS, fields)

    def send_file(
        self, handle: int, file: File, said: FileFields, status: int, asked: bytes | None, *, head: bool
    ) -> tuple[int, int] | None:
        """Answers with a file, from any thread; it is opened here. Returns the status and the length that it came to,
        or None when nobody needs the answer any more.

        `asked` are the request's fields, or None for the whole file whatever they say. Raises OSError when the file
        cannot be opened or read, and NativeError; then nothing was answered.
        """
        fit = 200 <= status <= 599 and has_body(status)
        contract.checked(contract.OK if fit else contract.EINVAL, "cannot send the file")
        parcel = open_parcel(file, said, status, Asked.read(asked or b"", head=head))
        code = self._entrance.code or self._scheduler.post_reply(handle, as_reply(parcel))
        if code == contract.OK:
            return parcel.status, parcel.length
        if code != contract.EDISCONNECTED and parcel.cargo is not None:
            parcel.cargo.close()
        return None

    def set_timeout(self, handle: int, timeout_ms: int) -> None:
        """Gives an unanswered request another deadline, counted from when it was handed over; 0 is none."""
        if self._entrance.code == contract.OK:
            self._scheduler.post_timeout(handle, timeout_ms)

    def take_overdue(self) -> list[tuple[int, int]]:
        """The handle and the age in milliseconds of requests that were answered 504 here; each is told once."""
        overdue = self._scheduler.room.overdue
        found: list[tuple[int, int]] = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(overdue.popleft())
        return found

    def wake(self) -> None:
        """Makes the poll of whoever holds the scheduler return with POLL_WAKE. Nothing once it is closed."""
        if self._entrance.code == contract.OK:
            self._scheduler.wake(contract.POLL_WAKE)

    def drain(self) -> None:
        """Stops accepting and finishes what is open; a poll returns POLL_DRAINED when that is done."""
        self._entrance.check("cannot drain")
        self._scheduler.drain()

    @property
    def wakeup_fd(self) -> int:
        """A descriptor for `signal.set_wakeup_fd`."""
        self._entrance.check("no wake-up descriptor")
        return self._scheduler.signal_writer.fileno()

    def stats(self) -> dict[str, int]:
        """The engine's counters by name (`tb_stats`)."""
        self._entrance.check("no statistics")
        room, lobby = self._scheduler.room, self._lobby
        now = {"handles_open": room.handles.open_count, "runners": lobby.runners, "standbys": lobby.standbys}
        return {**room.stats, **now}

    def close(self) -> bool:
        """Closes it: every waiter wakes, the sockets close when the last caller has left. True for the one that did."""
        return _close(self._entrance, self._scheduler, self._lobby, self._watchdog)

    def open_port(self) -> Port:
        """Registers a runner. Raises NativeError."""
        self._entrance.check("no place for another runner")
        return Port(self, self._entrance, self._scheduler, self._lobby, self._pace)


def _close(entrance: Entrance, scheduler: Scheduler, lobby: Lobby, watchdog: Watchdog) -> bool:
    if not entrance.close():
        return False
    scheduler.shut()
    lobby.shut()
    watchdog.join()
    lobby.wait_until_left()
    scheduler.close()
    return True


def _before_fork() -> None:
    """Holds the descriptors of every engine as they are, so that the child knows which they are."""
    _fork.acquire()
    _forking[:] = _open_engines
    for engine in _forking:
        engine._scheduler.room.descriptors_lock.acquire()
        engine._scheduler.room.forked = True


def _after_fork() -> None:
    """In the parent, which goes on as before."""
    for engine in _forking:
        engine._scheduler.room.descriptors_lock.release()
    _forking.clear()
    _fork.release()


def _abandon_all() -> None:
    """In a forked child: lets go of every engine, without touching what the parent uses."""
    for engine in _forking:
        engine._closed.detach()
        engine._scheduler.room.descriptors_lock.release()
        if engine._entrance.code == contract.OK:
            engine._entrance.abandon()
            engine._scheduler.abandon()
        _open_engines.discard(engine)
    _forking.clear()
    _fork.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_abandon_all)
