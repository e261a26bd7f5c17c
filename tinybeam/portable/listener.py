"""Listening sockets: how they are opened, and how connections are accepted.

Owns:  the listeners of an engine; which addresses a host has; the socket file of a unix socket.
Knows: that options of a listener are inherited, on most systems, by what it accepts.
Never: removes a file that is not a dead socket; accepts more connections than there may be.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import stat
from typing import Final

from tinybeam.portable.connection import Connection
from tinybeam.portable.room import Room

# How long a pause lasts when no connection closes meanwhile, in milliseconds.
PAUSE_MS: Final = 100
# This one peer has left, or a firewall said no: the next may do better.
_OF_ONE_PEER: Final = (errno.ECONNABORTED, errno.EPROTO, errno.EPERM)
_NO_SUCH_FAMILY: Final = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
# A client that vanished without a word is found out by probes.
_PROBES: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 6))


class Listeners:
    """All of one engine."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._sockets: list[socket.socket] = []
        self._path: str | None = None
        # The limit is reached, or the operating system has no more to give: nothing is accepted for a while.
        self.paused = False

    def __len__(self) -> int:
        return len(self._sockets)

    def listen(self, host: str, port: int, backlog: int) -> int:
        """Listens on every address of the host and returns the port. Raises OSError."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except OSError as error:
            raise OSError(errno.EADDRNOTAVAIL, f"{os.strerror(errno.EADDRNOTAVAIL)}: {host} ({error})") from error
        missing: OSError | None = None
        for family, _, _, _, address in found:
            if family not in (socket.AF_INET, socket.AF_INET6):
                continue
            # With port 0 every address gets the port that the first one was given.
            name = (address[0], port, *address[2:])
            try:
                sock = self._bind(family, name)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = error  # "localhost" on a machine without IPv6
                continue
            self._start(sock, backlog)
            port = sock.getsockname()[1]
        if not self._sockets:
            raise missing or OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        return port

    def listen_unix(self, path: str, backlog: int) -> None:
        """Listens on a unix socket; a socket file that nobody answers at is replaced. Raises OSError."""
        if not hasattr(socket, "AF_UNIX"):
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        _clear_dead(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path)
        except OSError:
            sock.close()
            raise
        self._start(sock, backlog)
        self._path = path

    def _bind(self, family: int, address: tuple[object, ...]) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            timeout = ("TCP_USER_TIMEOUT", self._room.config.write_timeout_ms)
            for name, value in (*_PROBES, timeout):
                if hasattr(socket, name):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(address)
        except OSError:
            sock.close()
            raise
        return sock

    def _start(self, sock: socket.socket, backlog: int) -> None:
        """Puts a bound socket to work."""
        try:
            sock.setblocking(False)
            sock.listen(backlog)
            self._room.selector.register(sock, selectors.EVENT_READ, self)
        except OSError:
            sock.close()
            raise
        self._sockets.append(sock)

    def on_event(self, sock: socket.socket) -> None:
        """Accepts all that wait."""
        room = self._room
        while not self.paused:
            if len(room.connections) >= room.config.connections_max:
                self._pause()
                return
            try:
                self._accept(sock)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _OF_ONE_PEER:
                    # Too many open files, or no memory: trying again at once would only spin.
                    room.stats["accept_errors"] += 1
                    self._pause()

    def _accept(self, sock: socket.socket) -> None:
        with self._room.descriptors_lock:
            accepted, address = sock.accept()
            accepted.setblocking(False)
            connection = Connection(self._room, accepted, _peer(accepted.family, address))
        connection.settle()

    def accept_all(self) -> None:
        """Accepts who came before a drain."""
        for sock in self._sockets:
            self.on_event(sock)

    def _pause(self) -> None:
        self.paused = True
        for sock in self._sockets:
            self._room.selector.unregister(sock)

    def resume(self) -> None:
        """Ends a pause, if connections may be accepted again."""
        if self.paused and len(self._room.connections) < self._room.config.connections_max:
            self.paused = False
            for sock in self._sockets:
                self._room.selector.register(sock, selectors.EVENT_READ, self)

    def close(self) -> None:
        """Stops listening."""
        if self._path is not None:
            # First: once nobody listens, the next server may have put its own there.
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            self._path = None
        for sock in self._sockets:
            if not self.paused:
                self._room.selector.unregister(sock)
            with contextlib.suppress(OSError):  # some systems have nothing to shut there
                sock.shutdown(socket.SHUT_RDWR)  # a forked child may have a copy, which would go on listening
            sock.close()
        self._sockets.clear()
        self.paused = False

    def abandon(self) -> None:
        """In a forked child: closes the copies, and touches nothing that the parent uses."""
        for sock in self._sockets:
            sock.close()


def _clear_dead(path: str) -> None:
    """A socket file that nobody answers at is left over from a server that died."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    in_use = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
    if not stat.S_ISSOCK(mode):
        raise in_use
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # Not to wait: a live listener whose backlog is full is an answer as good as any.
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise in_use
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _peer(family: int, address: tuple[str, int] | str) -> bytes:
    """The peer's address as in a request's term: port and octets; empty for a unix socket."""
    if family not in (socket.AF_INET, socket.AF_INET6) or isinstance(address, str):
        return b""
    host = address[0].partition("%")[0]
    return address[1].to_bytes(2, "big") + socket.inet_pton(family, host)
