"""The deadlines of a connection: which one applies now, and when it is met.

Owns:  the phases of a connection, and the arithmetic of stalls and rates.
Knows: that a timer which comes up too early looks again, so a later deadline never has to move it.
Never: closes or refuses; lets single octets put a deadline off for ever.
"""

from __future__ import annotations

import enum
import socket
import struct
import sys
from typing import Final

from tinybeam.portable.room import Room
from tinybeam.portable.state import ConnectionState
from tinybeam.portable.timers import NEVER

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import TIOCOUTQ

# How soon to look again at a connection whose octets we have not read yet: that is not its fault.
_AGAIN_MS: Final = 100


class Phase(enum.Enum):
    """What a connection is waited for."""

    NONE = enum.auto()  # it is our turn: requests have deadlines of their own
    HEADER = enum.auto()  # a request's head is due; for a new connection also its first octet
    BODY = enum.auto()
    KEEPALIVE = enum.auto()
    WRITE = enum.auto()  # the client is to take octets of an answer
    LINGER = enum.auto()  # the client is to close


class Deadline:
    """The deadline of one connection."""

    __slots__ = ("_connection", "_moved_ms", "_moved_octets", "_room", "_since_ms", "_unread", "phase")

    def __init__(self, room: Room, connection: ConnectionState) -> None:
        self._room = room
        self._connection = connection
        self.phase = Phase.NONE
        self._since_ms = self._moved_ms = 0
        self._moved_octets = 0
        # Of an answer: what the kernel had, and the client had not taken, when we looked last.
        self._unread = 0

    def settle(self) -> None:
        """Notes the phase that the connection is in by now; to be called whenever it comes to rest."""
        connection = self._connection
        if connection.dead or connection.waiting:
            return
        phase = self._current()
        if phase is self.phase and not connection.renewed:
            return
        connection.renewed = False
        room = self._room
        self.phase = phase
        self._since_ms = self._moved_ms = room.now_ms
        self._moved_octets = 0
        self._unread = _unread(connection.sock) if phase is Phase.WRITE else 0
        at_ms = self._at_ms()
        if at_ms != NEVER:
            room.connection_timers.set_no_later(connection, at_ms, room.now_ms)

    def on_received(self, octets: int) -> None:
        """The client has sent octets."""
        self._moved_ms = self._room.now_ms
        self._moved_octets += octets

    def on_sent(self, octets: int) -> None:
        """The kernel has taken octets for the client, which has not."""
        if self.phase is Phase.WRITE:
            self._moved_ms = self._room.now_ms
            self._unread += octets

    def met(self) -> bool:
        """The connection's timer has come up. True when its time is over; else it is set again."""
        connection = self._connection
        room = self._room
        if self.phase is Phase.WRITE:
            self._look()
        at_ms = self._at_ms()
        if connection.waiting and self.phase in (Phase.HEADER, Phase.BODY, Phase.KEEPALIVE):
            at_ms = room.now_ms + _AGAIN_MS
        if at_ms <= room.now_ms:
            return True
        if at_ms != NEVER:
            room.connection_timers.set(connection, at_ms)
        return False

    def _current(self) -> Phase:
        connection = self._connection
        if connection.lingering:
            return Phase.LINGER
        if connection.unsent:
            return Phase.WRITE
        request = connection.request
        if request is not None and not (request.message.complete or request.offered or request.held):
            return Phase.BODY
        if connection.exchanges:
            return Phase.NONE
        return Phase.HEADER if connection.inbox or not connection.served else Phase.KEEPALIVE

    def _at_ms(self) -> int:
        config = self._room.config
        match self.phase:
            case Phase.HEADER:
                return self._since_ms + config.header_timeout_ms
            case Phase.KEEPALIVE:
                return self._since_ms + config.keepalive_timeout_ms
            case Phase.LINGER:
                return self._since_ms + config.linger_timeout_ms
            case Phase.BODY:
                return self._of_transfer(config.body_timeout_ms, config.transfer_bytes_per_s_min)
            case Phase.WRITE:
                return self._of_transfer(config.write_timeout_ms, config.transfer_bytes_per_s_min)
            case _:
                return NEVER

    def _of_transfer(self, most_ms: int, bytes_per_s_min: int) -> int:
        """No octet for this long, or fewer in all than the least rate asks for after a start of this long."""
        slow_ms = self._since_ms + most_ms + self._moved_octets * 1000 // bytes_per_s_min
        return min(self._moved_ms + most_ms, slow_ms)

    def _look(self) -> None:
        """Notes what the client has taken since we looked last."""
        unread = _unread(self._connection.sock)
        if unread < self._unread:
            self._moved_ms = self._room.now_ms
            self._moved_octets += self._unread - unread
        self._unread = unread


def _unread(sock: socket.socket) -> int:
    """The octets of our answers that the kernel holds for the client, where it tells; it says that a socket is writable
    only when much of them has gone, which at a modest speed is long after the client has begun to take them."""
    if sys.platform != "linux":
        return 0
    try:
        return int(struct.unpack("i", ioctl(sock.fileno(), TIOCOUTQ, b"\0\0\0\0"))[0])
    except OSError:
        return 0
